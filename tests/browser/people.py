"""What people do on the pages, so that every journey does it in the same words."""

from __future__ import annotations

import re

from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from customers.models import Customer
from integrations.models import Mode, RunState, StripeConnection, SyncRun
from integrations.stripe.sync import connections, runs
from sandbox.testing import Running
from tests.factories import CustomerFactory
from tests.waiting import wait_for

LIVE = "/admin/integrations/stripe/live/"
CUSTOMERS = {
    "Kestrel Insurance": "kestrel.insure",
    "Meridian Logistics": "meridian-logistics.com",
    "Saltmarsh Foods": "saltmarshfoods.com",
    "Fernbank": "fernbank.com",
}
"""Four of the sandbox's: one that pays, one with several Stripe customers, one that fails, one only suggested."""
PASSWORD = "a long password"


def log_in(page: Page, user: User) -> None:
    """Fill in the login form."""
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def connect(page: Page, account: str = "Fieldnote Inc") -> None:
    """Press **Connect Stripe** and agree on the consent screen."""
    page.get_by_role("button", name="Connect Stripe").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("asks for read access")
    page.get_by_role("radio", name=re.compile(account)).check()
    page.get_by_role("button", name="Connect", exact=True).click()


def decide(page: Page, button: str, reason: str = "Because.") -> None:
    """Give the reason and confirm."""
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name=button).click()


def has_no_sideways_scrolling(page: Page) -> bool:
    """Whether the page fits its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def synced(stripe: Running, *, ends: str = RunState.SUCCEEDED) -> StripeConnection:
    """Live mode connected through the sandbox's consent and read once, without a browser: where a journey begins."""
    for name, domain in CUSTOMERS.items():
        CustomerFactory(name=name, domain=domain)
    back = "http://127.0.0.1/admin/integrations/stripe/callback/"
    code = re.findall(r"[?&]code=([^&]+)", stripe.authorize(back))[0]
    connection = connections.connect_by_code(Mode.LIVE, code=code, redirect_uri=back, actor=None)
    run = runs.start(connection, kind="full", actor=None)
    while runs.continue_run(run.pk, queue=False):
        pass
    assert SyncRun.objects.get(pk=run.pk).state == ends
    connection.refresh_from_db()
    return connection


def page_of(name: str) -> str:
    """The address of a customer."""
    return Customer.objects.get(name=name).get_absolute_url()


def expect_after_reloads(page: Page, words: str) -> None:
    """Reload as a person without scripts would, until the page says so."""

    def says_so() -> bool:
        page.wait_for_load_state()  # a form just sent may not have answered yet
        page.reload()
        return words in page.locator("main").inner_text()

    wait_for(says_so, seconds=60, every=0.2)
