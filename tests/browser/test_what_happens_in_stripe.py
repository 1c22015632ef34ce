"""Something happens in Stripe, and the people it concerns see it and act: live, with a real worker."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from integrations.models import IssueState, RunState, StripeCustomer, StripeSubscription, SyncIssue, SyncRun
from sandbox.testing import Running
from tests.browser.conftest import Visit
from tests.browser.people import LIVE, connect, expect_after_reloads, page_of, synced
from tests.factories import AdminFactory, StaffFactory, UserFactory
from tests.waiting import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOG = f"{LIVE}log/"


def decline(stripe: Running, name: str) -> None:
    """The next invoice of this Stripe customer is declined twice."""
    stripe_id = StripeCustomer.objects.get(name=name).stripe_id
    subscription = StripeSubscription.objects.get(customer_id=stripe_id).stripe_id
    invoice = {
        "customer": stripe_id, "subscription": subscription, "status": "open", "total": 12300, "attempt_count": 2,
        "payment_intent_status": "requires_payment_method",
    }  # fmt: skip
    stripe.put("invoices", "in_declined", invoice, event="invoice.payment_failed")


def test_a_csm_sees_a_failing_payment_and_resync_says_what_it_did(visit: Visit, stripe: Running, worker: None) -> None:
    synced(stripe)
    page = visit(page_of("Kestrel Insurance"), UserFactory())
    head = page.locator(".customer-head")
    expect(head).to_contain_text("Paid")

    decline(stripe, "Kestrel Insurance")
    expect_after_reloads(page, "Payment failing")
    expect(head).to_contain_text("2 attempts declined")
    expect(head).to_contain_text("$123 open")

    stripe.patch("invoices", "in_declined", {"status": "paid", "amount_remaining": 0}, event="none")
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Resync from Stripe").click()
    expect(page.get_by_role("status")).to_contain_text("Read from Stripe just now. Changed: payment status")
    expect(head).to_contain_text("Paid")
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Resync from Stripe").click()
    expect(page.get_by_role("status")).to_contain_text("Nothing changed.")


def test_access_that_was_lost_is_given_again_and_the_parked_run_goes_on(
    visit: Visit, stripe: Running, worker: None
) -> None:
    synced(stripe)
    page = visit(LIVE, AdminFactory())
    stripe.fault("revoked", "/v1/*", times=0)
    page.get_by_role("button", name="Run sync now").click()
    banner = page.get_by_role("region", name="Connection")
    expect(banner).to_contain_text("Reauthorize")
    expect(page.locator("#run")).to_contain_text("Waiting for Stripe to be connected again")
    expect(banner.get_by_role("link", name="reauthorize")).to_have_attribute("href", re.compile("#reauthorize$"))

    stripe.clear_faults()
    banner.get_by_role("link", name="Connect again").click()
    connect(page)
    expect(page.locator(".flashes")).to_contain_text("You connected Fieldnote Inc")
    expect(banner).to_contain_text("Connected")
    expect(page.get_by_role("button", name="Run sync now")).to_be_visible()
    wait_for(lambda: SyncRun.objects.latest("pk").state == RunState.SUCCEEDED)
    assert SyncRun.objects.count() == 2


def code_leads_to_its_section(page: Page, code: str) -> None:
    """The code of an error opens its section of Troubleshooting; then go back."""
    page.get_by_role("link", name=code, exact=True).first.click()
    expect(page.locator(f"#{code}")).to_be_in_viewport()
    page.go_back()


def test_a_record_that_failed_is_found_in_the_log_and_read_again(visit: Visit, stripe: Running, worker: None) -> None:
    stripe.fault("broken_object", "/v1/subscriptions", index=3, query={"status": "all", "limit": "100"})
    stripe.fault("broken_object", "/v1/invoices", index=0, query={"status": "open"})
    synced(stripe, ends=RunState.PARTIAL)
    open_ones = SyncIssue.objects.filter(state=IssueState.OPEN, severity="error")
    assert open_ones.count() == 2
    page = visit(LIVE, StaffFactory())
    expect(page.get_by_text("finished in part")).to_be_visible()
    page.get_by_role("link", name="View log").first.click()
    page.get_by_role("checkbox", name="Errors only").check()
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("Partial", exact=True).first).to_be_visible()

    attention = page.get_by_role("region", name="Needs attention")
    record = attention.locator("details.log__row", has_text="Subscription").first
    record.locator("summary").first.click()
    expect(record).to_contain_text("Stripe sent something we could not read.")
    code_leads_to_its_section(page, "invalid_response")
    record.locator("summary").first.click()
    record.get_by_role("button", name="Retry this record").click()
    expect(page.get_by_role("status")).to_contain_text("Read from Stripe just now.")
    assert open_ones.count() == 1

    page.get_by_role("button", name="Retry the one that can be").click()
    expect(page.get_by_role("status")).to_contain_text("1 Stripe customer is read again in the background")
    wait_for(lambda: not open_ones.exists())
    page.reload()
    expect(attention.get_by_text("Stripe sent something we could not read.")).to_have_count(0)
