"""What the calendar has in store for a customer's money."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from integrations.models import StripeConnection
from integrations.stripe.pages.presenters.billing import read_billing
from integrations.stripe.pages.presenters.invoices import invoices_behind
from integrations.stripe.pages.presenters.upcoming import SHOWN, Upcoming, upcoming
from tests.factories import CustomerFactory, StripeConnectionFactory, StripeCustomerFactory, UserFactory
from tests.factories import StripeInvoiceFactory as InvoiceFactory
from tests.factories import StripeSubscriptionFactory as SubscriptionFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def at(days: float) -> int:
    """Unix seconds so many days from now."""
    return int((NOW + timedelta(days=days)).timestamp())


@pytest.fixture
def connection() -> StripeConnection:
    return StripeConnectionFactory()


def ahead(connection: StripeConnection, *subscriptions: dict[str, Any], invoice: Any = None) -> list[Upcoming]:
    """What is ahead of a customer with these subscriptions, and this invoice."""
    customer = CustomerFactory(billed=True)
    owner = StripeCustomerFactory(
        connection=connection, customer=customer, standing="live", match_state="matched", match_reason="domain"
    )
    for fields in subscriptions:
        period_end = fields.pop("period_end", None)
        row = SubscriptionFactory(owner=owner, plan_label="Growth", **fields)
        row.data["items"]["data"][0]["current_period_end"] = period_end
        row.save()
    if invoice:
        InvoiceFactory(owner=owner, status="open", extra=invoice)
    billing = read_billing(customer)
    return upcoming(billing, invoices_behind(billing, now=NOW), now=NOW)


def said(moments: list[Upcoming]) -> list[tuple[int, str, str]]:
    """In how many days what happens, and how loud it is."""
    return [((each.at - NOW).days, each.text, each.tone) for each in moments]


FOREVER = {"id": "C", "duration": "forever", "percent_off": "10"}
DISCOUNT = {"id": "di_1", "source": {"coupon": "half"}}
MOMENTS: list[tuple[str, dict[str, Any], list[tuple[int, str, str]]]] = [
    ("a renewal", {"period_end": at(9)}, [(9, "Growth renews", "note")]),
    ("a renewal behind us", {"period_end": at(-1)}, []),
    (
        "a trial that turns into a subscription",
        {"status": "trialing", "extra": {"trial_end": at(5)}, "period_end": at(5)},
        [(5, "The trial of Growth ends", "note")],
    ),
    ("no period at all", {}, []),
    (
        "an end with the period in place of a renewal",
        {"extra": {"cancel_at_period_end": True}, "period_end": at(9)},
        [(9, "Growth ends", "past_due")],
    ),
    (
        "an end on a day of its own",
        {"extra": {"cancel_at": at(3)}, "period_end": at(9)},
        [(3, "Growth ends", "past_due")],
    ),
    (
        "a discount that runs out",
        {"extra": {"discounts": [{**DISCOUNT, "end": at(4)}, {**DISCOUNT, "id": "di_2", "end": at(4)}]}},
        [(4, "A discount on Growth ends", "past_due")],
    ),
    ("a discount for ever", {"extra": {"discounts": [DISCOUNT]}}, []),
    (
        "a discount for ever, although it has an end",
        {"extra": {"discounts": [{"id": "di_1", "source": {"coupon": FOREVER}, "end": at(4)}]}},
        [],
    ),
    ("a discount we know by id only", {"extra": {"discounts": ["di_1"]}}, []),
    (
        "collection that resumes",
        {"extra": {"pause_collection": {"behavior": "void", "resumes_at": at(20)}}},
        [(20, "Collection of Growth resumes", "note")],
    ),
    ("what has ended", {"status": "canceled", "period_end": at(9)}, []),
]


@pytest.mark.parametrize(("fields", "expected"), [row[1:] for row in MOMENTS], ids=[row[0] for row in MOMENTS])
def test_each_kind_of_moment(
    connection: StripeConnection, fields: dict[str, Any], expected: list[tuple[int, str, str]]
) -> None:
    assert said(ahead(connection, dict(fields))) == expected


def test_the_next_attempt_goes_before_the_due_date_of_an_invoice(connection: StripeConnection) -> None:
    declined = {"next_payment_attempt": at(2), "attempt_count": 1, "amount_remaining": 144_000, "due_date": at(6)}
    [moment] = ahead(connection, {}, invoice=declined)
    assert said([moment])[0][0] == 2
    assert moment.text.startswith("Stripe tries to collect $1,440 again, invoice INV-")
    [moment] = ahead(connection, {}, invoice={**declined, "next_payment_attempt": None})
    assert (moment.at - NOW).days == 6
    assert moment.text.startswith("$1,440 is due, invoice INV-")


def test_an_invoice_with_nothing_open_is_no_moment(connection: StripeConnection) -> None:
    assert ahead(connection, {}, invoice={"amount_remaining": 0, "due_date": at(6)}) == []


def test_the_soonest_come_first(connection: StripeConnection) -> None:
    found = ahead(connection, *({"period_end": at(20 - day)} for day in range(10)))
    assert [(each.at - NOW).days for each in found] == list(range(11, 21))


@pytest.mark.parametrize(
    ("own", "expected"),
    [(None, [(4, "A discount on everything of Acme ends", "past_due")]), ([DISCOUNT], [])],
    ids=["inherited", "a subscription with its own ignores it"],
)
def test_a_discount_of_the_stripe_customer_runs_out_where_it_counts(
    connection: StripeConnection, own: list[Any] | None, expected: list[tuple[int, str, str]]
) -> None:
    customer = CustomerFactory(billed=True)
    owner = StripeCustomerFactory(
        connection=connection, customer=customer, name="Acme", standing="live", match_state="matched",
        match_reason="domain", data={"id": "cus_1", "discount": {**DISCOUNT, "end": at(4)}},
    )  # fmt: skip
    SubscriptionFactory(owner=owner, extra={"discounts": own} if own else {})
    assert said(upcoming(read_billing(customer), [], now=NOW)) == expected


def test_the_page_shows_them_with_a_way_to_stripe(client: Client, connection: StripeConnection) -> None:
    client.force_login(UserFactory())
    customer = CustomerFactory(billed=True)
    owner = StripeCustomerFactory(
        connection=connection, customer=customer, standing="live", match_state="matched", match_reason="domain"
    )
    ends = int((timezone.now() + timedelta(days=9)).timestamp())
    row = SubscriptionFactory(owner=owner, plan_label="<b>Growth</b>", extra={"cancel_at": ends})
    page = client.get(customer.get_absolute_url()).text
    assert "Coming up" in page
    assert "&lt;b&gt;Growth&lt;/b&gt; ends" in page
    assert "later moment" not in page
    assert page.count(f"/subscriptions/{row.stripe_id}") >= 2


def test_what_the_page_leaves_out_is_counted(client: Client, connection: StripeConnection) -> None:
    client.force_login(UserFactory())
    customer = CustomerFactory(billed=True)
    owner = StripeCustomerFactory(
        connection=connection, customer=customer, standing="live", match_state="matched", match_reason="domain"
    )
    for day in range(SHOWN + 2):
        SubscriptionFactory(
            owner=owner, extra={"cancel_at": int((timezone.now() + timedelta(days=day + 1)).timestamp())}
        )
    page = client.get(customer.get_absolute_url()).text
    assert page.count("upcoming__row") == SHOWN
    assert "2 later moments are not shown." in page
