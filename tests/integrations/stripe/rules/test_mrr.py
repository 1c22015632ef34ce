"""What a subscription adds to MRR, step by step (docs/rules.md section 4)."""

from datetime import date
from decimal import Decimal, localcontext
from typing import Any

import pytest

from integrations.stripe.api.objects import PauseCollection, PriceCurrencyOption, SubscriptionItems
from integrations.stripe.rules.money import Rate, Rates, store_places, to_cents
from integrations.stripe.rules.mrr import Catalog
from integrations.stripe.rules.problems import NAMES_ONLY
from tests.integrations.stripe.rules.builders import (
    NOW,
    a_price,
    a_subscription,
    a_tax,
    a_tier,
    a_tiered_price,
    an_item,
    codes,
    monthly,
    packages,
    reckon,
    total_of,
)

TIERS = [a_tier(10, 500, 2000), a_tier(20, 400, 1000), a_tier(None, "250.5")]


def catalog(*prices: Any) -> Catalog:
    return Catalog(prices={price.id: price for price in prices})


# Step 1


@pytest.mark.parametrize("price", [a_price(interval=None), a_price(usage_type="metered")], ids=["one-off", "metered"])
def test_one_off_and_metered_items_never_count(price: Any) -> None:
    assert monthly(a_subscription(an_item(price, None), an_item(item_id="si_2"))) == 10


# Step 2


@pytest.mark.parametrize(("quantity", "expected"), [(None, 10), (0, 0), (1, 10), (20, 200)])
def test_quantity_multiplies_and_is_one_when_absent(quantity: int | None, expected: int) -> None:
    assert monthly(a_subscription(an_item(quantity=quantity))) == expected


@pytest.mark.parametrize(
    ("quantity", "rounding", "expected"),
    [(1, "up", 10), (10, "up", 10), (11, "up", 20), (9, "down", 0), (10, "down", 10), (19, "down", 10), (0, "up", 0)],
)
def test_packages_divide_the_quantity_up_or_down(quantity: int, rounding: str, expected: int) -> None:
    price = a_price(transform_quantity=packages(10, rounding))
    assert monthly(a_subscription(an_item(price, quantity))) == expected


def test_packages_of_one_change_nothing() -> None:
    assert monthly(a_subscription(an_item(a_price(transform_quantity=packages(1, "up")), 3))) == 30


# Steps 3 and 10


@pytest.mark.parametrize(
    ("currency", "minor", "expected"),
    [("usd", 1234, "12.34"), ("jpy", 1000, "6.4"), ("kwd", 2000, "6.5"), ("eur", 800, "10")],
)
def test_minor_units_depend_on_the_currency(currency: str, minor: int, expected: str) -> None:
    assert monthly(a_subscription(an_item(a_price(amount=minor, currency=currency)), currency=currency)) == Decimal(
        expected
    )


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (PriceCurrencyOption(unit_amount=800), 20),
        (PriceCurrencyOption(unit_amount_decimal=Decimal("800.5")), "20.0125"),
    ],
)
def test_a_price_in_another_currency_is_read_from_its_currency_options(
    option: PriceCurrencyOption, expected: Any
) -> None:
    subscription = a_subscription(an_item(a_price(), 2), currency="eur")
    assert monthly(subscription, catalog=catalog(a_price(currency_options={"eur": option}))) == Decimal(expected)


def test_currency_options_sent_inside_the_subscription_are_used_without_a_catalog() -> None:
    price = a_price(currency_options={"eur": PriceCurrencyOption(unit_amount=800)})
    assert monthly(a_subscription(an_item(price), currency="eur")) == 10


def test_tiers_in_another_currency_are_those_of_the_currency_option() -> None:
    option = PriceCurrencyOption(tiers=[a_tier(None, 800)])
    listed = a_tiered_price("volume", [a_tier(None, 9999)], currency_options={"eur": option})
    embedded = a_price(amount=None, billing_scheme="tiered", tiers_mode="volume")
    assert monthly(a_subscription(an_item(embedded, 3), currency="eur"), catalog=catalog(listed)) == 30


