"""The integration page in each of its states."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from integrations.models import ConnectionState, Mode, RunKind, RunState, StripeConnection, WorkerHeartbeat
from integrations.stripe.sync import kept
from tests.factories import AdminFactory, CustomerFactory, StaffFactory
from tests.integrations.stripe.pages.factories import (
    ApiCallFactory,
    ConnectionFactory,
    RunFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)
from tests.queries import MOST_QUERIES

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory())
    return client


def page(client: Client, mode: str = "live") -> str:
    return " ".join(client.get(reverse("stripe:integration", args=[mode])).content.decode().split())


def matched(connection: StripeConnection, mrr: int = 960) -> None:
    stripe = StripeCustomerFactory(connection=connection, customer=CustomerFactory(billed=True))
    StripeSubscriptionFactory(connection=connection, customer_id=stripe.stripe_id, mrr=Decimal(mrr))


def test_before_connecting_it_says_what_is_read_and_what_never_happens(admin: Client) -> None:
    CustomerFactory(domain="acme.com")
    CustomerFactory(domain="")
    said = page(admin)
    assert "4 needed, 4 improve figures" in said
    assert "No writing calls" in said
    assert "1 of 2 customers have a domain to match." in said


def test_before_connecting_without_customers_it_says_so(admin: Client) -> None:
    assert "There are no customers to match yet" in page(admin)


def test_test_mode_speaks_of_staging_customers(admin: Client) -> None:
    assert "test data on staging customers" in page(admin, "test")


def test_the_restricted_key_link_has_name_and_permissions_filled_in(admin: Client) -> None:
    assert "apikeys/create?name=Pivotal&amp;permissions[]=rak_customer_read" in page(admin)


def test_just_connected_it_shows_the_three_steps(admin: Client) -> None:
    ConnectionFactory(fresh=True)
    said = page(admin)
    assert said.index("Scope") < said.index("Preview") < said.index("Run initial sync")
    assert "Last full sync: none yet" in said


def test_after_a_preview_it_says_how_many_would_match(admin: Client) -> None:
    connection = ConnectionFactory(fresh=True)
    RunFactory(connection=connection, kind=RunKind.PREVIEW)
    matched(connection)
    StripeCustomerFactory(connection=connection)
    assert "1 would match, 1 unmatched, 0 skipped, 0 ambiguous." in page(admin)


def test_when_fewer_than_half_would_match_it_offers_to_bring_customers_in(admin: Client) -> None:
    connection = ConnectionFactory(fresh=True)
    RunFactory(connection=connection, kind=RunKind.PREVIEW)
    matched(connection)
    StripeCustomerFactory(connection=connection, name="Alpenglow Cycles", email="a@alpenglow.com")
    StripeCustomerFactory(connection=connection, name="", email="b@bluefin.com")
    said = page(admin)
    assert "1 of 3 would match, fewer than half." in said
    assert "Alpenglow Cycles" in said
    assert "bluefin.com" in said
    assert "Create customers from Stripe" in said
    assert reverse("admin:customers_customer_import") in said


def test_creating_customers_from_stripe_turns_billing_signal_only_off(admin: Client) -> None:
    connection = ConnectionFactory(fresh=True, match_personal_emails=True)
    admin.post(reverse("stripe:options", args=["live"]), {"match_personal_emails": "on"})
    connection.refresh_from_db()
    assert (connection.billing_signal_only, connection.match_personal_emails) == (False, True)


def test_once_synced_the_counts_come_first(admin: Client) -> None:
    connection = ConnectionFactory()
    matched(connection)
    StripeCustomerFactory(connection=connection, match_state="skipped", match_reason="personal_email")
    said = page(admin)
    assert "2 Stripe customers with a subscription in scope" in said
    assert "on 1 customer<br>" in said.replace("<br />", "<br>").replace(" <br>", "<br>")
    assert "$960 MRR" in said
    assert "personal 1" in said
    assert said.index("Match counts") < said.index("Scope and options")


@pytest.mark.parametrize(
    ("mode", "environment", "query"),
    [("live", "production", ""), ("test", "staging", "environment=staging&amp;")],
)
def test_what_is_at_risk_is_said_for_the_environment_of_the_mode(
    admin: Client, mode: str, environment: str, query: str
) -> None:
    amounts = {"production": 1400, "staging": 7}
    for each, amount in amounts.items():
        ConnectionFactory(mode={"production": "live", "staging": "test"}[each])
        CustomerFactory(billed=True, environment=each, mrr=amount, mrr_at_risk=amount, at_risk_reason="failing")
    said = re.sub("<[^>]*>", lambda tag: tag[0] if "href" in tag[0] else "", page(admin, mode))
    assert f'<a href="/customers/?{query}risk=on&amp;whose=all"' in said
    assert f"${amounts[environment]:,} on 1 customer" in said


@pytest.mark.parametrize("name", ["matched", "unmatched", "skipped", "ambiguous"])
def test_each_count_opens_its_list(admin: Client, name: str) -> None:
    matched(ConnectionFactory())
    assert f'href="{reverse(f"stripe:{name}", args=["live"])}"' in page(admin)


def test_an_empty_account_is_said_in_words(admin: Client) -> None:
    ConnectionFactory()
    assert "No Stripe customer has a live subscription in scope." in page(admin)


def test_staff_see_the_page_without_a_button_they_may_not_press(client: Client) -> None:
    client.force_login(StaffFactory())
    matched(ConnectionFactory())
    said = page(client)
    assert "Run sync now" not in said
    assert reverse("stripe:disconnect", args=["live"]) not in said
    assert 'value="all" checked disabled' in said.replace(' checked=""', " checked")


def test_access_revoked_in_stripe_asks_to_connect_again(admin: Client) -> None:
    ConnectionFactory(state=ConnectionState.REAUTHORIZE)
    said = page(admin)
    assert 'data-status="reauthorize"' in said
    assert "nothing that was read is lost" in said


def test_after_disconnecting_the_figures_stay_and_the_other_choices_are_offered(admin: Client) -> None:
    connection = ConnectionFactory(state=ConnectionState.DISCONNECTED, disconnected_at=timezone.now())
    matched(connection)
    said = page(admin)
    assert "every figure stays, marked stale" in said
    assert "Clear billing data or delete the mirrored data" in said
    assert "Run sync now" not in said


def test_no_look_in_business_hours_turns_the_banner_amber(admin: Client, settings: Any) -> None:
    settings.BUSINESS_HOURS = "Mon-Sun 0-24"
    ConnectionFactory(last_full_sync_at=timezone.now() - HOUR)
    said = page(admin)
    assert 'data-status="late"' in said
    assert "a sync brings them up to date" in said


def test_no_full_sync_for_a_day_turns_the_banner_red(admin: Client) -> None:
    ConnectionFactory(last_full_sync_at=timezone.now() - 25 * HOUR, last_look_at=timezone.now())
    said = page(admin)
    assert 'data-status="failed"' in said
    assert "The last full sync is more than a day old" in said


def test_a_quiet_account_is_not_late_while_somebody_looks(admin: Client, settings: Any) -> None:
    settings.BUSINESS_HOURS = "Mon-Sun 0-24"
    now = timezone.now()
    ConnectionFactory(last_incremental_update_at=now - 3 * HOUR, last_look_at=now, last_full_sync_at=now - 2 * HOUR)
    said = page(admin)
    assert 'data-status="connected"' in said
    assert "nothing changed since; last looked" in said


def test_a_failed_run_says_what_happened_and_what_to_do(admin: Client) -> None:
    RunFactory(connection=ConnectionFactory(), state=RunState.FAILED, error_code="stripe_unavailable")
    said = page(admin)
    assert "Stripe could not be reached." in said
    assert "run the sync again" in said


def test_a_partial_run_leads_to_the_records_it_could_not_read(admin: Client) -> None:
    run = RunFactory(connection=ConnectionFactory(), state=RunState.PARTIAL, failed=2)
    said = page(admin)
    assert "2 Stripe customers could not be read completely" in said
    assert reverse("stripe:run_detail", args=["live", run.pk]) in said


def test_a_cancelled_run_says_that_what_was_read_stays(admin: Client) -> None:
    RunFactory(connection=ConnectionFactory(), state=RunState.CANCELLED)
    assert "What it had read stays" in page(admin)


def test_missing_permissions_say_what_is_lost(admin: Client) -> None:
    ConnectionFactory(permissions=["customer_read", "subscription_read", "invoice_read", "payment_intent_read"])
    said = page(admin)
    assert "4 of 8 granted." in said
    assert "Without Coupons" in said


def test_the_proof_counts_the_calls_and_leaves_the_token_exchange_out(admin: Client) -> None:
    connection = ConnectionFactory()
    ApiCallFactory.create_batch(3, connection=connection)
    ApiCallFactory(connection=connection, method="POST", path="/v1/oauth/token")
    assert "the last 4 calls to your Stripe data were all GET" in page(admin)


def test_a_writing_call_would_be_shown_and_not_hidden(admin: Client) -> None:
    ApiCallFactory(connection=ConnectionFactory(), method="POST", path="/v1/customers")
    assert "Please tell support." in page(admin)


def test_an_account_name_from_stripe_is_text_and_nothing_else(admin: Client) -> None:
    ConnectionFactory(account_name="<script>alert(1)</script>")
    assert "<script>alert(1)" not in page(admin)


def test_the_worker_that_stopped_reporting_is_named(admin: Client) -> None:
    RunFactory(connection=ConnectionFactory(), state=RunState.RUNNING, finished_at=None)
    WorkerHeartbeat.objects.create(name="worker", at=timezone.now() - timedelta(minutes=10))
    assert "The worker has not reported since" in page(admin)


def test_being_slowed_down_is_said(admin: Client) -> None:
    RunFactory(connection=ConnectionFactory(), state=RunState.RUNNING, finished_at=None, throttled_at=timezone.now())
    assert "Stripe is slowing us down." in page(admin)


def test_live_and_test_show_their_own_figures(admin: Client) -> None:
    matched(ConnectionFactory(), mrr=960)
    ConnectionFactory(mode=Mode.TEST, account_id="acct_1Other")
    assert "0 Stripe customers with a subscription in scope" in page(admin, "test")


def queries_of(client: Client) -> int:
    with CaptureQueriesContext(
        database,
    ) as captured:
        client.get(reverse("stripe:integration", args=["live"]))
    return len(captured)


def test_the_page_asks_the_database_a_constant_number_of_times(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "WORTH_KEEPING_SECONDS", 3600.0)  # keeping is one statement more on a slow machine
    connection = ConnectionFactory()
    RunFactory(connection=connection)
    matched(connection)
    few = queries_of(admin)
    for number in range(8):
        matched(connection)
        RunFactory(connection=connection)
        StripeCustomerFactory(connection=connection)
        StripeSubscriptionFactory(connection=connection, product_ids=[f"prod_{number}"], lookup_keys=[f"key_{number}"])
    assert queries_of(admin) == few
    assert few <= MOST_QUERIES


def test_the_sidebar_leads_to_every_list_with_its_count(admin: Client) -> None:
    connection = ConnectionFactory()
    matched(connection)
    StripeCustomerFactory.create_batch(3, connection=connection)
    assert re.search(r'Unmatched\s*<span class="sidebar__count">3</span>', page(admin))


def test_times_are_told_in_the_zone_of_the_workspace(admin: Client, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    ConnectionFactory(last_full_sync_at=datetime(2026, 1, 20, 2, 10, 52, tzinfo=UTC))
    with timezone.override("Europe/Berlin"):
        assert "20 Jan 2026, 03:10:52 CET" in page(admin)
