"""Admin > Integrations > Stripe in a browser: the consent screen and back, the bar, the scope form."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from customers.models import Customer
from integrations.models import RunState, StripeConnection, StripeProduct, SyncRun
from integrations.stripe.sync import runs
from sandbox.testing import Running
from tests.browser.conftest import Visit
from tests.factories import AdminFactory, CustomerFactory, UserFactory
from tests.integrations.stripe.pages.factories import (
    BillingSummaryFactory,
    ConnectionFactory,
    IssueFactory,
    RunFactory,
    StripeCustomerFactory,
    StripeInvoiceFactory,
    StripeSubscriptionFactory,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LIVE = "/admin/integrations/stripe/live/"


def world() -> StripeConnection:
    """A connection with a matched, an undecided, an unmatched and a broken Stripe customer."""
    connection = ConnectionFactory()
    customer = CustomerFactory(name="Brightwater", domain="brightwater.io", billed=True, billing_flags=["undecided"])
    for name, mrr in (("Brightwater Holdings", 750), ("Brightwater Labs", 450)):
        row = StripeCustomerFactory(connection=connection, customer=customer, name=name, ambiguous_kind="shared_domain")
        StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id, mrr=Decimal(mrr))
        StripeInvoiceFactory(connection=connection, customer_id=row.stripe_id)
    Customer.objects.filter(pk=customer.pk).update(stripe_customer_id=row.stripe_id, mrr=1200)
    BillingSummaryFactory(connection=connection, customer=customer, live_subscriptions=2)
    unmatched = StripeCustomerFactory(connection=connection, name="Fernbank Analytics")
    StripeSubscriptionFactory(connection=connection, customer_id=unmatched.stripe_id, mrr=Decimal(480))
    for number in range(8):
        StripeProduct.objects.create(
            connection=connection,
            stripe_id=f"prod_{number}",
            name=f"Product {number}",
            data={},
            observed_at=unmatched.observed_at,
        )
    IssueFactory(connection=connection, run=RunFactory(connection=connection, state=RunState.PARTIAL, failed=1))
    return connection


def test_connecting_and_the_initial_sync_end_with_the_counts(visit: Visit, stripe: Running) -> None:
    CustomerFactory(domain="acme.com")
    page = visit(LIVE, AdminFactory())
    page.get_by_role("button", name="Connect Stripe").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("asks for read access")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("You connected Fieldnote Inc")
    page.get_by_role("button", name="Run initial sync").click()
    expect(page.locator("#run")).to_be_visible()
    run = SyncRun.objects.get()
    while runs.continue_run(run.pk, queue=False):
        pass
    expect(page.locator("#counts-title")).to_contain_text("Stripe customers with a subscription in scope")
    expect(page.locator("#run")).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("^Matched"))).to_be_visible()


def test_the_bar_moves_by_itself_and_goes_when_the_run_has_ended(visit: Visit) -> None:
    run = RunFactory(connection=ConnectionFactory(), state=RunState.RUNNING, finished_at=None, read=10, expected=100)
    page = visit(LIVE, AdminFactory())
    expect(page.locator("#run")).to_contain_text("10 of ~100 subscriptions")
    SyncRun.objects.filter(pk=run.pk).update(read=60)
    expect(page.locator("#run")).to_contain_text("60 of ~100 subscriptions")
    SyncRun.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED, finished_at=run.started_at)
    expect(page.locator("#run")).to_have_count(0)
    expect(page.get_by_role("button", name="Run sync now")).to_be_visible()


def test_the_cancel_button_keeps_the_focus_while_the_bar_moves(visit: Visit) -> None:
    run = RunFactory(connection=ConnectionFactory(), state=RunState.RUNNING, finished_at=None, read=10, expected=100)
    page = visit(LIVE, AdminFactory())
    page.get_by_role("button", name="Cancel").focus()
    SyncRun.objects.filter(pk=run.pk).update(read=60)
    expect(page.locator("#run")).to_contain_text("60 of ~100 subscriptions")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()


def test_without_script_a_run_can_be_started_watched_and_cancelled(visit: Visit) -> None:
    ConnectionFactory()
    page = visit(LIVE, AdminFactory(), java_script_enabled=False)
    page.get_by_role("button", name="Run sync now").click()
    page.get_by_role("link", name="Show how far it is now").click()
    expect(page.locator("#run")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    assert not SyncRun.objects.filter(state=RunState.RUNNING).exists()


def test_a_search_narrows_the_products_and_a_tick_chooses_only_these(visit: Visit) -> None:
    world()
    page = visit(LIVE, AdminFactory())
    rows = page.locator("#scope-products .choice")
    page.get_by_label(re.compile("Search .* products")).fill("product 3")
    expect(rows.filter(visible=True)).to_have_count(1)
    rows.filter(visible=True).get_by_role("checkbox").check()
    expect(page.get_by_role("radio", name=re.compile("^Only these"))).to_be_checked()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What Save will change")


def test_without_script_the_scope_form_works_and_shows_no_search(visit: Visit) -> None:
    world()
    page = visit(LIVE, AdminFactory(), java_script_enabled=False)
    expect(page.get_by_label(re.compile("Search .* products"))).to_be_hidden()
    page.get_by_role("radio", name=re.compile("^Only these")).check()
    page.get_by_role("checkbox", name=re.compile("Product 3")).check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("New scope:")).to_contain_text("Product 3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Scope and options saved.")


def test_the_receipt_prints_without_the_page_around_it(visit: Visit) -> None:
    world()
    customer = Customer.objects.get(name="Brightwater")
    page = visit(reverse("stripe:receipt", args=[customer.pk]), UserFactory())
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.locator(".topbar")).to_be_hidden()
    expect(page.locator(".receipt__amount")).to_be_visible()
