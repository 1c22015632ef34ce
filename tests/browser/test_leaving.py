"""Leaving an account and coming with another one: every choice is a page that says what it does."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from customers.models import Customer
from integrations.models import StripeCustomer
from sandbox.testing import Running
from tests.browser.conftest import Visit
from tests.browser.people import LIVE, connect, page_of, synced
from tests.factories import AdminFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_disconnecting_keeps_the_figures_and_another_account_asks_for_them_to_go(visit: Visit, stripe: Running) -> None:
    synced(stripe)
    page = visit(LIVE, AdminFactory())
    page.get_by_role("link", name="Disconnect").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Disconnect Fieldnote Inc?")
    for choice in ("Clear billing data", "Delete mirrored data"):
        expect(page.get_by_role("button", name=choice)).to_be_disabled()
    expect(page.get_by_text("Installed apps")).to_be_visible()
    page.get_by_role("button", name="Disconnect").click()
    told = page.get_by_role("status")
    expect(told).to_contain_text("Disconnected. Our access is deleted; every figure stays, marked stale.")

    page.goto(page_of("Kestrel Insurance"))
    expect(page.locator(".customer-head[data-stale]")).to_contain_text("Paid")
    page.goto(LIVE)
    connect(page, "Other GmbH")
    expect(told).to_contain_text("That is another Stripe account than the one connected here.")
    expect(told.get_by_role("link", name="wrong_account")).to_be_visible()
    expect(page.get_by_role("region", name="Connection")).to_contain_text("Disconnected")

    page.get_by_role("link", name="Clear billing data or delete the mirrored data").click()
    page.get_by_role("link", name="Clear billing data…").click()
    page.get_by_role("button", name="Clear billing data").click()
    expect(told).to_contain_text("Cleared the billing data of 3 customers.")
    assert set(Customer.objects.values_list("mrr", "stripe_customer_id")) == {(0, "")}
    assert StripeCustomer.objects.exists()

    page.get_by_role("link", name="Clear billing data or delete the mirrored data").click()
    page.get_by_role("link", name="Delete mirrored data…").click()
    page.get_by_role("button", name="Delete mirrored data").click()
    expect(told).to_contain_text("Deleted our copy of this Stripe account.")
    assert not StripeCustomer.objects.exists()
    connect(page, "Other GmbH")
    expect(told).to_contain_text("You connected Other GmbH (acct_1SandboxOther), live.")


def test_pressing_cancel_on_the_consent_page_stores_nothing(visit: Visit, stripe: Running) -> None:
    page = visit(LIVE, AdminFactory())
    page.get_by_role("button", name="Connect Stripe").click()
    page.get_by_role("button", name="Cancel").click()
    told = page.get_by_role("status")
    expect(told).to_contain_text("Access was not granted on Stripe's page.")
    told.get_by_role("link", name="consent_denied").click()
    expect(page.locator("#consent_denied")).to_be_in_viewport()