@pytest.mark.parametrize("options", [{}, None, {"gbp": PriceCurrencyOption(unit_amount=1)}])
def test_a_price_without_an_amount_in_the_currency_is_invalid(options: Any) -> None:
    result = reckon(a_subscription(an_item(), currency="eur"), catalog=catalog(a_price(currency_options=options)))
    assert (result.amount, codes(result)) == (0, ["invalid_response"])


@pytest.mark.parametrize("known", [Catalog(), catalog(a_price())], ids=["no price", "no options in it"])
def test_currency_options_that_cannot_be_read_are_flagged(known: Catalog) -> None:
    result = reckon(a_subscription(an_item(), currency="eur"), catalog=known)
    assert (result.amount, codes(result), result.problems[0].subject) == (0, ["permission_missing"], "price_growth")


# Step 4


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"amount": 1000}, "10"),
        ({"amount": "33.333333"}, "0.33333333"),
        ({"amount": 7, "unit_amount_decimal": Decimal("6.5")}, "0.065"),
        ({"amount": 0}, "0"),
    ],
)
def test_the_decimal_amount_is_used_before_the_integer_one(fields: dict[str, Any], expected: str) -> None:
    price = a_price(amount=fields.pop("amount"))
    price = type(price)(**({name: getattr(price, name) for name in price.__struct_fields__} | fields))
    assert monthly(a_subscription(an_item(price))) == Decimal(expected)


@pytest.mark.parametrize(
    ("mode", "quantity", "expected"),
    [
        ("volume", 1, "25"),
        ("volume", 10, "70"),
        ("volume", 11, "54"),
        ("volume", 20, "90"),
        ("volume", 21, "52.605"),
        ("graduated", 1, "25"),
        ("graduated", 10, "70"),
        ("graduated", 11, "84"),
        ("graduated", 20, "120"),
        ("graduated", 22, "125.01"),
        ("volume", 0, "0"),
        ("graduated", 0, "0"),
    ],
)
def test_tiers_charge_by_volume_or_graduated_with_their_flat_amounts(mode: str, quantity: int, expected: str) -> None:
    embedded = a_price(amount=None, billing_scheme="tiered", tiers_mode=mode)
    subscription = a_subscription(an_item(embedded, quantity))
    assert monthly(subscription, catalog=catalog(a_tiered_price(mode, TIERS))) == Decimal(expected)


def test_tiers_are_read_in_ascending_order_however_they_come() -> None:
    price = a_tiered_price("graduated", [TIERS[2], TIERS[1], TIERS[0]])
    assert monthly(a_subscription(an_item(price, 22))) == Decimal("125.01")


def test_flat_decimal_amounts_are_used_before_integer_ones() -> None:
    assert monthly(a_subscription(an_item(a_tiered_price("volume", [a_tier(None, flat="150.5")]), 9))) == Decimal(
        "1.505"
    )


@pytest.mark.parametrize("known", [Catalog(), catalog(a_price()), catalog(a_tiered_price("volume", None))])
def test_tiers_that_cannot_be_read_are_flagged_and_only_their_item_counts_nothing(known: Catalog) -> None:
    tiered = an_item(a_price(amount=None, billing_scheme="tiered", tiers_mode="volume"), 5)
    result = reckon(a_subscription(tiered, an_item(a_price("price_b"), item_id="si_2")), catalog=known)
    assert (result.amount, codes(result)) == (10, ["permission_missing"])


@pytest.mark.parametrize("mode", ["volume", "graduated"])
@pytest.mark.parametrize("tiers", [[], [a_tier(10, 1)], [a_tier(None)]], ids=["none", "too few", "without amount"])
def test_tiers_that_do_not_cover_the_quantity_are_invalid(mode: str, tiers: list[Any]) -> None:
    result = reckon(a_subscription(an_item(a_tiered_price(mode, tiers), 11)))
    assert (result.amount, codes(result)) == (0, ["invalid_response"])


