"""At 390 pixels every main page fits, and its menus open inside the screen."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from customers.models import Customer
from sandbox.testing import Running
from tests.browser.conftest import Visit
from tests.browser.people import LIVE, has_no_sideways_scrolling, page_of, synced
from tests.factories import AdminFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDTH = 390
OF_STRIPE = (
    "", "matched/", "unmatched/", "skipped/", "ambiguous/", "decisions/", "mrr/", "log/", "calls/", "drift/",
    "disconnect/", "personal-domains/", "link/file/",
)  # fmt: skip


def menus_open_inside_the_screen(page: Page) -> None:
    """Open each menu of the page in turn; its panel is wholly on the screen."""
    for number in range(page.locator("details.menu").count()):
        menu = page.locator("details.menu").nth(number)
        if not menu.locator("summary").is_visible():
            continue
        menu.locator("summary").click()
        panel = menu.locator(".menu__panel")
        expect(panel).to_be_visible()
        box = panel.bounding_box()
        assert box is not None
        assert box["x"] >= 0, page.url
        assert box["x"] + box["width"] <= WIDTH, page.url
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()


def test_main_pages_fit_and_their_menus_open_inside_the_screen(visit: Visit, stripe: Running) -> None:
    synced(stripe)
    customer = Customer.objects.get(name="Kestrel Insurance")
    page = visit("/customers/?whose=all", AdminFactory(), width=WIDTH)
    paths = [page_of("Kestrel Insurance"), page_of("Meridian Logistics"), reverse("stripe:receipt", args=[customer.pk])]
    paths += [f"/customers/{customer.pk}/{part}" for part in ("edit", "activity", "decisions/")]
    paths += ["/customers/new", "/admin/", "/admin/integrations/ambiguousgroup/", "/help/troubleshooting/"]
    paths += [LIVE + path for path in OF_STRIPE]
    for path in ["/customers/?whose=all", *paths]:
        page.goto(path)
        assert has_no_sideways_scrolling(page), path
        menus_open_inside_the_screen(page)
        assert has_no_sideways_scrolling(page), path
