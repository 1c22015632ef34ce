"""What Stripe sent before 2025-03-31 is read as what it sends today (docs/operations.md)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from integrations.stripe.api.decode import decode
from integrations.stripe.api.objects import Coupon, Customer, Discount, Invoice, InvoicePayments, Subscription
from integrations.stripe.rules.payment_status import payment_status

COUPON = {"id": "co_1", "duration": "forever", "percent_off": 10}
PRICE = {
    "id": "price_1",
    "currency": "usd",
    "product": "prod_1",
    "unit_amount": 1000,
    "recurring": {"interval": "month"},
}
DISCOUNT_BEFORE = {"id": "di_1", "coupon": COUPON, "end": 7}
DISCOUNT_TODAY = {"id": "di_1", "source": {"type": "coupon", "coupon": COUPON}, "end": 7}


def subscription(item: dict[str, Any], **fields: Any) -> dict[str, Any]:
    whole = {"id": "si_1", "price": PRICE, "quantity": 2, **item}
    base = {"id": "sub_1", "customer": "cus_1", "status": "active", "created": 1, "start_date": 1, "currency": "usd"}
    return {**base, "items": {"data": [whole]}, **fields}


def paid_with(intent: Any, status: str = "open") -> dict[str, Any]:
    """Today's list of payments, with the one payment an invoice had before."""
    source = {"type": "payment_intent", "payment_intent": intent}
    payment = {"id": "inpay_of_in_1", "status": status, "invoice": "in_1", "is_default": True, "payment": source}
    return {"payments": {"data": [payment]}}


def invoice(**fields: Any) -> dict[str, Any]:
    return {"id": "in_1", "created": 1, "currency": "usd", "customer": "cus_1", "status": "open", **fields}


PAIRS: dict[str, tuple[type, dict[str, Any], dict[str, Any]]] = {
    "a discount's coupon": (Discount, DISCOUNT_BEFORE, DISCOUNT_TODAY),
    "a discount's coupon by id": (
        Discount, {"id": "di_1", "coupon": "co_1"}, {"id": "di_1", "source": {"coupon": "co_1"}},
    ),
    "a customer's discount": (
        Customer, {"id": "cus_1", "discount": DISCOUNT_BEFORE}, {"id": "cus_1", "discount": DISCOUNT_TODAY},
    ),
    "an invoice's subscription": (
        Invoice,
        invoice(subscription="sub_1"),
        invoice(parent={"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}}),
    ),
    "an invoice of no subscription": (Invoice, invoice(subscription=None), invoice(parent=None)),
    "an invoice's payment intent": (
        Invoice, invoice(payment_intent="pi_1"), invoice(**paid_with("pi_1")),
    ),
    "an invoice's payment intent, expanded": (
        Invoice,
        invoice(payment_intent={"id": "pi_1", "status": "requires_action"}),
        invoice(**paid_with({"id": "pi_1", "status": "requires_action"})),
    ),
    "a paid invoice's payment intent": (
        Invoice,
        {**invoice(payment_intent="pi_1"), "status": "paid"},
        {**invoice(**paid_with("pi_1", "paid")), "status": "paid"},
    ),
    "an invoice nobody was to pay": (Invoice, invoice(payment_intent=None), invoice()),
    "a subscription's one discount": (
        Subscription,
        subscription({}, discount=DISCOUNT_BEFORE),
        subscription({}, discounts=[DISCOUNT_TODAY]),
    ),
    "a subscription's period": (
        Subscription, subscription({}, current_period_end=99), subscription({"current_period_end": 99}),
    ),
    "the intent of its latest invoice": (
        Subscription,
        subscription({}, latest_invoice=invoice(payment_intent="pi_1")),
        subscription({}, latest_invoice=invoice(**paid_with("pi_1"))),
    ),
    "the start of a subscription's period, which is not read": (
        Subscription, subscription({}, current_period_start=9), subscription({"current_period_start": 9}),
    ),
    "its latest invoice": (
        Subscription,
        subscription({}, latest_invoice=invoice(subscription="sub_1")),
        subscription({}, latest_invoice=invoice(parent={"subscription_details": {"subscription": "sub_1"}})),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_the_older_shape_means_the_same(name: str) -> None:
    kind, before, today = PAIRS[name]
    assert decode(msgspec.json.encode(before), kind) == decode(msgspec.json.encode(today), kind)


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_kept_is_todays_shape_and_reads_back(name: str) -> None:
    kind, before, today = PAIRS[name]
    kept = msgspec.json.encode(decode(msgspec.json.encode(before), kind))
    assert kept == msgspec.json.encode(decode(msgspec.json.encode(today), kind))
    assert decode(kept, kind) == decode(msgspec.json.encode(today), kind)


@pytest.mark.parametrize(
    ("intent", "verdict"),
    [("requires_action", "past_due"), ("requires_payment_method", "failing"), ("succeeded", "none")],
)
@pytest.mark.parametrize("shape", ["before", "today"])
def test_both_shapes_say_the_same_about_paying(shape: str, intent: str, verdict: str) -> None:
    expanded = {"id": "pi_1", "status": intent}
    paying = {"payment_intent": expanded} if shape == "before" else paid_with(expanded)
    whole = invoice(**paying, collection_method="charge_automatically", attempt_count=1, amount_remaining=100)
    found = decode(msgspec.json.encode(whole), Invoice)
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert payment_status([found], intents={}, subscriptions=[], now=now).status == verdict


def test_a_shape_that_has_both_keeps_todays() -> None:
    both = {**DISCOUNT_TODAY, "coupon": "co_old"}
    found = decode(msgspec.json.encode(both), Discount)
    assert isinstance(found.source.coupon, Coupon)
    paid = invoice(**paid_with("pi_today"), payment_intent="pi_old")
    payments = decode(msgspec.json.encode(paid), Invoice).payments
    assert isinstance(payments, InvoicePayments)
    assert [each.payment and each.payment.payment_intent_id for each in payments.data] == ["pi_today"]
    items = subscription({"current_period_end": 5}, current_period_end=99)
    assert decode(msgspec.json.encode(items), Subscription).items.data[0].current_period_end == 5
