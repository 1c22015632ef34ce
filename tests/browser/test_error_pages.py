"""What a person sees where a page is not for them, is not there, or breaks."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from customers.listing import Listing
from tests.browser.conftest import Visit
from tests.browser.people import LIVE, has_no_sideways_scrolling
from tests.factories import AdminFactory, StripeConnectionFactory, UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def says(page: Page, heading: str) -> None:
    """The page is ours: it says what is the matter, fits, offers help and leads back to the customers."""
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    assert has_no_sideways_scrolling(page)
    expect(page.get_by_role("link", name="Write to support")).to_be_visible()
    page.get_by_role("link", name="Go to your customers").click()
    expect(page.get_by_role("heading", name="Customers", level=1)).to_be_visible()


@pytest.mark.parametrize("width", [390, 1440])
def test_forbidden_and_not_found(visit: Visit, width: int) -> None:
    page = visit(LIVE, UserFactory(), width=width, refused=True)
    says(page, "You may not open this page")
    page.goto("/customers/999999")
    says(page, "There is no such page")


def test_a_page_that_breaks_says_so_and_the_next_try_works(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(Listing, "totals", fail)
    page = visit("/customers/", AdminFactory(), refused=True)
    monkeypatch.undo()
    says(page, "Something broke on our side")


def test_a_form_from_before_a_login_elsewhere_says_what_to_do(visit: Visit) -> None:
    StripeConnectionFactory()
    page = visit(f"{LIVE}disconnect/", AdminFactory(), refused=True)
    page.context.clear_cookies(name="csrftoken")
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This form is too old to send")