@pytest.mark.parametrize(
    "price",
    [
        a_price(interval="fortnight"),
        a_price(usage_type="guessed"),
        a_price(billing_scheme="barter"),
        a_tiered_price("stairs", TIERS),
        a_tiered_price(None, TIERS),
        a_price(transform_quantity=packages(10, "sideways")),
    ],
    ids=["interval", "usage type", "scheme", "tiers mode", "no tiers mode", "rounding"],
)
def test_values_we_do_not_know_count_nothing_and_say_so(price: Any) -> None:
    result = reckon(a_subscription(an_item(price, 5), an_item(a_price("price_b"), item_id="si_2")))
    assert (result.amount, codes(result), result.problems[0].subject) == (10, ["unknown_value"], price.id)


HUGE = 10**18


@pytest.mark.parametrize(
    "item",
    [
        an_item(a_price(amount=None)),
        an_item(quantity=-1),
        an_item(quantity=HUGE),
        an_item(a_price(amount=HUGE)),
        an_item(a_price(amount="1E+400000")),
        an_item(a_price(amount=-HUGE)),
        an_item(a_price(amount=0), HUGE),
        an_item(a_price(amount=10**17, interval="year")),
        an_item(a_price(amount=-(10**17))),
        an_item(a_tiered_price("volume", [a_tier(None, HUGE, 1 - HUGE)])),
        an_item(a_tiered_price("volume", [a_tier(None, -HUGE, HUGE - 1)])),
        an_item(a_price(amount=HUGE - 1), 1000),
        an_item(a_price(amount=1 - HUGE), 1000),
        an_item(a_price(count=0)),
        an_item(a_price(count=10**6 + 1)),
        an_item(a_price(transform_quantity=packages(0, "up"))),
        an_item(a_tiered_price("volume", [a_tier(None, 1, HUGE)])),
    ],
)
def test_numbers_that_cannot_be_are_flagged_and_count_nothing(item: Any) -> None:
    result = reckon(a_subscription(item))
    assert (result.amount, codes(result), result.receipt.why_zero) == (0, ["invalid_response"], "incomplete_data")


@pytest.mark.parametrize(
    ("item", "currency", "expected"),
    [
        (an_item(a_price(amount=10**17 - 1)), "usd", "999999999999999.99"),
        (an_item(a_price(amount="0.000000000001"), 10**18 - 1), "usd", "9999.99999999999999"),
        (an_item(a_price(count=10**6, amount=10**8)), "usd", "1"),
    ],
)
def test_the_largest_numbers_still_count(item: Any, currency: str, expected: str) -> None:
    assert monthly(a_subscription(item, currency=currency)) == store_places(Decimal(expected))


def test_a_subscription_that_is_too_large_in_dollars_counts_nothing_and_is_flagged() -> None:
    items = [an_item(a_price(amount=10**17 - 1), item_id=f"si_{number}") for number in range(2)]
    result = reckon(a_subscription(*items))
    assert (result.amount, codes(result), result.problems[0].subject) == (0, ["invalid_response"], "sub_1")


def test_exactly_the_largest_amount_is_too_large() -> None:
    rates = Rates({"eur": Rate(Decimal(10), date(2026, 1, 1), "ecb")})
    subscription = a_subscription(an_item(a_price(amount=10**16, currency="eur")), currency="eur")
    assert codes(reckon(subscription, rates=rates)) == ["invalid_response"]


# Step 6


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([a_tax("25", inclusive=True)], "100"),
        ([a_tax("20", inclusive=True), a_tax("5", inclusive=True)], "100"),
        ([a_tax("25", inclusive=False)], "125"),
        ([a_tax("25", inclusive=True), a_tax("9", inclusive=False)], "100"),
        ([a_tax("0", inclusive=True)], "125"),
        ([a_tax("100", inclusive=True)], "62.5"),
        ([], "125"),
    ],
)
def test_inclusive_tax_is_taken_out_and_exclusive_tax_never_counts(rates: list[Any], expected: str) -> None:
    assert monthly(a_subscription(an_item(a_price(amount=12500), tax_rates=rates))) == Decimal(expected)


