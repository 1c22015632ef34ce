"""What a field may hold: no more than the column it is stored in, and nothing that cannot be computed with.

The limits are part of the types, so msgspec refuses what is beyond them while it decodes. It cannot do so for decimals
and NUL characters, which ``decode`` looks for.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

Text = Annotated[str, Meta(max_length=5_000)]
"""Any text; the limit is Stripe's own for a string."""

Identifier = Annotated[str, Meta(min_length=1, max_length=255)]
"""The id of an object itself."""

BigInteger = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""An amount or a quantity."""

Integer = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
"""A small number."""

Divisor = Annotated[int, Meta(ge=1, le=2**31 - 1)]
"""A small number that is divided by."""

Moment = Annotated[int, Meta(ge=-2_208_988_800, le=253_370_764_800)]
"""Unix seconds, from 1900 to the last year a date can hold, in any time zone."""

_DECIMAL_DIGITS = 18  # before the point, as wide as any amount column
_DECIMAL_PLACES = 30  # after it, generous: only what could not be computed with is refused


def wrong_with(value: Decimal) -> str:
    """What was expected of a number that is not finite or not of ordinary size; empty when nothing is wrong."""
    if not value.is_finite():
        return "Expected a finite number"
    return "" if -_DECIMAL_PLACES <= value.adjusted() < _DECIMAL_DIGITS else "Expected a number of ordinary size"
