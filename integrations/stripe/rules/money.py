"""Minor units, exchange rates and roundings (docs/rules.md section 4, steps 10 to 12).

Every calculation runs in :func:`exact`, a decimal context of 50 digits, so that a figure never depends on the caller's.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from contextlib import AbstractContextManager
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    localcontext,
)
from typing import Literal

from msgspec import Struct, field

RateSource = Literal["ecb", "admin", "usd"]

ZERO = Decimal(0)
ONE = Decimal(1)
HUNDRED = Decimal(100)

ZERO_DECIMAL_CURRENCIES = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL_CURRENCIES = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])

EXACT = Context(prec=50, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero])
"""The context itself, for single operations: entering it costs more than they do."""

_STORED = Decimal("1e-12")
_SUMMED = Decimal("1e-9")
_CENTS = Decimal("0.01")
OLD_AFTER_DAYS = 7


def exact() -> AbstractContextManager[Context]:
    """Return the decimal context of all rules: 50 digits, half-up."""
    return localcontext(EXACT)


def minor_units(currency: str) -> int:
    """Return how many minor units make one unit of the currency: 1, 100 or 1000."""
    code = currency.lower()
    if code in ZERO_DECIMAL_CURRENCIES:
        return 1
    return 1000 if code in THREE_DECIMAL_CURRENCIES else 100


class Rate(Struct, frozen=True):
    """What one unit of a currency is worth in US dollars, of which day, and who says so."""

    usd_per_unit: Decimal
    date: datetime.date
    source: RateSource


class Rates(Struct, frozen=True):
    """The one set of rates a run works with; keys are currency codes in lower case, ``date`` that of the ECB row."""

    rates: Mapping[str, Rate] = field(default_factory=dict)
    date: datetime.date | None = None

    def get(self, currency: str) -> Rate | None:
        """Return the rate of a currency, or None when there is none; US dollars are always worth 1."""
        code = currency.lower()
        if code == "usd":
            return Rate(ONE, self.date or datetime.date.min, "usd")
        return self.rates.get(code)


def old_rate_days(date: datetime.date, today: datetime.date) -> int | None:
    """Return how many days old ECB rates are when that is worth a word, else None: they come out on working days."""
    age = (today - date).days
    return age if age > OLD_AFTER_DAYS else None


def cross_rate(usd_per_euro: Decimal, units_per_euro: Decimal) -> Decimal:
    """Return US dollars per unit of a currency from two euro rates, not rounded.

    Raises ValueError unless both are above zero.
    """
    if not (usd_per_euro > 0 and units_per_euro > 0):
        raise ValueError("Exchange rates must be above zero.")
    with exact():
        return usd_per_euro / units_per_euro


def store_places(amount: Decimal) -> Decimal:
    """Round a contribution half-up to the 12 places it is stored with."""
    return EXACT.quantize(amount, _STORED)


def to_cents(total: Decimal) -> Decimal:
    """Round a sum of stored contributions half-up to cents.

    By way of 9 places, so that thirds which were cut at 12 places add up again: 3 x (100 / 12) is 25.00.
    """
    return EXACT.quantize(EXACT.quantize(total, _SUMMED), _CENTS)
