"""From an empty database to the first header: what the pages say to do is enough to get there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from customers.models import Customer
from integrations.models import RunKind, RunState, SyncRun
from sandbox.testing import Running
from tests.browser.conftest import Visit
from tests.browser.people import LIVE, connect, log_in
from tests.factories import AdminFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CUSTOMERS = """name,domain,owner,status
Saltmarsh Foods,saltmarshfoods.com,,active
Cobalt Robotics,cobaltrobotics.ai,,active
Kestrel Insurance,kestrel.insure,,active
"""


def import_customers(page: Page, file: Path) -> None:
    """Follow the import from the link to its end."""
    page.get_by_label("File to import").set_input_files(file)
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Confirm import").click()
    expect(page.get_by_text("Import finished")).to_be_visible()


def test_from_an_empty_database_to_the_first_header(
    visit: Visit, stripe: Running, worker: None, tmp_path: Path
) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(CUSTOMERS)
    page = visit("/")
    log_in(page, AdminFactory())

    expect(page.get_by_text("No customers here yet")).to_be_visible()
    page.get_by_role("link", name="Admin", exact=True).click()
    page.get_by_role("link", name="Stripe", exact=True).first.click()
    expect(page.get_by_text("There are no customers to match yet.")).to_be_visible()
    page.get_by_role("link", name="Import customers (CSV)").click()
    import_customers(page, file)

    page.goto(LIVE)
    expect(page.get_by_text("3 of 3 customers have a domain to match.")).to_be_visible()
    connect(page)
    told = page.get_by_role("status")
    expect(told).to_contain_text("You connected Fieldnote Inc (acct_1SandboxFieldnote), live. Not this one? Disconnect")

    page.get_by_role("radio", name=re.compile("^Only these")).check()
    page.get_by_role("checkbox", name=re.compile("^Growth")).first.check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Scope and options saved.")

    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.get_by_role("list", name="Setting up")).to_contain_text(re.compile(r"\d+ would match"))
    assert set(Customer.objects.values_list("mrr", flat=True)) == {0}

    page.get_by_role("button", name="Run initial sync").click()
    expect(page.locator("#counts-title")).to_contain_text("Stripe customers with a subscription in scope")
    assert SyncRun.objects.get(kind=RunKind.INITIAL).state == RunState.SUCCEEDED
    page.get_by_role("link", name=re.compile("^Matched")).click()
    page.get_by_role("link", name="Saltmarsh Foods").first.click()
    head = page.locator(".customer-head")
    expect(head).to_contain_text("Payment failing")
    expect(head).to_contain_text("Growth")
    expect(head).to_contain_text("MRR: $")
