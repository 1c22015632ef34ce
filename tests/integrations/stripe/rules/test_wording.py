"""How amounts and intervals read."""

from datetime import date
from decimal import Decimal

import pytest

from integrations.stripe.rules.moments import earliest, is_later, moment
from integrations.stripe.rules.wording import (
    day,
    division,
    minor_money,
    money,
    percent,
    period,
    short_money,
    significant,
)
from tests.integrations.stripe.rules.builders import NOW, at


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("1250", "usd", "$1,250.00"),
        ("780", "eur", "€780.00"),
        ("5", "gbp", "£5.00"),
        ("1200", "jpy", "JPY 1,200"),
        ("1.5", "kwd", "KWD 1.500"),
        ("0.0035", "usd", "$0.0035"),
        ("-20", "usd", "−$20.00"),
        ("0", "usd", "$0.00"),
        ("1E+3", "usd", "$1,000.00"),
        ("1E-400", "usd", "$0.000000000000"),
    ],
)
def test_amounts_carry_their_currency_and_as_many_places_as_they_need(amount: str, currency: str, text: str) -> None:
    assert money(Decimal(amount), currency) == text


@pytest.mark.parametrize(
    ("minor", "currency", "text"), [(12345, "usd", "$123.45"), (1200, "jpy", "JPY 1,200"), (1500, "kwd", "KWD 1.500")]
)
def test_minor_amounts_are_divided_as_their_currency_wants(minor: int, currency: str, text: str) -> None:
    assert minor_money(minor, currency) == text


def test_dates_name_every_month_in_english() -> None:
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    assert [day(date(2026, number, 3)) for number in range(1, 13)] == [f"3 {month} 2026" for month in months]


@pytest.mark.parametrize(("amount", "text"), [("1400", "$1,400"), ("1400.50", "$1,400.50")])
def test_sentences_show_cents_only_when_they_are_not_zero(amount: str, text: str) -> None:
    assert short_money(Decimal(amount), "usd") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.25000", "1.25"),
        ("1500", "1500"),
        ("0.0071114869", "0.00711149"),
        ("1.2345675", "1.23457"),
        ("1.2345650", "1.23457"),
        ("1.2345649", "1.23456"),
    ],
)
def test_rates_have_six_significant_digits_and_no_trailing_zeros(value: str, text: str) -> None:
    assert significant(Decimal(value)) == text


@pytest.mark.parametrize(("value", "text"), [("10", "10 %"), ("12.50", "12.5 %"), ("100", "100 %")])
def test_percentages_have_no_trailing_zeros(value: str, text: str) -> None:
    assert percent(Decimal(value)) == text


@pytest.mark.parametrize(
    ("interval", "count", "text"),
    [
        ("month", 1, "a month"),
        ("month", 3, "a quarter"),
        ("month", 6, "every 6 months"),
        ("year", 1, "a year"),
        ("year", 3, "every 3 years"),
        ("week", 2, "every 2 weeks"),
        ("day", 1, "a day"),
        ("fortnight", 1, "a fortnight"),
    ],
)
def test_periods_read_like_speech(interval: str, count: int, text: str) -> None:
    assert period(interval, count) == text


@pytest.mark.parametrize(
    ("interval", "count", "text"),
    [
        ("month", 1, ""),
        ("month", 3, "÷ 3"),
        ("year", 1, "÷ 12"),
        ("year", 2, "÷ 24"),
        ("week", 1, "× 52/12"),
        ("week", 2, "× 52/24"),
        ("day", 30, "× 365/360"),
    ],
)
def test_divisions_say_how_a_period_becomes_a_month(interval: str, count: int, text: str) -> None:
    assert division(interval, count) == text


def test_seconds_beyond_any_calendar_are_no_moment() -> None:
    assert (moment(None), moment(10**30), moment(at(days=0))) == (None, None, NOW)


def test_seconds_beyond_any_calendar_still_compare() -> None:
    assert (is_later(10**30, NOW), is_later(-(10**30), NOW), is_later(at(days=0), NOW)) == (True, False, False)


def test_the_earliest_moment_ignores_those_that_are_unknown() -> None:
    assert (earliest([None, NOW, None]), earliest([None]), earliest([])) == (NOW, None, None)
