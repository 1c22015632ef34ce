"""Every task with JavaScript switched off, in one sitting, with a real worker."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from integrations.models import IssueState, SyncIssue
from sandbox.testing import Running
from tests.browser.conftest import Visit
from tests.browser.people import CUSTOMERS, LIVE, connect, decide, expect_after_reloads, page_of
from tests.factories import AdminFactory, CustomerFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def undo(page: Page) -> None:
    """Take back what the message is about, or the newest decision."""
    page.goto(f"{LIVE}decisions/")
    page.get_by_role("link", name=re.compile("^Undo")).first.click()
    decide(page, "Confirm: undo")
    expect(page.get_by_text("Undone. The headers follow at once.")).to_be_visible()


def connect_and_sync(page: Page) -> None:
    """Connect, choose a scope and take it back, preview, sync, watching by reload."""
    connect(page)
    page.get_by_role("radio", name=re.compile("^Only these")).check()
    page.get_by_role("checkbox", name=re.compile("^Growth")).first.check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("radio", name=re.compile("^All active")).check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Scope and options saved.")
    page.get_by_role("button", name="Preview", exact=True).click()
    expect_after_reloads(page, "would match, ")
    page.get_by_role("button", name="Run initial sync").click()
    expect_after_reloads(page, "Stripe customers with a subscription in scope")


def decide_link_and_create(page: Page) -> None:
    """A winner and its undo, a link from a suggestion, a new customer."""
    page.goto(f"{LIVE}ambiguous/")
    page.get_by_role("link", name=re.compile("This one wins")).first.click()
    decide(page, "Confirm: this one wins")
    undo(page)
    page.goto(f"{LIVE}unmatched/")
    page.get_by_role("link", name="Link Fernbank Analytics to Fernbank").click()
    decide(page, "Confirm: link")
    expect(page.get_by_role("status")).to_contain_text("Linked to Fernbank.")
    page.get_by_label("More for Tollgate Systems").click()
    page.get_by_role("link", name="Create customer").click()
    decide(page, "Confirm: create customer")
    page.goto(page_of("Tollgate Systems"))
    expect(page.locator(".customer-head")).to_contain_text("Paid")


def retry_in_the_log(page: Page) -> None:
    """The record that failed is read again."""
    page.goto(f"{LIVE}log/")
    page.locator("details.log__row", has_text="Subscription").first.locator("summary").first.click()
    page.get_by_role("button", name="Retry this record").first.click()
    expect(page.get_by_role("status")).to_contain_text("Read from Stripe just now.")
    assert not SyncIssue.objects.filter(state=IssueState.OPEN, severity="error").exists()


def work_with_the_list(page: Page) -> None:
    """Search, keep the view, open it again, change a status, resync."""
    page.goto("/customers/?whose=all")
    page.get_by_label("Search", exact=True).fill("kestrel")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("link", name="Fernbank")).to_have_count(0)
    page.get_by_text("Save this view").click()
    page.get_by_label("Name", exact=True).fill("Kestrels")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto("/customers/?whose=all")
    page.get_by_role("link", name="Kestrels", exact=True).click()
    page.get_by_role("link", name="Kestrel Insurance").click()
    page.get_by_label("Status: active, change").click()
    page.get_by_role("button", name="Mark as at risk").click()
    expect(page.get_by_role("status")).to_contain_text("is now at risk")
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Resync from Stripe").click()
    expect(page.get_by_role("status")).to_contain_text("Read from Stripe just now.")


def test_every_task_works_without_script(visit: Visit, stripe: Running, worker: None) -> None:
    for name, domain in CUSTOMERS.items():
        CustomerFactory(name=name, domain=domain)
    # On the second walk: what the preview meets, the sync would settle by itself.
    stripe.fault("broken_object", "/v1/subscriptions", index=3, query={"status": "all", "limit": "100"}, nth=2)
    page = visit(LIVE, AdminFactory(), java_script_enabled=False)
    connect_and_sync(page)
    decide_link_and_create(page)
    retry_in_the_log(page)
    work_with_the_list(page)