def test_an_item_without_tax_rates_takes_the_subscriptions() -> None:
    subscription = a_subscription(
        an_item(a_price(amount=12500), tax_rates=[]), default_tax_rates=[a_tax("25", inclusive=True)]
    )
    assert monthly(subscription) == 100


def test_an_items_own_tax_rates_replace_the_subscriptions() -> None:
    subscription = a_subscription(
        an_item(a_price(amount=12500), tax_rates=[a_tax("25", inclusive=False)]),
        default_tax_rates=[a_tax("25", inclusive=True)],
    )
    assert monthly(subscription) == 125


@pytest.mark.parametrize("percentage", ["-1", "100.01", "1E+5000"])
def test_a_tax_that_cannot_be_is_flagged(percentage: str) -> None:
    result = reckon(a_subscription(an_item(tax_rates=[a_tax(percentage, inclusive=True)])))
    assert (result.amount, codes(result), result.problems[0].subject) == (0, ["invalid_response"], "txr_1")


# Step 7


@pytest.mark.parametrize(
    ("interval", "count", "expected"),
    [
        ("month", 1, "1200"),
        ("month", 3, "400"),
        ("month", 6, "200"),
        ("year", 1, "100"),
        ("year", 2, "50"),
        ("week", 1, "5200"),
        ("week", 2, "2600"),
        ("day", 1, "36500"),
        ("day", 73, "500"),
    ],
)
def test_every_interval_becomes_a_month(interval: str, count: int, expected: str) -> None:
    assert monthly(a_subscription(an_item(a_price(amount=120000, interval=interval, count=count)))) == Decimal(expected)


def test_each_item_uses_its_own_interval() -> None:
    annual = an_item(a_price("price_b", amount=12000, interval="year"), item_id="si_2")
    assert monthly(a_subscription(an_item(), annual)) == 20


# Step 11


def test_other_currencies_are_converted_with_the_rate() -> None:
    assert monthly(a_subscription(an_item(a_price(amount=10001, currency="eur")), currency="eur")) == Decimal(
        "125.0125"
    )


def test_a_currency_without_a_rate_counts_nothing_and_is_flagged() -> None:
    result = reckon(a_subscription(an_item(a_price(amount=50, currency="ngn")), currency="ngn"))
    assert (result.amount, codes(result), result.problems[0].subject) == (0, ["no_exchange_rate"], "ngn")
    assert result.receipt.why_zero == "no_exchange_rate"
    assert "NGN" in result.problems[0].message


def test_a_missing_rate_does_not_matter_when_there_is_nothing_to_convert() -> None:
    assert monthly(a_subscription(an_item(a_price(amount=0, currency="ngn")), currency="ngn")) == 0


# Step 12


def test_contributions_keep_twelve_places_so_that_thirds_add_up() -> None:
    third = reckon(a_subscription(an_item(a_price(amount=10000, interval="year"))))
    assert (third.amount, to_cents(total_of([third] * 3))) == (Decimal("8.333333333333"), Decimal("25.00"))


def test_the_callers_decimal_context_does_not_matter() -> None:
    with localcontext() as context:
        context.prec = 3
        result = reckon(a_subscription(an_item(a_price(amount=1234567))), checked=False)
    assert result.amount == Decimal("12345.67")


# Status, negative prices, bad lists


@pytest.mark.parametrize("status", ["active", "past_due"])
def test_active_and_past_due_count(status: str) -> None:
    assert monthly(a_subscription(status=status)) == 10


@pytest.mark.parametrize(
    "fields", [{"cancel_at_period_end": True}, {"pause_collection": PauseCollection(behavior="void")}]
)
def test_what_is_set_to_end_or_not_collected_still_counts(fields: dict[str, Any]) -> None:
    assert monthly(a_subscription(**fields)) == 10


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("trialing", "trialing"),
        ("unpaid", "unpaid"),
        ("incomplete", "incomplete"),
        ("paused", "paused"),
        ("canceled", "ended"),
        ("incomplete_expired", "ended"),
    ],
)
def test_other_statuses_count_nothing_without_a_problem(status: str, why: str) -> None:
    tiered = an_item(a_price(amount=None, billing_scheme="tiered", tiers_mode="volume"))
    result = reckon(a_subscription(tiered, status=status))
    assert (result.amount, result.problems, result.receipt.why_zero, result.receipt.counts) == (0, (), why, False)


