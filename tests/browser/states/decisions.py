"""The pages that confirm a decision, show its effect first, and take it back."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from customers.models import Customer
from integrations.models import DecisionKind, MemberEffect, StripeCustomer
from tests.browser.states import LONG_NAME, STAFF, state
from tests.browser.states.queue import of, world
from tests.factories import CustomerFactory, StripeConnectionFactory, decide
from tests.integrations.stripe.sync.deciding import group
from tests.integrations.stripe.sync.derived import derive_all

PAGE = "Confirm"


def a_group(size: int = 3) -> tuple[Customer, list[StripeCustomer]]:
    """Acme, with so many Stripe customers."""
    live = StripeConnectionFactory()
    customer, rows = group(live, size)
    StripeCustomer.objects.filter(pk=rows[0].pk).update(name=LONG_NAME)
    derive_all(live)
    return customer, rows


def fernbank() -> StripeCustomer:
    """The unmatched one with a suggestion."""
    world()
    return StripeCustomer.objects.get(name=LONG_NAME)


@state(PAGE, "one group, all of its members", LONG_NAME, who=STAFF)
def one_group() -> str:
    return of("ambiguous_group", a_group()[0].pk)


@state(PAGE, "keep merged", "Keep merged: Acme", who=STAFF)
def keep_merged() -> str:
    return of("decide_keep_merged", ids=a_group()[0].pk)


@state(PAGE, "this one wins", "This one wins", who=STAFF)
def winner() -> str:
    customer, rows = a_group()
    return of("decide_winner", customer.pk, stripe=rows[0].stripe_id)


def without_a_reason(browser: Page) -> None:
    """Confirm and say nothing."""
    browser.get_by_label("Reason").evaluate("field => { field.form.noValidate = true; }")
    browser.get_by_role("button", name="Confirm").click()


@state(PAGE, "without a reason", "This field is required.", who=STAFF, act=without_a_reason)
def no_reason() -> str:
    return of("decide_keep_merged", ids=a_group()[0].pk)


@state(PAGE, "attach to one of several customers", "Twin Peaks South", who=STAFF)
def attach() -> str:
    live = StripeConnectionFactory()
    north, _rows = group(live, 1, domain="twinpeaks.coop")
    south = CustomerFactory(name="Twin Peaks South", domain="twinpeaks.coop")
    derive_all(live)
    return of("decide_attach", north.pk, to=south.pk)


@state(PAGE, "split", "Split", who=STAFF)
def split() -> str:
    return of("decide_split", a_group()[0].pk)


def undoable() -> Any:
    """A decision that can be undone."""
    customer, rows = a_group()
    return decide(DecisionKind.KEEP_MERGED, dict.fromkeys(rows, MemberEffect.ACKNOWLEDGED), on=[customer])


@state(PAGE, "undo", "Undo", who=STAFF)
def undo() -> str:
    return of("decide_undo", undoable().pk)


@state("Decisions", "some", "Because.", who=STAFF)
def decisions() -> str:
    undoable()
    return of("decisions")


@state("Decisions", "none", "decision", who=STAFF)
def no_decisions() -> str:
    StripeConnectionFactory()
    return of("decisions")


@state(PAGE, "link, the customer is found", "Find the customer", who=STAFF)
def find_customer() -> str:
    return of("decide_link", stripe=fernbank().stripe_id, find="fern")


@state(PAGE, "link", "Confirm: link", who=STAFF)
def link() -> str:
    row = fernbank()
    return of("decide_link", stripe=row.stripe_id, to=Customer.objects.get(name="Fernbank").pk)


@state(PAGE, "link, the Stripe customer is found", "Fernbank", who=STAFF)
def find_stripe() -> str:
    fernbank()
    return of("decide_link", to=Customer.objects.get(name="Fernbank").pk)


@state(PAGE, "create customers", "Confirm: create", who=STAFF)
def create() -> str:
    return of("decide_create", stripe=fernbank().stripe_id)


@state(PAGE, "ignore", "Confirm: ignore", who=STAFF)
def ignore() -> str:
    return of("decide_ignore", stripe=fernbank().stripe_id)


@state(PAGE, "links from suggestions", "Confirm", who=STAFF)
def suggested() -> str:
    fernbank()
    return of("decide_suggested", all=1)


@state(PAGE, "links from a file", "Check the file", who=STAFF)
def file() -> str:
    StripeConnectionFactory()
    return of("decide_file")


def upload(browser: Page) -> None:
    """A file with a good and a bad line."""
    row = StripeCustomer.objects.get(name=LONG_NAME)
    target = Customer.objects.get(name="Fernbank")
    text = f"stripe_customer_id,customer_id\n{row.stripe_id},{target.pk}\ncus_unknown,1\n"
    browser.get_by_label("CSV file").set_input_files(
        {"name": "links.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    browser.get_by_role("button", name="Check the file").click()


@state(PAGE, "links from a file, checked", "No Stripe customer cus_unknown", who=STAFF, act=upload)
def file_checked() -> str:
    fernbank()
    return of("decide_file")
