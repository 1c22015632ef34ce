"""By keyboard alone: getting past the header, finding, opening and deciding, never losing one's place."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from integrations.models import StripeConnection
from tests.browser.conftest import Visit
from tests.browser.people import LIVE
from tests.factories import AdminFactory, CustomerFactory, StaffFactory, StripeConnectionFactory
from tests.integrations.stripe.sync.deciding import group
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FOCUSED_OUTLINE = "getComputedStyle(document.activeElement).outlineStyle"


def tab_to(page: Page, words: str) -> None:
    """Press Tab until the focus is on what says so; each stop on the way is visible as such."""
    for _press in range(60):
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUSED_OUTLINE) != "none", page.evaluate("document.activeElement.outerHTML")
        said = page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.innerText")
        if words in (said or ""):
            return
    raise AssertionError(f"Tab never came to {words!r}")


def test_the_skip_link_leads_past_the_header(visit: Visit) -> None:
    CustomerFactory(name="First", billed=True)
    page = visit("/customers/?whose=all", AdminFactory())
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('#main').contains(document.activeElement)")


def test_a_customer_is_found_opened_and_changed(visit: Visit) -> None:
    for name, mrr in (("Acme One", 300), ("Acme Two", 200), ("Zephyr", 100)):
        CustomerFactory(name=name, billed=True, mrr=mrr)
    page = visit("/customers/?whose=all", AdminFactory())
    page.keyboard.press("/")
    page.keyboard.type("acme")
    expect(page).to_have_url(re.compile("q=acme"))  # the last letter's list is there, no other takes its place
    expect(page.get_by_role("link", name="Zephyr")).to_have_count(0)
    expect(page.get_by_label("Search", exact=True)).to_be_focused()
    tab_to(page, "Acme One")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Acme Two")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme One")
    tab_to(page, "Status: active, change")
    page.keyboard.press("Enter")
    tab_to(page, "Mark as at risk")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("is now at risk")


def test_a_filter_that_is_changed_keeps_the_focus(visit: Visit) -> None:
    CustomerFactory(name="Failing Ltd", billed=True, payment_status="failing")
    CustomerFactory(name="Paid Ltd", billed=True)
    page = visit("/customers/?whose=all", AdminFactory())
    page.get_by_label("Payment status", exact=True).focus()
    page.keyboard.type("Failing")
    expect(page.get_by_role("link", name="Paid Ltd")).to_have_count(0)
    expect(page.get_by_label("Payment status", exact=True)).to_be_focused()


def test_a_group_is_decided_on(visit: Visit) -> None:
    live: StripeConnection = StripeConnectionFactory()
    group(live, 2)
    derive_all(live)
    page = visit(f"{LIVE}ambiguous/", StaffFactory())
    tab_to(page, "Keep merged")
    page.keyboard.press("Enter")
    page.get_by_label("Reason").wait_for()
    for _press in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "reason":
            break
    page.keyboard.type("Same company")
    tab_to(page, "Confirm: keep merged")
    page.keyboard.press("Enter")
    expect(page.get_by_text("All clear: 1 group")).to_be_visible()
