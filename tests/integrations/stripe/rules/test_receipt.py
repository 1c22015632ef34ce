"""The receipt: a line for each step, adding up to the figure (docs/rules.md section 4)."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from integrations.stripe.api.objects import Product, SubscriptionItems
from integrations.stripe.rules.mrr import Catalog
from integrations.stripe.rules.receipt import WHY_ZERO, Line, Receipt, as_read
from tests.integrations.stripe.rules.builders import (
    RATE_DAY,
    a_coupon,
    a_discount,
    a_price,
    a_subscription,
    a_tax,
    a_tier,
    a_tiered_price,
    amount_off,
    an_item,
    at,
    only,
    packages,
    percent_off,
    reckon,
)


def lines(subscription: Any, **fields: Any) -> list[Line]:
    return reckon(subscription, **fields).receipt.lines


def test_an_item_line_says_what_is_bought_how_much_of_it_and_how_often() -> None:
    price = a_price(amount=6250, lookup_key="growth_monthly")
    assert lines(a_subscription(an_item(price, 20))) == [
        Line(
            kind="item",
            label="Growth",
            detail="20 × $62.50 a month",
            amount=Decimal(1250),
            currency="usd",
            interval="month",
            usd=Decimal("1250.000000000000"),
            item="si_1",
            price="price_growth",
            quantity=20,
        )
    ]


@pytest.mark.parametrize(
    ("price", "quantity", "detail"),
    [
        (a_price(amount=60000, count=3), 1, "1 × $600.00 a quarter, ÷ 3"),
        (a_price(amount=1000, interval="week"), 2, "2 × $10.00 a week, × 52/12"),
        (a_price(amount="0.35"), 1200, "1,200 × $0.0035 a month"),
        (a_price(transform_quantity=packages(10, "up")), 58, "6 × $10.00 a month, 58 in packages of 10"),
        (a_price(transform_quantity=packages(10, "up")), None, "1 × $10.00 a month, 1 in packages of 10"),
        (a_price(), 0, "0 units charge nothing"),
        (
            a_tiered_price("graduated", [a_tier(10, 500, 2000), a_tier(None, 400)]),
            12,
            "12 units: 10 × $5.00 + $20.00 flat + 2 × $4.00 a month",
        ),
    ],
)
def test_an_item_line_explains_its_amount(price: Any, quantity: int | None, detail: str) -> None:
    assert lines(a_subscription(an_item(price, quantity)))[0].detail == detail


def test_a_quantity_that_is_absent_is_shown_as_one() -> None:
    assert lines(a_subscription(an_item(quantity=None)))[0].quantity == 1


def test_lines_are_named_by_the_catalogs_product_names() -> None:
    assert (
        lines(a_subscription(), catalog=Catalog(product_names={"prod_growth": "Growth seat"}))[0].label == "Growth seat"
    )


def test_lines_are_named_by_an_expanded_product() -> None:
    price = a_price(product=Product(id="prod_growth", name="Insights"))
    assert lines(a_subscription(an_item(price)))[0].label == "Insights"


@pytest.mark.parametrize(
    ("price", "detail"),
    [
        (a_price(interval=None), "One-off price: never counts towards MRR"),
        (a_price(usage_type="metered"), "Metered: usage never counts towards MRR"),
    ],
)
def test_items_that_never_count_are_noted(price: Any, detail: str) -> None:
    line = lines(a_subscription(an_item(price, None), an_item(item_id="si_2")))[0]
    assert (line.kind, line.detail, line.usd, line.amount, line.item) == ("note", detail, 0, None, "si_1")


def test_an_item_discount_is_a_line_of_its_own_for_the_items_period() -> None:
    discount = a_discount(a_coupon("LOYAL10", percent="10", name="Loyal"), discount_id="di_7")
    price = a_price(amount=12000, interval="year")
    assert lines(a_subscription(an_item(price, discounts=[discount])))[1] == Line(
        kind="discount",
        label="Loyal",
        detail="10 % off, forever",
        amount=Decimal(-12),
        currency="usd",
        interval="year",
        usd=Decimal(-1),
        item="si_1",
        price="price_growth",
        discount="di_7",
        coupon="LOYAL10",
    )


def test_a_subscription_discount_is_a_line_for_each_month() -> None:
    line = lines(a_subscription(discounts=[percent_off("10")]))[1]
    assert (line.label, line.amount, line.interval, line.usd, line.item) == ("LOYAL", -1, "month", -1, "")


@pytest.mark.parametrize(
    ("discount", "detail"),
    [
        (percent_off("12.5"), "12.5 % off, forever"),
        (amount_off(100), "$1.00 off each invoice, forever"),
        (a_discount(a_coupon(percent="5", duration="repeating"), end=at(days=9)), "5 % off, until 1 Dec 2026 (UTC)"),
        (percent_off("5", duration="repeating"), "5 % off, repeating without an end"),
        (percent_off("5", duration="once"), "Applies to one invoice only, so it never changes MRR"),
        (a_discount(a_coupon(percent="5", duration="repeating"), end=at(days=-9)), "Its months are over"),
        (percent_off("5", applies_to=only("prod_x")), "Applies to none of the items that charge something"),
    ],
)
def test_a_discount_line_says_what_it_takes_off_and_how_long(discount: Any, detail: str) -> None:
    assert lines(a_subscription(discounts=[discount]))[1].detail == detail


def test_a_discount_of_the_customer_says_so() -> None:
    line = lines(a_subscription(), customer_discount=percent_off("10"))[1]
    assert line.detail == "10 % off, forever, from the customer"


def test_inclusive_tax_is_taken_out_in_a_line() -> None:
    item = an_item(a_price(amount=12000), tax_rates=[a_tax("20", inclusive=True, name="German VAT")])
    line = lines(a_subscription(item))[1]
    assert line == Line(
        kind="tax",
        label="German VAT",
        detail="20 % included, taken out",
        amount=Decimal(-20),
        currency="usd",
        interval="month",
        usd=Decimal(-20),
        item="si_1",
        price="price_growth",
    )


def test_exclusive_tax_is_mentioned_and_changes_nothing() -> None:
    rates = [a_tax("7", inclusive=False, name=""), a_tax("1.5", inclusive=False, name="City")]
    line = lines(a_subscription(an_item(tax_rates=rates)))[1]
    assert line == Line(
        kind="tax",
        label="Tax, City",
        detail="7 % + 1.5 % comes on top and never counts",
        interval="month",
        usd=Decimal(0),
        item="si_1",
        price="price_growth",
    )


@pytest.mark.parametrize("inclusive", [True, False])
def test_tax_on_nothing_is_not_mentioned(inclusive: bool) -> None:
    item = an_item(a_price(amount=0), tax_rates=[a_tax("7", inclusive=inclusive)])
    assert [line.kind for line in lines(a_subscription(item))] == ["item", "zero"]


@pytest.mark.parametrize(
    ("currency", "rate", "source", "detail"),
    [
        ("eur", "1.25", "ecb", "1 EUR = 1.25 USD, ECB, 30 Oct 2026"),
        ("kwd", "3.25", "admin", "1 KWD = 3.25 USD, entered by an admin, 30 Oct 2026"),
    ],
)
def test_a_converted_receipt_names_rate_day_and_source(currency: str, rate: str, source: str, detail: str) -> None:
    line = lines(a_subscription(an_item(a_price(currency=currency)), currency=currency))[-1]
    assert line == Line(
        kind="rate",
        label="Exchange rate",
        detail=detail,
        currency=currency,
        usd=Decimal(0),
        rate=Decimal(rate),
        rate_date=RATE_DAY,
        rate_source=source,
    )


def test_an_old_rate_says_its_age_when_it_is_read() -> None:
    line = lines(a_subscription(an_item(a_price(currency="eur")), currency="eur"))[-1]
    detail = "1 EUR = 1.25 USD, ECB, 30 Oct 2026"
    assert as_read(line, today=date(2026, 11, 6)).detail == detail
    assert as_read(line, today=date(2026, 11, 24)).detail == f"{detail}, 25 days old"


@pytest.mark.parametrize(
    "line",
    [
        lines(a_subscription(an_item(a_price(currency="kwd")), currency="kwd"))[-1],
        lines(a_subscription())[0],
        Line(kind="rate", label="Exchange rate", rate_source="ecb"),
    ],
    ids=["entered by an admin", "no rate", "no date"],
)
def test_nothing_else_on_a_receipt_grows_old(line: Line) -> None:
    assert as_read(line, today=date(2030, 1, 1)) == line


def test_what_a_line_does_not_have_is_left_out_of_storage() -> None:
    assert msgspec.to_builtins(Line(kind="note", label="Seats")) == {"kind": "note", "label": "Seats"}
    empty = Line(
        kind="note",
        label="Seats",
        detail="",
        currency="",
        interval="",
        item="",
        price="",
        discount="",
        coupon="",
        rate_source="",
        problem="",
    )
    assert msgspec.to_builtins(empty) == {"kind": "note", "label": "Seats"}


def test_a_missing_rate_leaves_the_lines_without_an_effect_in_dollars() -> None:
    found = lines(a_subscription(an_item(a_price(currency="ngn")), currency="ngn"))
    assert [(line.kind, line.usd, line.problem) for line in found] == [
        ("item", None, ""),
        ("rate", None, "no_exchange_rate"),
        ("zero", None, ""),
    ]


def test_dollars_need_no_line_about_a_rate_and_neither_does_nothing_to_convert() -> None:
    metered = an_item(a_price(currency="eur", usage_type="metered"), None)
    assert [line.kind for line in lines(a_subscription(metered, currency="eur"))] == ["note", "zero"]
    assert [line.kind for line in lines(a_subscription())] == ["item"]


@pytest.mark.parametrize(
    ("subscription", "kind"),
    [
        (a_subscription(an_item(a_price(interval="fortnight"))), "item"),
        (a_subscription(an_item(discounts=["di_1"])), "discount"),
        (a_subscription(discounts=["di_1"]), "discount"),
        (a_subscription(an_item(tax_rates=[a_tax("-1", inclusive=True)])), "tax"),
        (a_subscription(items=SubscriptionItems(data=[an_item()], has_more=True)), "note"),
        (a_subscription(*[an_item(a_price(amount=10**17 - 1))] * 2), "note"),
    ],
)
def test_whatever_is_incomplete_is_flagged_on_its_line_with_the_problem_in_words(subscription: Any, kind: str) -> None:
    result = reckon(subscription)
    flagged = [line for line in result.receipt.lines if line.problem]
    (problem,) = result.problems
    assert [(line.kind, line.problem, line.detail) for line in flagged] == [(kind, problem.code, problem.message)]


def test_what_an_unreadable_discount_takes_away_is_shown() -> None:
    found = lines(a_subscription(an_item(), an_item(a_price("price_b"), item_id="si_2"), discounts=["di_1"]))
    assert [line.usd for line in found] == [10, 10, -20, 0]


def test_what_a_negative_price_exceeds_is_given_back() -> None:
    found = lines(a_subscription(an_item(), an_item(a_price("price_b", amount=-1300), item_id="si_2")))
    assert [line.usd for line in found] == [10, -13, 3, 0]
    assert found[2] == Line(
        kind="note",
        label="Never below zero",
        detail="Negative prices exceed the rest",
        amount=Decimal(3),
        currency="usd",
        interval="month",
        usd=Decimal(3),
    )


@pytest.mark.parametrize(
    ("subscription", "why"),
    [
        (a_subscription(status="trialing"), "trialing"),
        (a_subscription(status="hibernating"), "unknown_status"),
        (a_subscription(an_item(a_price(amount=50)), discounts=[percent_off("100")]), "discounted"),
        (a_subscription(an_item(a_price(amount="0.00000000001"))), "free"),
    ],
)
def test_a_receipt_over_nothing_ends_with_the_reason(subscription: Any, why: str) -> None:
    result = reckon(subscription)
    last = result.receipt.lines[-1]
    assert (last.kind, last.label, last.detail) == ("zero", "Counts 0", WHY_ZERO[why])
    assert result.receipt.why_zero == why


def test_a_subscription_that_does_not_count_still_lists_what_is_on_it() -> None:
    items = (
        an_item(a_price(amount=900), 20),
        an_item(a_price("price_m", usage_type="metered"), None, item_id="si_2"),
        an_item(a_price("price_o", interval=None), item_id="si_3"),
        an_item(a_price("price_t", amount=None, billing_scheme="tiered", tiers_mode="volume"), item_id="si_4"),
    )
    found = lines(a_subscription(*items, status="trialing"))
    assert [(line.kind, line.detail) for line in found[:-1]] == [
        ("note", "20 × $9.00 a month"),
        ("note", ""),
        ("note", ""),
        ("note", ""),
    ]


def test_a_receipt_names_its_subscription_status_and_currency() -> None:
    receipt = reckon(a_subscription(status="past_due")).receipt
    assert (receipt.subscription, receipt.status, receipt.currency, receipt.counts, receipt.why_zero) == (
        "sub_1",
        "past_due",
        "usd",
        True,
        "",
    )


def test_a_receipt_survives_storage() -> None:
    item = an_item(a_price(currency="eur"), discounts=[percent_off("10")], tax_rates=[a_tax("19", inclusive=True)])
    receipt = reckon(a_subscription(item, currency="eur")).receipt
    stored = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(receipt)))
    assert msgspec.convert(stored, Receipt) == receipt
    assert stored["lines"][-1]["rate"] == "1.25"
