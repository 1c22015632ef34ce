"""Admin > Integrations > Stripe, from nothing to synced and back to disconnected."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from integrations.models import (
    ConnectionState,
    ExchangeRate,
    MonthlyReads,
    Notice,
    NoticeKind,
    RunKind,
    StripeConnection,
    StripeProduct,
    WorkerHeartbeat,
)
from tests.browser.states import ADMIN, CSM, LIVE, LONG_NAME, STAFF, state
from tests.factories import CustomerFactory
from tests.integrations.stripe.pages.factories import (
    ConnectionFactory,
    RunFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)

PAGE = "Integration"
STRIPE_APP = {"STRIPE_CLIENT_ID_LIVE": "ca_made_up", "STRIPE_SECRET_KEY_LIVE": "sk_live_made_up"}


def synced(**fields: Any) -> StripeConnection:
    """Connected and synced: matched, unmatched, skipped and ambiguous ones, products to choose from."""
    connection = ConnectionFactory(**fields)
    customer = CustomerFactory(name=LONG_NAME, billed=True, mrr=1200)
    for name, mrr in (("Brightwater Holdings", 750), ("Brightwater Labs", 450)):
        row = StripeCustomerFactory(connection=connection, customer=customer, name=name, ambiguous_kind="shared_domain")
        StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id, mrr=Decimal(mrr))
    for match in ({}, {"match_state": "skipped", "match_reason": "personal_email"}):
        row = StripeCustomerFactory(connection=connection, name=LONG_NAME, **match)
        StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id, mrr=Decimal("94200.5"))
    for number, name in enumerate(("Growth", LONG_NAME, *(f"Product {n}" for n in range(6)))):
        StripeProduct.objects.create(
            connection=connection, stripe_id=f"prod_{number}", name=name, data={}, observed_at=timezone.now()
        )
    return connection


# --- before, during and after connecting -----------------------------------------------------------------------


@state(PAGE, "not connected, with a Stripe App", "Connect Stripe", settings=STRIPE_APP)
def not_connected() -> str:
    CustomerFactory()
    return LIVE


@state(PAGE, "no client id", "This server has no Stripe App for live mode yet")
def no_client_id() -> str:
    CustomerFactory()
    return LIVE


@state(PAGE, "not connected, nobody to match", "There are no customers to match yet")
def nobody() -> str:
    return LIVE


@state(PAGE, "test mode, not connected", "Connect it to see test data on staging customers", settings=STRIPE_APP)
def test_mode() -> str:
    synced()
    return reverse("stripe:integration", args=["test"])


def send_a_wrong_key(browser: Page) -> None:
    """A key that is none."""
    browser.get_by_label("Restricted key", exact=True).fill("sk_live_everything")
    browser.get_by_role("button", name="Use this key").click()


@state(PAGE, "a refused key", "rk_", act=send_a_wrong_key)
def refused_key() -> str:
    CustomerFactory()
    return LIVE


@state(PAGE, "step 2, scope before the first run", "Run initial sync")
def step_two() -> str:
    ConnectionFactory(fresh=True)
    CustomerFactory()
    return LIVE


@state(PAGE, "step 2, nobody to match", "There are no customers to match yet.")
def step_two_nobody() -> str:
    ConnectionFactory(fresh=True)
    return LIVE


@state(PAGE, "step 3, after a preview", "Ready for the first sync")
def step_three() -> str:
    connection = ConnectionFactory(fresh=True)
    RunFactory(connection=connection, kind=RunKind.PREVIEW)
    row = StripeCustomerFactory(connection=connection, customer=CustomerFactory())
    StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id)
    return LIVE


@state(PAGE, "step 3, a preview that matches under half", "fewer than half")
def under_half() -> str:
    connection = ConnectionFactory(fresh=True)
    RunFactory(connection=connection, kind=RunKind.PREVIEW)
    CustomerFactory()
    for number, name in enumerate((LONG_NAME, "Bluefin", "")):
        row = StripeCustomerFactory(connection=connection, name=name, email=f"ap@company{number}.com")
        StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id)
    return LIVE


@state(PAGE, "step 3, creating customers is on", "the next sync creates them")
def creating() -> str:
    under_half()
    StripeConnection.objects.update(billing_signal_only=False)
    return LIVE


@state(PAGE, "connected and synced", "with a subscription in scope")
def connected() -> str:
    connection = synced()
    for kind in (RunKind.INITIAL, RunKind.NIGHTLY, RunKind.FULL):
        RunFactory(connection=connection, kind=kind, subscriptions=1253, matched=1204, stripe_customers=1253)
    MonthlyReads.objects.create(connection=connection, month=timezone.localdate().replace(day=1), reads=42_000)
    return LIVE


@state(PAGE, "connected and synced, as staff", "with a subscription in scope", who=STAFF)
def connected_for_staff() -> str:
    return connected()


@state(PAGE, "connected, an empty account", "subscription")
def empty_account() -> str:
    ConnectionFactory()
    return LIVE


@state(PAGE, "permissions missing", "4 of")
def permissions_missing() -> str:
    synced(permissions=["customer_read", "subscription_read", "invoice_read", "payment_intent_read"])
    return LIVE


@state(PAGE, "reauthorize, with its notice", "Stripe no longer accepts our access", settings=STRIPE_APP)
def reauthorize() -> str:
    connection = synced(state=ConnectionState.REAUTHORIZE, state_reason="The key was revoked.")
    Notice.objects.create(connection=connection, kind=NoticeKind.REAUTHORIZE, about="x", detail="Key revoked")
    return LIVE


@state(PAGE, "disconnected", "every figure stays, marked stale", settings=STRIPE_APP)
def disconnected() -> str:
    synced(state=ConnectionState.DISCONNECTED, disconnected_at=timezone.now())
    return LIVE


@state(PAGE, "no look for long", "last looked at Stripe", settings={"BUSINESS_HOURS": "Mon-Sun 0-24"})
def no_look() -> str:
    long_ago = timezone.now() - timedelta(hours=2)
    synced(last_full_sync_at=long_ago, last_look_at=long_ago)
    return LIVE


@state(PAGE, "no full sync for a day", "more than a day old")
def no_full_sync() -> str:
    synced(last_full_sync_at=timezone.now() - timedelta(hours=25), last_look_at=timezone.now())
    return LIVE


@state(PAGE, "the worker went silent", "The worker has not reported since")
def silent_worker() -> str:
    synced()
    WorkerHeartbeat.objects.create(name="worker", at=timezone.now() - timedelta(minutes=10))
    return LIVE


def old_rates(connection: StripeConnection) -> None:
    """The newest rates are of forty days ago."""
    day = timezone.localdate() - timedelta(days=40)
    ExchangeRate.objects.create(date=day, currency="usd", source="ecb", units_per_euro=Decimal("1.2"))
    row = StripeCustomerFactory(connection=connection)
    StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id, currency="eur")


@state(PAGE, "the exchange rates are old", "The newest exchange rates are of")
def with_old_rates() -> str:
    old_rates(synced())
    return LIVE


@state(PAGE, "a member may not open it", "You may not open this page", who=CSM, status=403)
def forbidden() -> str:
    return LIVE


# --- its other pages -------------------------------------------------------------------------------------------


def press(name: str) -> Any:
    """Press a button of the page."""
    return lambda browser: browser.get_by_role("button", name=name, exact=True).first.click()


def narrow(browser: Page) -> None:
    """Only one product, and what that does."""
    browser.get_by_role("checkbox").filter(visible=True).first.check()
    browser.get_by_role("button", name="Preview", exact=True).click()


@state("Scope preview", "fewer headers", "What Save will change", act=narrow)
def scope_preview() -> str:
    synced()
    return LIVE


@state("Disconnect", "a restricted key", "Clear billing data")
def disconnect() -> str:
    synced()
    return reverse("stripe:disconnect", args=["live"])


@state("Clear billing data", "asks", "Clear")
def clear_billing() -> str:
    synced(state=ConnectionState.DISCONNECTED)
    return reverse("stripe:clear_billing", args=["live"])


@state("Delete mirrored data", "asks", "Delete")
def delete_mirror() -> str:
    synced(state=ConnectionState.DISCONNECTED)
    return reverse("stripe:delete_mirror", args=["live"])


@state("What we store", "the tables", "store")
def what_we_store() -> str:
    return reverse("stripe:what_we_store")


@state("How MRR adds up", "rates out of date", "MRR")
def mrr() -> str:
    connection = synced()
    old_rates(connection)
    row = StripeCustomerFactory(connection=connection)
    StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id, currency="ngn", mrr=Decimal(0))
    return reverse("stripe:mrr", args=["live"]) + "?stripe=1000"


@state("How MRR adds up", "an empty account", "$0 MRR in this Stripe account")
def no_mrr() -> str:
    ConnectionFactory()
    return reverse("stripe:mrr", args=["live"])


@state("How MRR adds up", "a list behind a line", "Subscriptions", who=ADMIN)
def mrr_list() -> str:
    synced()
    return reverse("stripe:mrr_subscriptions", args=["live"]) + "?of=status-active"
