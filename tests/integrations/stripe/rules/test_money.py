"""Minor units, rates and roundings (docs/rules.md section 4, steps 10 to 12)."""

from datetime import date
from decimal import Decimal, localcontext

import pytest

from integrations.stripe.rules.money import Rate, Rates, cross_rate, minor_units, old_rate_days, store_places, to_cents

ZERO_DECIMAL = ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
THREE_DECIMAL = ["bhd", "jod", "kwd", "omr", "tnd"]
EURO = Rate(Decimal("1.25"), date(2026, 10, 30), "ecb")


@pytest.mark.parametrize("currency", ZERO_DECIMAL)
def test_zero_decimal_currencies_have_no_minor_unit(currency: str) -> None:
    assert minor_units(currency) == 1


@pytest.mark.parametrize("currency", THREE_DECIMAL)
def test_three_decimal_currencies_have_a_thousand(currency: str) -> None:
    assert minor_units(currency) == 1000


@pytest.mark.parametrize("currency", ["usd", "eur", "isk", "ugx", "twd", "huf", "zzz"])
def test_all_other_currencies_have_a_hundred(currency: str) -> None:
    assert minor_units(currency) == 100


def test_currency_codes_are_read_in_any_case() -> None:
    assert (minor_units("JPY"), Rates({"eur": EURO}).get("EUR")) == (1, EURO)


def test_dollars_are_always_worth_one() -> None:
    assert Rates(date=date(2026, 10, 30)).get("USD") == Rate(Decimal(1), date(2026, 10, 30), "usd")


def test_dollars_are_worth_one_even_when_there_are_no_rates_at_all() -> None:
    assert Rates().get("usd") == Rate(Decimal(1), date.min, "usd")


def test_a_currency_without_a_rate_has_none() -> None:
    assert Rates({"eur": EURO}).get("ngn") is None


def test_a_cross_rate_is_dollars_per_euro_over_units_per_euro_and_is_not_rounded() -> None:
    assert cross_rate(Decimal("1.1172"), Decimal("175.68")) * Decimal("175.68") == pytest.approx(Decimal("1.1172"))
    assert len(cross_rate(Decimal(1), Decimal(3)).as_tuple().digits) == 50


def test_rates_below_one_are_rates() -> None:
    assert cross_rate(Decimal("0.9"), Decimal("0.6")) == Decimal("1.5")


@pytest.mark.parametrize(("usd", "units"), [("0", "1"), ("1", "0"), ("-1", "1"), ("1", "-1")])
def test_a_rate_that_is_not_above_zero_is_refused(usd: str, units: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        cross_rate(Decimal(usd), Decimal(units))


@pytest.mark.parametrize(
    ("today", "days"),
    [(date(2026, 10, 30), None), (date(2026, 11, 6), None), (date(2026, 11, 7), 8), (date(2026, 12, 30), 61)],
)
def test_rates_older_than_a_week_have_an_age(today: date, days: int | None) -> None:
    assert old_rate_days(date(2026, 10, 30), today) == days


@pytest.mark.parametrize(
    ("amount", "stored"),
    [("0.0000000000005", "0.000000000001"), ("0.00000000000049", "0.000000000000"), ("8", "8.000000000000")],
)
def test_contributions_are_stored_with_twelve_places_half_up(amount: str, stored: str) -> None:
    assert f"{store_places(Decimal(amount)):f}" == stored


@pytest.mark.parametrize(
    ("total", "cents"),
    [
        ("24.999999999999", "25.00"),
        ("0.005", "0.01"),
        ("0.0049999995", "0.01"),
        ("0.0049999994", "0.00"),
        ("0.015", "0.02"),
        ("1400", "1400.00"),
    ],
)
def test_sums_are_brought_to_nine_places_and_then_to_cents_half_up(total: str, cents: str) -> None:
    assert str(to_cents(Decimal(total))) == cents


def test_roundings_do_not_depend_on_the_callers_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 4
        context.rounding = "ROUND_DOWN"
        assert to_cents(Decimal("123456.785")) == Decimal("123456.79")
        assert store_places(Decimal("123456.7891234567895")) == Decimal("123456.789123456790")
        assert len(cross_rate(Decimal(1), Decimal(3)).as_tuple().digits) == 50
