"""The receipt of one subscription: every step of its MRR as a line (docs/rules.md section 4).

Stored as ``msgspec.to_builtins(receipt)`` (Decimals become strings) and read back with ``msgspec.convert``. Labels and
details may carry text supplied by Stripe: escape them.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from integrations.stripe.rules.discounts import Ruling
from integrations.stripe.rules.money import ZERO, Rate, old_rate_days, store_places

LineKind = Literal["item", "discount", "tax", "rate", "zero", "note"]

WHY_ZERO: dict[str, str] = {
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
"""Why a subscription counts 0, by the code in :attr:`Receipt.why_zero`."""


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of the calculation.

    ``amount`` is in major units of ``currency`` for each ``interval_count`` x ``interval``; ``usd`` is the step's
    effect on the monthly figure in US dollars, None where it has none that we know. ``item``, ``price``, ``discount``
    and ``coupon`` are Stripe ids; ``repeating`` marks a discount that ends by itself. The rate fields belong to the
    line of kind ``rate``. ``problem`` is the code of the problem that made the line incomplete, else empty.
    """

    kind: LineKind
    label: str
    detail: str = ""
    amount: Decimal | None = None
    currency: str = ""
    interval: str = ""
    interval_count: int = 1
    usd: Decimal | None = None
    item: str = ""
    price: str = ""
    quantity: int | None = None
    discount: str = ""
    coupon: str = ""
    repeating: bool = False
    rate: Decimal | None = None
    rate_date: datetime.date | None = None
    rate_source: str = ""
    problem: str = ""


class Receipt(Struct, frozen=True, kw_only=True):
    """Why a subscription counts what it counts; the ``usd`` of its lines add up to ``contribution`` exactly.

    ``contribution`` is in US dollars a month with 12 places, ``why_zero`` a key of :data:`WHY_ZERO` or empty.
    """

    subscription: str
    status: str
    counts: bool
    why_zero: str
    currency: str
    lines: list[Line]
    contribution: Decimal


def as_read(line: Line, *, today: datetime.date) -> Line:
    """Return a stored line as it reads ``today``: old ECB rates say their age, which grows while the line is stored."""
    if line.rate_source != "ecb" or line.rate_date is None:
        return line
    age = old_rate_days(line.rate_date, today)
    return line if age is None else replace(line, detail=f"{line.detail}, {age} days old")


def discount_line(ruling: Ruling, *, amount: Decimal, currency: str) -> Line:
    """Return the line of a discount that changes an amount by ``amount`` (major units, zero or below)."""
    return Line(
        kind="discount",
        label=ruling.label,
        detail=ruling.detail,
        amount=amount,
        currency=currency,
        discount=ruling.discount,
        coupon=ruling.coupon,
        repeating=ruling.repeating and ruling.effect == "reduce",
        problem=ruling.problem.code if ruling.problem else "",
    )


class Ledger:
    """Collects the lines of one receipt and keeps their effects adding up.

    Each line is booked with the difference it makes to the *rounded* dollar figure; that is what makes the lines sum
    to it without a remainder. Works in the decimal context of its caller (money.exact).
    """

    def __init__(self, rate: Rate | None) -> None:
        self.rate = rate
        self.booked = store_places(ZERO)
        self.lines: list[Line] = []

    def book(self, line: Line, *, total: Decimal) -> None:
        """Add a line after which the subscription comes to ``total`` a month (its own currency, major units)."""
        if self.rate is not None:
            booked = store_places(total * self.rate.usd_per_unit)
            line = replace(line, usd=booked - self.booked)
            self.booked = booked
        self.lines.append(line)
