"""The customer pages in a browser: by keyboard, as typed, and without script."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.factories import AdminFactory, CustomerFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_slash_searches_and_j_k_enter_open_a_customer(visit: Visit) -> None:
    for name, mrr in (("First", 300), ("Second", 200), ("Third", 100)):
        CustomerFactory(name=name, billed=True, mrr=mrr)
    page = visit("/customers/", AdminFactory())
    page.keyboard.press("/")
    expect(page.get_by_label("Search", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    page.get_by_label("Search", exact=True).blur()
    for key in "jjjjk":
        page.keyboard.press(key)
    expect(page.get_by_role("link", name="Second")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Second")


def test_typing_narrows_the_list_its_address_and_its_csv(visit: Visit) -> None:
    CustomerFactory(name="Acme Corp", billed=True)
    CustomerFactory(name="Zephyr Maps", billed=True)
    page = visit("/customers/", AdminFactory())
    page.get_by_label("Search", exact=True).press_sequentially("zeph")
    expect(page.get_by_role("link", name="Acme Corp")).to_have_count(0)
    expect(page.get_by_role("link", name="Zephyr Maps")).to_be_visible()
    expect(page.get_by_label("Search", exact=True)).to_be_focused()
    expect(page).to_have_url(re.compile(r"[?&]q=zeph(&|$)"))
    assert "q=zeph" in (page.get_by_role("link", name="CSV").get_attribute("href") or "")
    page.get_by_label("Search", exact=True).fill("")
    expect(page.get_by_role("link", name="Acme Corp")).to_be_visible()


def test_a_view_is_saved_opened_and_removed(visit: Visit) -> None:
    CustomerFactory(name="Failing Ltd", billed=True, payment_status="failing")
    CustomerFactory(name="Paid Ltd", billed=True)
    page = visit("/customers/", AdminFactory())
    page.get_by_label("Payment status").select_option("late")
    expect(page.get_by_role("link", name="Paid Ltd")).to_have_count(0)
    page.get_by_text("Save this view").click()
    page.get_by_label("Name", exact=True).fill("Late payers")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Customers", exact=True).first.click()
    expect(page.get_by_role("link", name="Paid Ltd")).to_be_visible()
    page.get_by_role("link", name="Late payers").click()
    expect(page.get_by_role("link", name="Paid Ltd")).to_have_count(0)
    page.get_by_role("button", name="Remove the view Late payers").click()
    expect(page.get_by_role("link", name="Late payers")).to_have_count(0)


def test_a_question_mark_shows_the_keys_and_escape_closes_them(visit: Visit) -> None:
    CustomerFactory(name="First", billed=True)
    page = visit("/customers/", AdminFactory())
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    expect(page.get_by_role("link", name="First")).not_to_be_focused()


def test_letters_typed_into_a_field_stay_letters(visit: Visit) -> None:
    CustomerFactory(billed=True)
    page = visit("/customers/", AdminFactory())
    page.get_by_label("Search", exact=True).fill("")
    page.get_by_label("Search", exact=True).press_sequentially("jk/")
    expect(page.get_by_label("Search", exact=True)).to_have_value("jk/")


def test_filters_and_pages_work_without_script(visit: Visit) -> None:
    CustomerFactory(name="Failing Ltd", billed=True, payment_status="failing")
    CustomerFactory(name="Paid Ltd", billed=True)
    page = visit("/customers/", AdminFactory(), java_script_enabled=False)
    page.get_by_label("Payment status").select_option("failing")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("link", name="Failing Ltd")).to_be_visible()
    expect(page.get_by_role("link", name="Paid Ltd")).to_have_count(0)
    page.get_by_role("link", name="Remove filter: Payment status: Failing").click()
    expect(page.get_by_role("link", name="Paid Ltd")).to_be_visible()


def test_the_status_menu_opens_by_keyboard_and_closes_with_escape(visit: Visit) -> None:
    customer = CustomerFactory()
    page = visit(customer.get_absolute_url(), AdminFactory())
    summary = page.get_by_label("Status: active, change")
    summary.press("Enter")
    expect(page.get_by_role("button", name="Mark as churned")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Mark as churned")).to_be_hidden()
    expect(summary).to_be_focused()
    summary.press("Enter")
    page.get_by_role("button", name="Mark as churned").click()
    expect(page.get_by_role("status")).to_contain_text("is now churned")


def test_logging_in_and_out(visit: Visit) -> None:
    person = AdminFactory(username="priya")
    person.set_password("a long password")
    person.save()
    page = visit("/customers/")
    expect(page).to_have_url(re.compile(r"/login/\?next=/customers/$"))
    page.get_by_label("Username").fill("priya")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Customers")).to_be_visible()
    page.get_by_label("account menu").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
