"""Every sentence a rule may say, word by word: people act on them (docs/rules.md sections 4 and 5)."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec import UNSET

from integrations.stripe.api.objects import SubscriptionItems
from integrations.stripe.rules.money import cross_rate
from integrations.stripe.rules.mrr import Catalog
from integrations.stripe.rules.payment_status import LiveSubscription, payment_status, sentence, verdict
from integrations.stripe.rules.receipt import WHY_ZERO
from tests.integrations.stripe.rules.builders import (
    NOW,
    a_coupon,
    a_discount,
    a_price,
    a_subscription,
    a_tax,
    a_tier,
    a_tiered_price,
    amount_off,
    an_invoice,
    an_item,
    at,
    intents,
    packages,
    percent_off,
    reckon,
)

SENT = {"collection_method": "send_invoice"}


def of_price(**fields: Any) -> Any:
    return a_subscription(an_item(a_price(**fields)))


def of_tiers(tiers: list[Any], mode: str = "volume", quantity: int = 1011) -> Any:
    return a_subscription(an_item(a_tiered_price(mode, tiers), quantity))


def with_discount(discount: Any, **fields: Any) -> Any:
    return a_subscription(discounts=[discount], **fields)


def euros(**fields: Any) -> Any:
    item = an_item(a_price(currency="eur"))
    return a_subscription(item, **({"currency": "eur"} | fields))


@pytest.mark.parametrize(
    ("subscription", "message"),
    [
        (
            a_subscription(status="hibernating"),
            "Subscription sub_1 has the status “hibernating”, which we do not know.",
        ),
        (
            a_subscription(items=SubscriptionItems(data=[])),
            "Subscription sub_1 came without items, so it has no plan and counts 0.",
        ),
        (
            a_subscription(items=SubscriptionItems(data=[an_item()], has_more=True)),
            "Subscription sub_1 has more items than were read, so its MRR is too low.",
        ),
        (
            a_subscription(*[an_item(a_price(amount=10**17 - 1))] * 2),
            "Subscription sub_1 comes to more than can be true, so it counts 0.",
        ),
        (
            a_subscription(an_item(a_price(currency="ngn")), currency="ngn"),
            "There is no exchange rate for NGN. Add one among the exchange rates in the admin, and it counts.",
        ),
        (of_price(usage_type="guessed"), "Price price_growth has the usage type “guessed”, which we do not know."),
        (
            of_price(interval="fortnight"),
            "Price price_growth is charged per “fortnight”, an interval we do not know.",
        ),
        (of_price(count=0), "Price price_growth is charged every 0 months, which cannot be."),
        (
            of_price(billing_scheme="barter"),
            "Price price_growth is billed by the scheme “barter”, which we do not know.",
        ),
        (
            of_tiers([a_tier(None, 1)], mode="stairs"),
            "Price price_growth has tiers of the mode “stairs”, which we do not know.",
        ),
        (
            of_price(transform_quantity=packages(10, "sideways")),
            "Price price_growth rounds quantities “sideways”, which we do not know.",
        ),
        (
            of_price(transform_quantity=packages(0, "up")),
            "Price price_growth cannot be used: its quantity is divided by 0.",
        ),
        (a_subscription(an_item(quantity=-3)), "Price price_growth cannot be used: its quantity -3 cannot be."),
        (of_price(amount=None), "Price price_growth cannot be used: it has no amount."),
        (of_price(amount=10**18), "Price price_growth cannot be used: its amount is too large to be true."),
        (
            a_subscription(an_item(a_price(amount=10**17), 10)),
            "Price price_growth cannot be used: its amount is too large to be true.",
        ),
        (of_tiers([a_tier(10, 1)]), "Price price_growth cannot be used: no tier covers 1,011 units."),
        (
            of_tiers([a_tier(10, 1)], mode="graduated"),
            "Price price_growth cannot be used: no tier covers 1,011 units.",
        ),
        (of_tiers([a_tier(None)]), "Price price_growth cannot be used: one of its tiers has no amount."),
        (
            of_tiers(UNSET),  # type: ignore[arg-type]
            "Price price_growth has tiers that could not be read: give the connection permission to read prices.",
        ),
        (
            a_subscription(an_item(), currency="eur"),
            "Price price_growth is in USD and its amount in EUR could not be read: "
            "give the connection permission to read prices.",
        ),
        (
            a_subscription(an_item(a_price(currency_options={})), currency="eur"),
            "Price price_growth cannot be used: it has no amount in EUR.",
        ),
        (
            a_subscription(an_item(tax_rates=[a_tax("100.5", inclusive=True)])),
            "Tax rate txr_1 is 100.5 %, which cannot be.",
        ),
        (
            with_discount("di_7"),
            "Discount di_7 could not be read: give the connection permission to read coupons; "
            "a deleted coupon stays unreadable.",
        ),
        (
            with_discount(a_discount("GONE")),
            "Coupon GONE could not be read: give the connection permission to read coupons; "
            "a deleted coupon stays unreadable.",
        ),
        (with_discount(a_discount(None)), "Discount di_1 names no coupon, so what it takes off is unknown."),
        (
            with_discount(percent_off("10", applies_to=UNSET)),
            "The products coupon LOYAL is limited to could not be read: give the connection permission to read "
            "coupons; a deleted coupon stays unreadable.",
        ),
        (
            with_discount(percent_off("10", duration="mostly")),
            "Coupon LOYAL lasts “mostly”, a duration we do not know.",
        ),
        (
            with_discount(a_discount(a_coupon())),
            "Coupon LOYAL cannot be used: it takes off neither a percentage nor an amount, or both.",
        ),
        (with_discount(percent_off("101")), "Coupon LOYAL cannot be used: its percentage cannot be."),
        (with_discount(amount_off(-1)), "Coupon LOYAL cannot be used: its amount cannot be."),
        (
            euros(discounts=[amount_off(100)]),
            "The amount of coupon LOYAL in EUR could not be read: give the connection permission to read coupons; "
            "a deleted coupon stays unreadable.",
        ),
        (
            euros(discounts=[amount_off(100, currency_options={})]),
            "Coupon LOYAL has no amount in EUR, so its discount is left out.",
        ),
    ],
)
def test_every_problem_is_a_sentence_that_names_its_object(subscription: Any, message: str) -> None:
    (problem,) = reckon(subscription).problems
    assert problem.message == message


def test_a_product_that_is_gone_is_named() -> None:
    (problem,) = reckon(a_subscription(), catalog=Catalog(has_all_products=True)).problems
    assert problem.message == "Product prod_growth is gone from Stripe, so its plan goes by another name."


@pytest.mark.parametrize(
    ("subscription", "catalog", "label"),
    [
        (a_subscription(items=SubscriptionItems(data=[])), Catalog(), "No items"),
        (a_subscription(items=SubscriptionItems(data=[an_item()], has_more=True)), Catalog(), "Further items"),
        (a_subscription(), Catalog(has_all_products=True), "Product gone"),
        (a_subscription(*[an_item(a_price(amount=10**17 - 1))] * 2), Catalog(), "Too large"),
        (a_subscription(an_item(a_price(currency="ngn")), currency="ngn"), Catalog(), "Exchange rate"),
        (with_discount("di_7"), Catalog(), "di_7"),
        (with_discount(a_discount("GONE")), Catalog(), "GONE"),
        (with_discount(a_discount(None)), Catalog(), "di_1"),
    ],
)
def test_a_problem_stands_on_a_line_with_a_name(subscription: Any, catalog: Catalog, label: str) -> None:
    flagged = [line for line in reckon(subscription, catalog=catalog).receipt.lines if line.problem]
    assert [line.label for line in flagged] == [label]


def test_an_unknown_invoice_status_is_a_sentence_that_names_the_invoice() -> None:
    (problem,) = payment_status([an_invoice("misplaced")], intents={}, subscriptions=[], now=NOW).problems
    assert problem.message == "Invoice in_1 has the status “misplaced”, which we do not know, so it was passed over."


def test_a_rate_that_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"^Exchange rates must be above zero\.$"):
        cross_rate(Decimal(0), Decimal(1))


def test_each_reason_for_counting_zero_is_a_sentence() -> None:
    assert WHY_ZERO == {
        "trialing": "A trial counts 0 until it ends.",
        "unpaid": "Unpaid: every attempt to collect failed, so it counts 0.",
        "incomplete": "Incomplete: the first payment has not gone through, so it counts 0.",
        "paused": "Paused: it counts 0 until it is resumed.",
        "ended": "It has ended; only its start date counts.",
        "unknown_status": "Its status is new to us, so it counts 0 until we know what it means.",
        "no_items": "It has no items.",
        "not_recurring": "None of its items is a recurring fixed price; usage and one-off prices never count.",
        "no_exchange_rate": "There is no exchange rate for its currency.",
        "incomplete_data": "What it is worth cannot be read completely, and a guess would be wrong.",
        "discounted": "Discounts take off everything.",
        "credited": "Its items with a negative price take off everything.",
        "free": "What its items charge comes to nothing.",
    }


@pytest.mark.parametrize(
    ("status", "fields", "message"),
    [
        ("draft", {}, "Invoice {number} is a draft"),
        ("void", {}, "Invoice {number} was voided"),
        ("misplaced", {}, "Invoice {number} has a status we do not know"),
        ("open", {}, "No payment of invoice {number} was tried yet"),
        ("open", {"pi": "processing"}, "The first debit of invoice {number} is under way"),
        (
            "open",
            {"pi": "succeeded"},
            "Invoice {number} is partly paid and not due yet, {amount_remaining} open",
        ),
        ("open", SENT, "Invoice {number} is not due yet, {amount_remaining} open"),
        (
            "uncollectible",
            {"reason": "subscription_paused"},
            "Invoice {number} was set aside when its subscription was paused",
        ),
    ],
)
def test_an_invoice_that_says_nothing_about_paying_says_why_in_words(
    status: str, fields: dict[str, Any], message: str
) -> None:
    found = verdict(an_invoice(status, **fields), intents=intents(fields.get("pi")), now=NOW)
    assert (found.kind, found.message) == ("next", message)


@pytest.mark.parametrize(
    ("subscriptions", "text"),
    [
        ([("unpaid", None)], "No invoice decides, and a subscription is unpaid"),
        ([("past_due", None)], "No invoice decides, and a subscription is past due"),
        ([("past_due", "send_invoice")], "No invoice decides, and a subscription paid by invoice is past due"),
        ([("incomplete", None)], "No invoice decides, and a subscription lacks its first payment"),
        ([], "No invoice says anything about paying yet"),
    ],
)
def test_each_fallback_is_a_sentence(subscriptions: list[tuple[str, str | None]], text: str) -> None:
    live = [LiveSubscription(*each) for each in subscriptions]
    assert sentence(payment_status([], intents={}, subscriptions=live, now=NOW).reason) == text


def test_a_due_date_beyond_any_calendar_leaves_its_place_in_the_sentence_empty() -> None:
    invoice = an_invoice(due_date=-(10**30), created=at(days=-3), **SENT)
    reason = payment_status([invoice], intents={}, subscriptions=[], now=NOW).reason
    assert sentence(reason) == "Invoice ACME-1 was due on , $20 open"
