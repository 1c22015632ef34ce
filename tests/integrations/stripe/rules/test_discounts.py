"""Item, subscription and customer discounts (docs/rules.md section 4, steps 5, 8 and 9)."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec import UNSET

from integrations.stripe.api.objects import CouponCurrencyOption, Discount
from integrations.stripe.rules.discounts import Ruling, judge
from integrations.stripe.rules.moments import moment
from integrations.stripe.rules.mrr import Catalog
from tests.integrations.stripe.rules.builders import (
    NOW,
    a_coupon,
    a_discount,
    a_price,
    a_subscription,
    a_tax,
    amount_off,
    an_item,
    at,
    codes,
    monthly,
    only,
    percent_off,
    reckon,
)

TWO_ITEMS = (
    an_item(a_price("price_a", amount=10000, product="prod_a")),
    an_item(a_price("price_b", amount=30000, product="prod_b"), item_id="si_2"),
)


def known(*coupons: Any) -> Catalog:
    return Catalog(coupons={coupon.id: coupon for coupon in coupons})


def of_item(*discounts: Any, amount: int = 10000, **fields: Any) -> Any:
    return a_subscription(an_item(a_price(amount=amount, **fields), discounts=list(discounts)))


def of_subscription(*discounts: Any, **fields: Any) -> Any:
    return a_subscription(*TWO_ITEMS, discounts=list(discounts), **fields)


# Step 5: items


@pytest.mark.parametrize(
    ("discounts", "expected"),
    [
        ([percent_off("10")], "90"),
        ([percent_off("33.33")], "66.67"),
        ([percent_off("100")], "0"),
        ([percent_off("0")], "100"),
        ([amount_off(2500)], "75"),
        ([amount_off(99999)], "0"),
        ([amount_off(0)], "100"),
        ([percent_off("10"), amount_off(2500)], "65"),
        ([amount_off(2500), percent_off("10")], "67.5"),
    ],
)
def test_item_discounts_apply_in_their_order(discounts: list[Discount], expected: str) -> None:
    assert monthly(of_item(*discounts)) == Decimal(expected)


def test_discounts_take_from_the_smallest_amount_too() -> None:
    item = an_item(a_price(amount=50), discounts=[percent_off("50")])
    assert monthly(a_subscription(item, discounts=[percent_off("50")])) == Decimal("0.125")


def test_an_amount_off_an_item_comes_with_each_of_its_periods() -> None:
    assert monthly(of_item(amount_off(1200), amount=12000, interval="year")) == 9


def test_item_discounts_come_before_inclusive_tax() -> None:
    item = an_item(a_price(amount=10000), discounts=[amount_off(2000)], tax_rates=[a_tax("25", inclusive=True)])
    assert monthly(a_subscription(item)) == 64


def test_the_products_of_a_coupon_have_no_meaning_on_an_item() -> None:
    assert monthly(of_item(percent_off("10", applies_to=only("prod_other")))) == 90


def test_an_expanded_coupon_suffices_on_an_item() -> None:
    assert monthly(of_item(percent_off("10", applies_to=UNSET))) == 90


def test_a_coupon_sent_as_an_id_is_looked_up() -> None:
    assert monthly(of_item(a_discount("LOYAL")), catalog=known(a_coupon(percent="10"))) == 90


@pytest.mark.parametrize("discount", ["di_9", a_discount("GONE")], ids=["discount id", "coupon not in the catalog"])
def test_an_item_discount_that_cannot_be_read_leaves_its_item_without_a_figure(discount: Any) -> None:
    subscription = a_subscription(an_item(discounts=[discount]), an_item(a_price("price_b"), item_id="si_2"))
    result = reckon(subscription)
    assert (result.amount, codes(result)) == (10, ["permission_missing"])


def test_after_an_unreadable_discount_the_next_ones_have_nothing_to_say() -> None:
    assert codes(reckon(of_item("di_1", "di_2"))) == ["permission_missing"]


def test_discounts_of_an_item_that_charges_nothing_are_not_asked_for() -> None:
    assert monthly(of_item("di_1", amount=0)) == 0


def test_discounts_leave_negative_prices_alone() -> None:
    credit = an_item(a_price("price_b", amount=-2000), item_id="si_2", discounts=[percent_off("50")])
    assert monthly(a_subscription(an_item(a_price(amount=10000)), credit, discounts=[percent_off("50")])) == 30


# Step 8: subscription and customer


@pytest.mark.parametrize(
    ("discounts", "expected"),
    [
        ([percent_off("10")], "360"),
        ([amount_off(10000)], "300"),
        ([amount_off(99999)], "0"),
        ([percent_off("50"), amount_off(10000)], "100"),
        ([amount_off(10000), percent_off("50")], "150"),
        ([percent_off("10", applies_to=only("prod_b"))], "370"),
        ([percent_off("10", applies_to=only("prod_a", "prod_b"))], "360"),
        ([percent_off("10", applies_to=only())], "360"),
        ([percent_off("10", applies_to=only("prod_c"))], "400"),
        ([amount_off(20000, applies_to=only("prod_a"))], "300"),
        ([amount_off(20000), percent_off("100", applies_to=only("prod_b"))], "50"),
        ([], "400"),
    ],
)
def test_subscription_discounts_apply_in_their_order_to_the_items_they_touch(
    discounts: list[Discount], expected: str
) -> None:
    assert monthly(of_subscription(*discounts)) == Decimal(expected)


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        (("month", "year"), "300"),
        (("year", "month"), "300"),
        (("year", "year"), "391.666666666667"),
    ],
)
def test_an_amount_off_comes_with_every_invoice_so_with_the_shortest_interval(
    intervals: tuple[str, str], expected: str
) -> None:
    per_period = {"month": 20000, "year": 240000}
    items = [
        an_item(a_price(f"price_{number}", amount=per_period[interval], interval=interval), item_id=f"si_{number}")
        for number, interval in enumerate(intervals)
    ]
    assert monthly(a_subscription(*items, discounts=[amount_off(10000)])) == Decimal(expected)


def test_an_amount_off_takes_the_shortest_interval_of_the_items_it_touches() -> None:
    items = (
        an_item(a_price("price_a", amount=10000, product="prod_a")),
        an_item(a_price("price_b", amount=120000, interval="year", product="prod_b"), item_id="si_2"),
    )
    discount = amount_off(12000, applies_to=only("prod_b"))
    assert monthly(a_subscription(*items, discounts=[discount])) == 190


def test_an_amount_off_a_weekly_subscription_comes_every_week() -> None:
    weekly = a_subscription(an_item(a_price(amount=1200, interval="week")), discounts=[amount_off(600)])
    assert monthly(weekly) == 26


def test_an_amount_off_is_spread_in_proportion() -> None:
    discounts = [amount_off(20000), percent_off("50", applies_to=only("prod_a"))]
    assert monthly(of_subscription(*discounts)) == 175


def test_without_its_own_a_subscription_inherits_its_customers_discount() -> None:
    assert monthly(of_subscription(), customer_discount=percent_off("25")) == 300


def test_item_discounts_do_not_stand_in_the_way_of_the_customers() -> None:
    subscription = of_item(percent_off("10"))
    assert monthly(subscription, customer_discount=percent_off("50")) == 45


@pytest.mark.parametrize("own", [percent_off("10"), percent_off("10", duration="once")], ids=["in force", "once"])
def test_a_subscription_with_a_discount_of_its_own_ignores_the_customers(own: Discount) -> None:
    expected = 400 if own.source.coupon.duration == "once" else 360  # type: ignore[union-attr]
    assert monthly(of_subscription(own), customer_discount=percent_off("50")) == expected


# Amounts in another currency


def euro_subscription(discount: Any) -> Any:
    return a_subscription(an_item(a_price(amount=10000, currency="eur")), currency="eur", discounts=[discount])


def test_an_amount_in_another_currency_is_read_from_the_currency_options() -> None:
    discount = amount_off(9999, currency_options={"eur": CouponCurrencyOption(amount_off=2000)})
    assert monthly(euro_subscription(discount)) == 100


def test_currency_options_of_a_coupon_are_looked_up() -> None:
    listed = a_coupon(amount_off=9999, currency="usd", currency_options={"eur": CouponCurrencyOption(amount_off=2000)})
    assert monthly(euro_subscription(amount_off(9999)), catalog=known(listed)) == 100


@pytest.mark.parametrize("options", [{}, None, {"gbp": CouponCurrencyOption(amount_off=1)}])
def test_a_discount_without_an_amount_in_the_currency_is_left_out_and_flagged(options: Any) -> None:
    result = reckon(euro_subscription(amount_off(2000, currency_options=options)))
    assert (result.amount, codes(result), result.problems[0].subject) == (125, ["invalid_response"], "LOYAL")


@pytest.mark.parametrize("catalog", [Catalog(), known(a_coupon(amount_off=9, currency="usd"))])
def test_currency_options_of_a_coupon_that_cannot_be_read_are_flagged(catalog: Catalog) -> None:
    result = reckon(euro_subscription(amount_off(2000)), catalog=catalog)
    assert (result.amount, codes(result)) == (0, ["permission_missing"])


def test_a_zero_decimal_amount_off_is_not_divided() -> None:
    subscription = a_subscription(
        an_item(a_price(amount=10000, currency="jpy")), currency="jpy", discounts=[amount_off(5000, "jpy")]
    )
    assert monthly(subscription) == 32


# What cannot be read or known


@pytest.mark.parametrize("discount", ["di_9", a_discount("GONE")])
def test_a_subscription_discount_that_cannot_be_read_touches_every_item(discount: Any) -> None:
    result = reckon(of_subscription(discount))
    assert (result.amount, codes(result), result.receipt.why_zero) == (0, ["permission_missing"], "incomplete_data")


def test_a_coupon_that_cannot_be_read_says_what_to_do() -> None:
    (problem,) = reckon(of_subscription(a_discount("GONE"))).problems
    assert problem.message == (
        "Coupon GONE could not be read: give the connection permission to read coupons; "
        "a deleted coupon stays unreadable."
    )


def test_a_discount_that_names_no_coupon_is_invalid() -> None:
    result = reckon(of_subscription(a_discount(None)))
    assert (result.amount, codes(result), result.problems[0].subject) == (0, ["invalid_response"], "di_1")


def test_the_products_of_an_expanded_coupon_are_looked_up() -> None:
    listed = a_coupon(percent="10", applies_to=only("prod_b"))
    assert monthly(of_subscription(percent_off("10", applies_to=UNSET)), catalog=known(listed)) == 370


@pytest.mark.parametrize("catalog", [Catalog(), known(a_coupon(percent="10", applies_to=UNSET))])
def test_a_coupon_whose_products_are_unknown_is_flagged(catalog: Catalog) -> None:
    result = reckon(of_subscription(percent_off("10", applies_to=UNSET)), catalog=catalog)
    assert (result.amount, codes(result)) == (0, ["permission_missing"])


def test_the_products_of_a_coupon_that_changes_nothing_are_not_asked_for() -> None:
    assert monthly(of_subscription(percent_off("10", duration="once", applies_to=UNSET))) == 400


@pytest.mark.parametrize(
    ("coupon", "code"),
    [
        (a_coupon(percent="10", duration="mostly", applies_to=only("prod_b")), "unknown_value"),
        (a_coupon(applies_to=only("prod_b")), "invalid_response"),
        (a_coupon(percent="10", amount_off=1, currency="usd", applies_to=only("prod_b")), "invalid_response"),
        (a_coupon(percent="-0.01", applies_to=only("prod_b")), "invalid_response"),
        (a_coupon(percent="100.01", applies_to=only("prod_b")), "invalid_response"),
        (a_coupon(amount_off=-1, currency="usd", applies_to=only("prod_b")), "invalid_response"),
        (a_coupon(amount_off=10**18, currency="usd", applies_to=only("prod_b")), "invalid_response"),
    ],
    ids=["duration", "neither", "both", "negative percent", "over 100", "negative amount", "huge amount"],
)
def test_a_coupon_that_makes_no_sense_leaves_the_items_it_touches_without_a_figure(coupon: Any, code: str) -> None:
    result = reckon(of_subscription(a_discount(coupon)))
    assert (result.amount, codes(result), result.problems[0].subject) == (100, [code], "LOYAL")


def test_an_unreadable_discount_that_touches_nothing_is_no_problem() -> None:
    assert monthly(a_subscription(an_item(a_price(amount=0)), discounts=["di_9"])) == 0


@pytest.mark.parametrize(
    ("discount", "effect"),
    [
        (percent_off("10"), "reduce"),
        (percent_off("10", duration="once"), "none"),
        (amount_off(100, "eur", currency_options={}), "left_out"),
        ("di_1", "unreadable"),
    ],
)
def test_a_ruling_says_what_becomes_of_a_discount(discount: Any, effect: str) -> None:
    assert judge(discount, currency="usd", coupons={}, now=NOW, of_item=False).effect == effect


def test_a_ruling_about_a_bare_discount_knows_neither_coupon_nor_amount() -> None:
    ruling = judge("di_1", currency="usd", coupons={}, now=NOW, of_item=True)
    assert (ruling.discount, ruling.coupon, ruling.label, ruling.percent, ruling.amount) == (
        "di_1",
        "",
        "di_1",
        None,
        None,
    )
    assert judge(a_discount(None), currency="usd", coupons={}, now=NOW, of_item=True).coupon == ""
    assert Ruling(effect="none", discount="di_1", label="x") == Ruling(
        effect="none", discount="di_1", label="x", coupon="", detail=""
    )


# Step 9: in force


@pytest.mark.parametrize(
    ("duration", "end", "expected"),
    [
        ("forever", None, 360),
        ("forever", at(days=-1), 360),
        ("repeating", None, 360),
        ("repeating", at(seconds=1), 360),
        ("repeating", at(seconds=0), 400),
        ("repeating", at(days=-1), 400),
        ("repeating", 10**30, 360),
        ("once", None, 400),
        ("once", at(days=9), 400),
    ],
)
def test_a_discount_is_in_force_by_its_duration_and_end(duration: str, end: int | None, expected: int) -> None:
    discount = a_discount(a_coupon(percent="10", duration=duration), end=end)
    assert monthly(of_subscription(discount)) == expected
    item = an_item(a_price(amount=40000), discounts=[discount])
    assert monthly(a_subscription(item)) == expected


def repeating(end: int | None, **fields: Any) -> Discount:
    return a_discount(a_coupon(duration="repeating", **({"percent": "10"} | fields)), end=end)


@pytest.mark.parametrize(
    ("discounts", "expected"),
    [
        ([repeating(at(days=9)), repeating(at(days=5)), repeating(at(days=-5))], at(days=5)),
        ([repeating(None), repeating(10**30), percent_off("10")], None),
        ([a_discount(a_coupon(percent="10"), end=at(days=5))], None),
        ([a_discount(a_coupon(percent="10", duration="once"), end=at(days=5))], None),
        ([repeating(at(days=5), percent="200")], at(days=5)),
    ],
)
def test_the_next_change_is_the_earliest_end_of_a_repeating_discount_in_force(
    discounts: list[Discount], expected: int | None
) -> None:
    assert reckon(of_subscription(*discounts)).next_change_at == moment(expected)


def test_the_end_of_an_item_discount_and_of_the_customers_are_changes_too() -> None:
    subscription = a_subscription(an_item(discounts=[repeating(at(days=5))]))
    assert reckon(subscription, customer_discount=repeating(at(days=3))).next_change_at == moment(at(days=3))
    assert reckon(subscription).next_change_at == moment(at(days=5))


@pytest.mark.parametrize("amount", [10000, 0])
def test_a_repeating_discount_that_cannot_be_read_ends_too(amount: int) -> None:
    unread = a_discount(a_coupon(duration="repeating", percent="10", applies_to=UNSET), end=at(days=5))
    subscription = a_subscription(an_item(a_price(amount=amount)), discounts=[unread])

    assert reckon(subscription).next_change_at == moment(at(days=5))
    assert monthly(subscription, now=moment(at(days=5))) == amount / 100
