"""The Real-time changes card: which way changes come, and the secrets of an account's own endpoint."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from integrations.models import MonthlyReads, StripeConnection
from integrations.stripe.api.events import TAKEN
from tests.factories import AdminFactory, StaffFactory
from tests.integrations.stripe.pages.factories import ConnectionFactory, RunFactory

pytestmark = pytest.mark.django_db

OLD, NEW = "whsec_made_up_old1", "whsec_made_up_new2"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory())
    return client


@pytest.fixture
def connection() -> StripeConnection:
    return ConnectionFactory()


def page(client: Client) -> str:
    return " ".join(client.get(reverse("stripe:integration", args=["live"])).content.decode().split())


def post(client: Client, view: str, **data: str) -> str:
    return client.post(reverse(f"stripe:{view}", args=["live"]), data, follow=True).content.decode()


def secrets(connection: StripeConnection) -> tuple[str, str]:
    connection.refresh_from_db()
    return connection.webhook_secret, connection.webhook_secret_next


def test_the_endpoint_is_shown_as_stripe_must_call_it(
    admin: Client, connection: StripeConnection, settings: Settings
) -> None:
    assert 'value="http://testserver/stripe/webhooks/live/account/"' in page(admin)
    settings.PUBLIC_BASE_URL = "https://pivotal.example.com/"
    said = page(admin)
    assert 'value="https://pivotal.example.com/stripe/webhooks/live/account/"' in said
    for name in TAKEN:
        assert name in said


def test_polling_needs_no_endpoint(admin: Client, connection: StripeConnection) -> None:
    said = page(admin)
    assert "Polling: changes show within two minutes." in said
    assert "Not needed: polling shows changes within two minutes." in said


def test_without_the_permission_it_says_that_only_the_night_remains(admin: Client) -> None:
    ConnectionFactory(permissions=["customer_read", "subscription_read"])
    said = page(admin)
    assert "The nightly run only" in said
    assert "Not needed" not in said


def test_a_delivery_makes_the_endpoint_the_source(admin: Client, connection: StripeConnection) -> None:
    StripeConnection.objects.update(webhook_at=timezone.now())
    post(admin, "secret_add", secret=OLD)
    said = page(admin)
    assert "Your own webhook endpoint: changes arrive within seconds." in said
    assert "Last delivery" in said
    assert "signature valid" in said


def test_the_apps_webhook_is_named(admin: Client, connection: StripeConnection, settings: Settings) -> None:
    settings.STRIPE_WEBHOOK_SECRET_LIVE = "whsec_of_the_app"
    StripeConnection.objects.update(webhook_at=timezone.now())
    assert "The webhook of the app" in page(admin)


def test_a_secret_is_stored_and_only_its_end_is_ever_shown(admin: Client, connection: StripeConnection) -> None:
    said = post(admin, "secret_add", secret=f"  {OLD} ")
    assert secrets(connection) == (OLD, "")
    assert OLD not in said
    assert "…old1" in said


def test_while_it_is_rotated_both_are_accepted_until_somebody_finishes(
    admin: Client, connection: StripeConnection
) -> None:
    post(admin, "secret_add", secret=OLD)
    assert "Two signing secrets are accepted" in " ".join(post(admin, "secret_add", secret=NEW).split())
    assert secrets(connection) == (OLD, NEW)
    post(admin, "rotation_finish")
    assert secrets(connection) == (NEW, "")
    post(admin, "rotation_finish")
    assert secrets(connection) == (NEW, "")


@pytest.mark.parametrize("secret", ["", "whsec_", "sk_live_not_this", "x" * 600])
def test_what_is_no_signing_secret_is_refused(admin: Client, connection: StripeConnection, secret: str) -> None:
    assert "signature_invalid" in post(admin, "secret_add", secret=secret)
    assert secrets(connection) == ("", "")


def test_the_secrets_can_be_deleted(admin: Client, connection: StripeConnection) -> None:
    post(admin, "secret_add", secret=OLD)
    post(admin, "secrets_forget")
    assert secrets(connection) == ("", "")


def test_the_reads_of_this_month_stand_beside_the_allowance(admin: Client, connection: StripeConnection) -> None:
    month = timezone.now().date().replace(day=1)
    MonthlyReads.objects.create(connection=connection, month=month, reads=4321)
    said = page(admin)
    assert "4,321 reads this month." in said
    assert "at least 10,000 a month" in said


def test_staff_see_the_card_without_its_forms(client: Client, connection: StripeConnection) -> None:
    client.force_login(StaffFactory())
    said = page(client)
    assert "Real-time changes" in said
    assert reverse("stripe:secret_add", args=["live"]) not in said


def test_a_run_that_waits_for_access_says_so(admin: Client) -> None:
    connection = ConnectionFactory(state="reauthorize")
    RunFactory(connection=connection, state="queued", finished_at=None)
    assert "Waiting for Stripe to be connected again" in page(admin)
