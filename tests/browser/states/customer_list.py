"""The customer list: empty, a row of every kind, stale, filtered, searched, paged."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from customers.models import MrrPoint, SavedView
from integrations.models import ConnectionState, Mode, StripeConnection
from tests.browser.states import CSM, LONG_NAME, state
from tests.browser.states.customers import INCOMPLETE, billed
from tests.factories import ActivityFactory, CustomerFactory, MrrPointFactory, UserFactory

LIST = "Customer list"
EVERYBODY = "/customers/?whose=all"


@state(LIST, "empty, for an admin", "Import customers (CSV)")
def empty_for_an_admin() -> str:
    return EVERYBODY


@state(LIST, "empty, for a member", "customers", who=CSM)
def empty_for_a_member() -> str:
    return "/customers/"


def some() -> None:
    """A row of every kind."""
    billed("Acme Corp", "Acme GmbH", billing_flags=["undecided"], mrr=Decimal("31921.97"))
    billed(
        name=LONG_NAME,
        domain="analytics.fernbank-community-care.example.com",
        payment_status="failing",
        owner=UserFactory(first_name="Maximiliana", last_name="Featherstonehaugh-Cholmondeley"),
    )
    billed(name="Naira Ltd", domain="naira.ng", billing_flags=["incomplete"], summary={"incomplete": INCOMPLETE})
    older = {"count": 1, "oldest": "2026-10-01T00:00:00Z", "totals": [{"currency": "usd", "amount": "750"}]}
    billed(name="Older", domain="older.com", billing_flags=["older_invoice_open"], summary={"also_open": older})
    billed(name="Late", domain="late.com", payment_status="past_due", status="at_risk")
    CustomerFactory(name="Twin", domain="late.com")
    CustomerFactory(name="No domain", domain="")


@state(LIST, "a row of every kind", LONG_NAME)
def rows() -> str:
    some()
    return EVERYBODY


@state(LIST, "stale", "Acme Corp", who=CSM)
def stale_list() -> str:
    some()
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED)
    return EVERYBODY


@state(LIST, "staging, test data", "Staging shows test data", who=CSM)
def staging() -> str:
    billed(mode=Mode.TEST, environment="staging")
    return f"{EVERYBODY}&environment=staging"


@state(LIST, "no results of a filter", "fits these filters")
def nothing_found() -> str:
    some()
    return f"{EVERYBODY}&q=nobody"


@state(LIST, "changed in 7 days", "Changed: In 7 days", who=CSM)
def changed() -> str:
    customer = billed()
    ActivityFactory(customer=customer)
    MrrPointFactory(customer=customer, at=timezone.now() - timedelta(days=20))
    MrrPointFactory(customer=customer, mrr=Decimal(960), cause=MrrPoint.Cause.SEATS)
    return f"{EVERYBODY}&changed=7"


def open_what_it_means(browser: Page) -> None:
    """Ask what the figures mean."""
    browser.get_by_text("What these figures mean").press("Enter")


@state(LIST, "at risk, with what the figures mean", "30 days", act=open_what_it_means)
def at_risk() -> str:
    billed(mrr_at_risk=1400, at_risk_reason="failing", at_risk_at=timezone.now(), payment_status="failing")
    return f"{EVERYBODY}&risk=on"


def search(browser: Page) -> None:
    """Type into the search box."""
    browser.get_by_label("Search", exact=True).press_sequentially("zeph")
    expect(browser.get_by_role("link", name="Acme Corp")).to_have_count(0)


@state(LIST, "searched as typed", "Zephyr Maps", act=search, swaps=1)
def searched() -> str:
    billed()
    CustomerFactory(name="Zephyr Maps", billed=True)
    return EVERYBODY


def save_view(browser: Page) -> None:
    """Keep the filter under a name, and be about to keep another."""
    SavedView.objects.create(user=User.objects.get(first_name="Priya"), name="Late payers", query="pay=late")
    browser.reload()
    browser.get_by_text("Save this view").click()


@state(LIST, "saved views and several pages", "Late payers", act=save_view)
def paged() -> str:
    CustomerFactory.create_batch(60, billed=True)
    return f"{EVERYBODY}&plan=Growth"


@state(LIST, "the keys", "Keys", act=lambda browser: browser.keyboard.press("?"))
def keys() -> str:
    billed()
    return EVERYBODY
