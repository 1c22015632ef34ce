"""Choosing the scope: a page says what Save will change before it does."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import ConnectionState, ScopeFilter, StripeConnection, StripeProduct
from tests.factories import AdminFactory, CustomerFactory
from tests.integrations.stripe.pages.factories import (
    ConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory())
    return client


@pytest.fixture
def connection() -> StripeConnection:
    """Two customers, one on Growth and one on Legacy."""
    made = ConnectionFactory()
    for product, key, mrr in (("prod_growth", "growth_monthly", 960), ("prod_legacy", "", 28)):
        customer = CustomerFactory(billed=True)
        stripe = StripeCustomerFactory(connection=made, customer=customer, email=f"ap@{customer.domain}")
        StripeSubscriptionFactory(
            connection=made,
            customer_id=stripe.stripe_id,
            product_ids=[product],
            lookup_keys=[key] if key else [],
            mrr=Decimal(mrr),
        )
        StripeProduct.objects.create(
            connection=made, stripe_id=product, name=product[5:].title(), data={}, observed_at=stripe.observed_at
        )
    return made


def preview(client: Client, **data: object) -> str:
    form = {"billing_signal_only": "on", **data}
    return " ".join(client.post(reverse("stripe:scope_preview", args=["live"]), form).content.decode().split())


def save(client: Client, **data: object) -> str:
    form = {"billing_signal_only": "on", **data}
    return client.post(reverse("stripe:scope", args=["live"]), form, follow=True).content.decode()


def test_the_form_lists_what_the_account_has_with_figures(admin: Client, connection: StripeConnection) -> None:
    page = " ".join(admin.get(reverse("stripe:integration", args=["live"])).content.decode().split())
    assert "Legacy" in page
    assert "$28" in page
    assert "shown as Growth" in page


def test_a_preview_shows_both_sides_and_writes_nothing(admin: Client, connection: StripeConnection) -> None:
    page = preview(admin, scope="some", product=["prod_growth"])
    assert "What Save will change" in page
    assert "1 header goes blank" in page
    assert "New scope: <strong>Growth</strong>" in page
    assert not ScopeFilter.objects.exists()


def test_the_confirmation_sends_the_same_choice_again(admin: Client, connection: StripeConnection) -> None:
    page = preview(admin, scope="some", product=["prod_growth"], match_personal_emails="on")
    assert 'name="product" value="prod_growth"' in page
    assert 'name="match_personal_emails" value="on"' in page
    assert 'name="billing_signal_only" value="on"' in page


def test_saving_stores_the_scope_and_the_options(admin: Client, connection: StripeConnection) -> None:
    said = save(admin, scope="some", product=["prod_growth"], lookup_key=["growth_monthly"], match_personal_emails="on")
    assert "Scope and options saved." in said
    assert set(ScopeFilter.objects.values_list("kind", "value")) == {
        ("product", "prod_growth"),
        ("lookup_key", "growth_monthly"),
    }
    connection.refresh_from_db()
    assert connection.match_personal_emails


def test_all_active_subscriptions_drops_what_was_chosen(admin: Client, connection: StripeConnection) -> None:
    ScopeFilter.objects.create(connection=connection, kind="product", value="prod_growth")
    save(admin, scope="all", product=["prod_growth"])
    assert not ScopeFilter.objects.exists()


def test_only_these_without_any_is_refused(admin: Client, connection: StripeConnection) -> None:
    assert "Choose at least one product or lookup key" in preview(admin, scope="some")


def test_a_product_the_account_does_not_have_is_refused(admin: Client, connection: StripeConnection) -> None:
    assert "not one of the available choices" in preview(admin, scope="some", product=["prod_made_up"])
    assert not ScopeFilter.objects.exists()


def test_turning_billing_signal_only_off_says_what_follows(admin: Client, connection: StripeConnection) -> None:
    for number in range(12):
        row = StripeCustomerFactory(
            connection=connection,
            name=f"Company {number:02}",
            email=f"a@company{number}.example",
            match_state="unmatched",
            match_reason="no_customer",
        )
        StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id)
    page = " ".join(preview(admin, scope="all", billing_signal_only="").split())
    assert "the next complete sync creates <strong>12 customers</strong>" in page
    assert "<bdi>Company 09</bdi> · 2 more" in page
    assert "Company 10" not in page


def test_with_billing_signal_only_on_nobody_is_announced(admin: Client, connection: StripeConnection) -> None:
    assert "complete sync creates" not in preview(admin, scope="all", billing_signal_only="on")


def test_before_the_first_sync_a_save_needs_no_confirmation(admin: Client, connection: StripeConnection) -> None:
    StripeConnection.objects.update(last_full_sync_at=None, last_look_at=None)
    page = admin.get(reverse("stripe:integration", args=["live"])).content.decode()
    assert f'action="{reverse("stripe:scope", args=["live"])}"' in page


def test_disconnected_there_is_nothing_to_choose(admin: Client, connection: StripeConnection) -> None:
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED)
    assert "reauthorize" in save(admin, scope="some", product=["prod_growth"])
    assert not ScopeFilter.objects.exists()


def test_a_product_name_from_stripe_is_text_and_nothing_else(admin: Client, connection: StripeConnection) -> None:
    StripeProduct.objects.filter(stripe_id="prod_legacy").update(name="<img src=x onerror=alert(1)>")
    for page in (
        admin.get(reverse("stripe:integration", args=["live"])).content.decode(),
        preview(admin, scope="some", product=["prod_legacy"]),
    ):
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page