def test_a_status_we_do_not_know_counts_nothing_and_is_flagged() -> None:
    result = reckon(a_subscription(status="hibernating"))
    assert (result.amount, codes(result), result.problems[0].subject) == (0, ["unknown_value"], "sub_1")
    assert (result.receipt.why_zero, result.receipt.lines[-1].problem) == ("unknown_status", "unknown_value")


def test_a_negative_price_lowers_the_others() -> None:
    assert monthly(a_subscription(an_item(), an_item(a_price("price_b", amount=-300), item_id="si_2"))) == 7


def test_a_subscription_is_never_below_zero() -> None:
    result = reckon(a_subscription(an_item(), an_item(a_price("price_b", amount=-1300), item_id="si_2")))
    assert (result.amount, result.problems, result.receipt.why_zero) == (0, (), "credited")


def test_a_list_of_items_that_was_not_read_to_its_end_is_flagged() -> None:
    result = reckon(a_subscription(items=SubscriptionItems(data=[an_item()], has_more=True)))
    assert (result.amount, codes(result)) == (10, ["invalid_response"])


@pytest.mark.parametrize("status", ["active", "past_due", "trialing", "paused"])
def test_a_live_subscription_without_items_is_flagged(status: str) -> None:
    result = reckon(a_subscription(items=SubscriptionItems(data=[]), status=status))
    assert (result.amount, codes(result), result.problems[0].subject) == (0, ["invalid_response"], "sub_1")


def test_an_ended_subscription_is_not_asked_for_items_or_products() -> None:
    ended = a_subscription(items=SubscriptionItems(data=[]), status="canceled")
    assert reckon(ended).problems == ()
    assert reckon(a_subscription(status="canceled"), catalog=Catalog(has_all_products=True)).problems == ()


# Names


def test_a_product_that_is_gone_is_flagged_and_costs_nothing_but_its_name() -> None:
    items = [
        an_item(a_price(f"price_{product}", product=f"prod_{product}"), item_id=f"si_{number}")
        for number, product in enumerate(["a", "b", "b"])
    ]
    known = Catalog(product_names={"prod_a": "A"}, has_all_products=True)
    result = reckon(a_subscription(*items), catalog=known)
    assert (result.amount, result.receipt.why_zero) == (30, "")
    assert [(each.code, each.subject) for each in result.problems] == [("record_gone", "prod_b")]


def test_a_product_that_is_gone_is_no_reason_to_count_zero() -> None:
    result = reckon(a_subscription(an_item(a_price(amount=0))), catalog=Catalog(has_all_products=True))
    assert (codes(result), result.receipt.why_zero) == (["record_gone"], "free")
    assert frozenset(codes(result)) == NAMES_ONLY


def test_products_that_were_not_all_read_are_not_missed() -> None:
    assert reckon(a_subscription(), catalog=Catalog(product_names={})).problems == ()


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([], "no_items"),
        ([an_item(a_price(interval=None))], "not_recurring"),
        ([an_item(a_price(usage_type="metered"), None)], "not_recurring"),
        ([an_item(a_price(amount=0))], "free"),
        ([an_item(quantity=0)], "free"),
        ([an_item(a_price(currency="ngn"))], "incomplete_data"),
    ],
)
def test_a_counting_subscription_says_why_it_comes_to_nothing(items: list[Any], why: str) -> None:
    result = reckon(a_subscription(items=SubscriptionItems(data=items)))
    assert (result.amount, result.receipt.why_zero, result.receipt.counts) == (0, why, True)


def test_the_same_problem_is_reported_once() -> None:
    items = [an_item(a_price(interval="fortnight"), item_id=f"si_{number}") for number in range(3)]
    assert codes(reckon(a_subscription(*items))) == ["unknown_value"]


def test_nothing_changes_by_itself_without_a_discount() -> None:
    assert reckon(a_subscription(), now=NOW).next_change_at is None
