"""Each decision and its undo, clicked in a browser, with the headers read before and after."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from customers.models import Customer
from integrations.models import StripeConnection, StripeCustomer
from tests.browser.conftest import Visit
from tests.factories import CustomerFactory, StaffFactory, StripeConnectionFactory
from tests.integrations.stripe.sync.deciding import group
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AMBIGUOUS = "/admin/integrations/stripe/live/ambiguous/"
DECISIONS = "/admin/integrations/stripe/live/decisions/"


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def sam() -> User:
    return StaffFactory(first_name="Sam", last_name="Staff")


def header(page: Page, customer: Customer, *parts: str) -> None:
    """Open the customer and read its header."""
    page.goto(customer.get_absolute_url())
    for part in parts:
        expect(page.locator(".customer-head")).to_contain_text(part)


def decide(page: Page, button: str, reason: str) -> None:
    """Give the reason and confirm."""
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name=button).click()


def choose_winner(page: Page, row: StripeCustomer) -> None:
    """Follow **This one wins** of one Stripe customer."""
    page.get_by_role("link", name=re.compile(rf"This one wins\W+{row.name}$")).click()


def undo_newest(page: Page) -> None:
    """Undo the newest decision from the history."""
    page.goto(DECISIONS)
    page.get_by_role("link", name=re.compile("^Undo")).first.click()
    decide(page, "Confirm: undo", "A mistake")
    expect(page.get_by_text("Undone. The headers follow at once.")).to_be_visible()


def test_keep_merged_and_undo(visit: Visit, live: StripeConnection, sam: User) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)
    page = visit(acme.get_absolute_url(), sam)
    header(page, acme, "$300", "2 Stripe customers added up, nobody has decided yet")

    page.goto(AMBIGUOUS)
    page.get_by_role("link", name="Keep merged").click()
    decide(page, "Confirm: keep merged", "Same company")
    expect(page.get_by_text("All clear: 1 group, $300 decided")).to_be_visible()
    header(page, acme, "$300", "2 Stripe customers kept merged by Sam Staff", "Same company")

    undo_newest(page)
    header(page, acme, "$300", "nobody has decided yet")


def test_this_one_wins_and_undo(visit: Visit, live: StripeConnection, sam: User) -> None:
    acme, rows = group(live, 3)
    derive_all(live)
    page = visit(AMBIGUOUS, sam)

    choose_winner(page, rows[0])
    expect(page.locator("main")).to_contain_text("$600")
    decide(page, "Confirm: this one wins", "The others are pilots")
    expect(page.get_by_text("All clear: 1 group")).to_be_visible()
    header(page, acme, "$100", "Winner chosen by Sam Staff", "The others are pilots")

    undo_newest(page)
    header(page, acme, "$600", "3 Stripe customers added up")


def test_attach_and_undo(visit: Visit, live: StripeConnection, sam: User) -> None:
    north, _rows = group(live, 1, domain="twinpeaks.coop")
    south = CustomerFactory(name="Twin Peaks South", domain="twinpeaks.coop")
    derive_all(live)
    page = visit(AMBIGUOUS, sam)

    page.get_by_role("link", name="Attach to Twin Peaks South").click()
    decide(page, "Confirm: attach", "They hold the contract")
    header(page, south, "$100", "They hold the contract")
    header(page, north, "Twinpeaks", "—")

    undo_newest(page)
    header(page, north, "$100", "Several customers have the domain")


def test_split_and_undo(visit: Visit, live: StripeConnection, sam: User) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    page = visit(AMBIGUOUS, sam)

    page.get_by_role("link", name="Split").click()
    page.get_by_label(rows[0].name).check()
    page.get_by_role("button", name="Preview").click()
    page.get_by_label("Name of the new customer").fill("Acme Labs")
    page.get_by_label("Its domain").fill("labs.com")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="New customer: Acme Labs")).to_be_visible()
    decide(page, "Confirm: split", "Two contracts")
    expect(page.get_by_text("All clear: 1 group")).to_be_visible()
    labs = Customer.objects.get(name="Acme Labs")
    header(page, acme, "$200", "Split by Sam Staff")
    header(page, labs, "$100", "Two contracts")

    undo_newest(page)
    header(page, acme, "$300", "nobody has decided yet")
    header(page, labs, "archived")


def test_the_admin_keeps_many_merged_and_the_history_is_in_the_menu(
    visit: Visit, live: StripeConnection, sam: User
) -> None:
    customers = [group(live, 2, domain=f"many{n}.com")[0] for n in range(2)]
    derive_all(live)
    page = visit("/admin/integrations/ambiguousgroup/", sam)

    page.get_by_label("Select all objects on this page for an action").check()
    page.get_by_label("Action:").select_option("keep_merged")
    page.get_by_role("button", name="Go").click()
    decide(page, "Confirm: keep merged", "One contract each")
    expect(page.get_by_text("All clear: 2 groups, $600 decided")).to_be_visible()

    page.goto(customers[0].get_absolute_url())
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="History of match decisions").click()
    expect(page.get_by_text("One contract each")).to_be_visible()


def test_the_page_that_was_overtaken_says_so_and_works_again(visit: Visit, live: StripeConnection, sam: User) -> None:
    _acme, rows = group(live, 3)
    derive_all(live)
    slow, fast = visit(AMBIGUOUS, sam), visit(AMBIGUOUS, StaffFactory(first_name="Kim", last_name="Lee"))
    choose_winner(slow, rows[0])
    choose_winner(fast, rows[1])
    decide(fast, "Confirm: this one wins", "Mine")

    slow.get_by_label("Reason").fill("Ours")
    with slow.expect_navigation():
        slow.get_by_role("button", name="Confirm: this one wins").click()

    expect(slow.get_by_text("Winner chosen by Kim Lee")).to_be_visible()


@pytest.mark.parametrize("size", [2, 3, 20])
def test_groups_of_any_size_are_usable_on_a_narrow_screen(
    visit: Visit, live: StripeConnection, sam: User, size: int
) -> None:
    acme, rows = group(live, size)
    derive_all(live)
    page = visit(f"{AMBIGUOUS}{acme.pk}/", sam, width=390)
    assert page.get_by_role("link", name="This one wins").count() == size
    for path in (
        f"{AMBIGUOUS}{acme.pk}/",
        f"{AMBIGUOUS}{acme.pk}/split/",
        f"{AMBIGUOUS}{acme.pk}/split/?member={rows[0].stripe_id}",
        f"{AMBIGUOUS}keep-merged/?ids={acme.pk}",
        DECISIONS,
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        assert Axe().run(page).response["violations"] == [], path


def test_deciding_works_without_javascript(visit: Visit, live: StripeConnection, sam: User) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    page = visit(AMBIGUOUS, sam, java_script_enabled=False)

    choose_winner(page, rows[1])
    decide(page, "Confirm: this one wins", "The contract")

    header(page, acme, "$200")
