"""A group that a real sync found, decided on in Django admin and taken back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from sandbox.testing import Running
from tests.browser.conftest import Visit
from tests.browser.people import decide, page_of, synced
from tests.factories import StaffFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_winner_is_chosen_from_the_changelist_and_undone_from_the_history(visit: Visit, stripe: Running) -> None:
    synced(stripe)
    page = visit(page_of("Meridian Logistics"), StaffFactory(first_name="Sam", last_name="Staff"))
    head = page.locator(".customer-head")
    undecided = "4 Stripe customers added up, nobody has decided yet"
    expect(head).to_contain_text(undecided)

    page.get_by_role("link", name="Admin", exact=True).click()
    page.get_by_role("link", name=re.compile("^Ambiguous matches")).first.click()
    page.goto("/admin/integrations/ambiguousgroup/")
    page.get_by_role("link", name="Meridian Logistics").first.click()
    page.get_by_role("link", name=re.compile("This one wins")).first.click()
    decide(page, "Confirm: this one wins", "They hold the contract")
    expect(page.get_by_text("All clear: 1 group")).to_be_visible()

    page.goto(page_of("Meridian Logistics"))
    expect(head).to_contain_text("Winner chosen by Sam Staff")
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="History of match decisions").click()
    page.get_by_role("link", name=re.compile("^Undo")).first.click()
    decide(page, "Confirm: undo", "A mistake")
    page.goto(page_of("Meridian Logistics"))
    expect(head).to_contain_text(undecided)
