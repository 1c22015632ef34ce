"""How amounts and intervals read in receipts, problems and reasons."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

from integrations.stripe.rules.money import EXACT, minor_units

_MOST_PLACES = 12
_SIX_DIGITS = Context(prec=6, rounding=ROUND_HALF_UP)
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£"}
_MONTHS = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]  # not strftime: it is slow and knows locales
_DIVISIONS = {"month": ("÷ {}", 1), "year": ("÷ {}", 12), "week": ("× 52/{}", 12), "day": ("× 365/{}", 12)}


@lru_cache(maxsize=4096)  # accounts have few prices
def money(amount: Decimal, currency: str) -> str:
    """Return an amount in major units as people write it: ``$1,250.00``, ``JPY 1,200``, ``€0.0035``."""
    places = len(str(minor_units(currency))) - 1
    plain = EXACT.normalize(amount)
    exponent = plain.as_tuple().exponent
    digits = min(max(places, -int(exponent)), _MOST_PLACES)
    sign = "−" if amount < 0 else ""
    unit = _SYMBOLS.get(currency.lower(), f"{currency.upper()} ")
    return f"{sign}{unit}{plain.copy_abs():,.{digits}f}"


def minor_money(minor: int, currency: str) -> str:
    """Return an amount in minor units as :func:`money` writes it."""
    return money(EXACT.divide(Decimal(minor), minor_units(currency)), currency)


def short_money(amount: Decimal, currency: str) -> str:
    """Return an amount for a sentence: as :func:`money`, but with decimals only where they are not zero."""
    whole = amount.to_integral_value()
    return money(amount, currency).partition(".")[0] if amount == whole else money(amount, currency)


def significant(value: Decimal) -> str:
    """Return a rate with six significant digits and no trailing zeros: ``1.25``, ``0.00711149``, ``1500``."""
    return f"{EXACT.normalize(_SIX_DIGITS.plus(value)):f}"


def percent(value: Decimal) -> str:
    """Return a percentage without trailing zeros: ``12.5 %``."""
    return f"{EXACT.normalize(value):f} %"


def day(when: date) -> str:
    """Return a date as people write it, ``3 Mar 2026``; not by strftime, which is slow and goes by the locale."""
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def period(interval: str, count: int) -> str:
    """Return how often something is charged: ``a month``, ``a quarter``, ``every 2 weeks``."""
    if count == 1:
        return f"a {interval}"
    if (interval, count) == ("month", 3):
        return "a quarter"
    return f"every {count} {interval}s"


def division(interval: str, count: int) -> str:
    """Return how an amount per period becomes one a month: ``÷ 12``, ``× 52/12``; nothing for a month."""
    pattern, twelfths = _DIVISIONS[interval]
    divisor = twelfths * count
    return "" if (interval, divisor) == ("month", 1) else pattern.format(divisor)
