"""From an amount per billing period to one a month (docs/rules.md section 4, step 7)."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from integrations.stripe.api.objects import Price, Recurring
from integrations.stripe.rules.problems import Problem

# Months a year; how many of a period there are a year, for those that do not divide evenly.
_MONTHS_A_YEAR = 12
_PERIODS_A_YEAR = {"month": 12, "year": 1, "week": 52, "day": 365}
_LARGEST_COUNT = 10**6


class Factor(Struct, frozen=True):
    """A fraction that turns an amount per period into one a month; kept as a fraction so that thirds stay exact."""

    numerator: int
    denominator: int

    def monthly(self, amount: Decimal) -> Decimal:
        """Return the amount per month."""
        return amount * self.numerator / self.denominator

    def is_shorter_than(self, other: Factor) -> bool:
        """Say whether this period is the shorter one, so that it comes more often a year."""
        return self.numerator * other.denominator > other.numerator * self.denominator


def monthly_factor(price: Price, recurring: Recurring) -> Factor | Problem:
    """Return the factor of a recurring price, or the problem with its interval."""
    periods = _PERIODS_A_YEAR.get(recurring.interval)
    if periods is None:
        return Problem(
            "unknown_value",
            price.id,
            f"Price {price.id} is charged per “{recurring.interval}”, an interval we do not know.",
        )
    if not 1 <= recurring.interval_count <= _LARGEST_COUNT:
        return Problem(
            "invalid_response",
            price.id,
            f"Price {price.id} is charged every {recurring.interval_count} {recurring.interval}s, which cannot be.",
        )
    return Factor(periods, _MONTHS_A_YEAR * recurring.interval_count)
