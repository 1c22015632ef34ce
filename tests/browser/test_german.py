"""The product in German in a browser: longer words fit, and the language is chosen with and without script."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from customers.models import Customer
from tests.browser.conftest import Visit
from tests.browser.people import LIVE, has_no_sideways_scrolling
from tests.browser.test_integration import world
from tests.factories import ActivityFactory, AdminFactory, MrrPointFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Elements with a text of their own that reaches past their box, where nothing scrolls or cuts it off on purpose.
SPILLED = """() => [...document.querySelectorAll('.sidebar__link, .button, .badge, .chip, .tab, .stat, .card__title')]
    .filter(each => each.offsetParent && each.scrollWidth > each.clientWidth + 1
        && getComputedStyle(each).overflowX === 'visible' && getComputedStyle(each).display !== 'inline')
    .map(each => each.textContent.trim())"""
PAGES = ["/customers/", "", LIVE, f"{LIVE}unmatched/", f"{LIVE}ambiguous/", f"{LIVE}log/"]


@pytest.mark.parametrize("width", [1440, 390])
def test_longer_words_fit(visit: Visit, width: int) -> None:
    world()
    customer = Customer.objects.get()
    ActivityFactory(customer=customer)
    MrrPointFactory(customer=customer)
    page = visit("/customers/", AdminFactory(), width=width, locale="de-DE")
    for path in PAGES:
        page.goto(path or customer.get_absolute_url())
        assert page.locator("html").get_attribute("lang") == "de"
        assert has_no_sideways_scrolling(page), path
        assert page.evaluate(SPILLED) == [], path
    assert Axe().run(page).violations_count == 0


def choose_german(page: Page) -> None:
    page.get_by_label("account menu").click()
    page.get_by_role("button", name="Deutsch").click()


@pytest.mark.parametrize("script", [True, False])
def test_the_language_is_chosen_in_the_menu(visit: Visit, script: bool) -> None:
    page = visit("/customers/?q=acme", AdminFactory(), java_script_enabled=script)
    choose_german(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Kunden")
    expect(page).to_have_url("/customers/?q=acme")
    page.get_by_label("Kontomenü").click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Customers")
