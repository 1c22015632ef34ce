"""Customers come in from a file whose mistakes are named by line, and go out exactly as filtered."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import expect

from customers.models import Customer
from tests.browser.conftest import Visit
from tests.browser.people import has_no_sideways_scrolling
from tests.factories import AdminFactory, CustomerFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
IMPORT = "/admin/customers/customer/import/"


def test_a_mistake_is_named_by_its_line_and_nothing_is_imported_until_it_is_mended(
    visit: Visit, tmp_path: Path
) -> None:
    file = tmp_path / "customers.csv"
    file.write_text("name,domain,owner,status\nAcme,acme.com,,active\nBeta,beta.com,,sleeping\n")
    page = visit(IMPORT, AdminFactory())
    page.get_by_label("File to import").set_input_files(file)
    page.get_by_role("button", name="Submit").click()
    broken = page.get_by_role("row").filter(has_text="sleeping")
    expect(broken.get_by_role("cell").first).to_have_text("3")
    expect(broken.get_by_text("is none of active, at_risk, churned, archived")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    assert has_no_sideways_scrolling(page)
    assert not Customer.objects.exists()

    file.write_text(file.read_text().replace("sleeping", "at_risk"))
    page.goto(IMPORT)
    page.get_by_label("File to import").set_input_files(file)
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Confirm import").click()
    expect(page.get_by_text("Import finished")).to_be_visible()
    assert set(Customer.objects.values_list("name", "status")) == {("Acme", "active"), ("Beta", "at_risk")}


def test_the_export_is_exactly_what_is_filtered(visit: Visit) -> None:
    for name, status in (("Failing Ltd", "failing"), ("Also Failing", "failing"), ("Paid Ltd", "paid")):
        CustomerFactory(name=name, billed=True, payment_status=status)
    page = visit("/customers/?whose=all", AdminFactory())
    page.get_by_label("Payment status").select_option("failing")
    expect(page.get_by_role("link", name="Paid Ltd")).to_have_count(0)
    shown = page.locator("[data-rows] tbody .row-link").all_inner_texts()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    with Path(download.value.path()).open(encoding="utf-8-sig") as lines:
        assert [row["name"] for row in csv.DictReader(lines)] == shown
    assert set(shown) == {"Failing Ltd", "Also Failing"}
