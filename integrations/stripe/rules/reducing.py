"""Steps 8 and 9 of docs/rules.md section 4: the discounts of the whole subscription, or of its customer."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from integrations.stripe.api.objects import Discount
from integrations.stripe.rules.discounts import Ruling
from integrations.stripe.rules.intervals import Factor
from integrations.stripe.rules.money import HUNDRED, ZERO
from integrations.stripe.rules.receipt import discount_line
from integrations.stripe.rules.reckoning import Charge, Reckoning


def apply_discounts(reckoning: Reckoning, customer_discount: Discount | None) -> None:
    """Apply the subscription's discounts in their order; without any of its own it inherits its customer's."""
    own = reckoning.subscription.discounts
    if own:
        for discount in own:
            _apply(reckoning, discount, "")
    elif customer_discount is not None:
        _apply(reckoning, customer_discount, ", from the customer")


def _apply(reckoning: Reckoning, discount: str | Discount, origin: str) -> None:
    """Apply one discount to the running totals it touches; items with a negative price have nothing to take from."""
    ruling = reckoning.judge(discount, of_item=False)
    touched = [
        charge for charge in reckoning.charges if charge.monthly > 0 and ruling.touches(charge.item.price.product_id)
    ]
    if not touched and ruling.problem is not None:
        reckoning.ends.append(ruling.ends)  # then it reads as over
        return
    before = reckoning.total
    _reduce(touched, ruling)
    line = discount_line(ruling, amount=reckoning.total - before, currency=reckoning.currency)
    is_idle = ruling.effect == "reduce" and not touched
    detail = "Applies to none of the items that charge something" if is_idle else f"{ruling.detail}{origin}"
    reckoning.book_ruling(ruling, replace(line, detail=detail, interval="month"))


def _reduce(charges: list[Charge], ruling: Ruling) -> None:
    """Take off what a ruling says; everything when it cannot be known, so that nothing is guessed."""
    if ruling.effect == "unreadable":
        _take(charges, sum((charge.monthly for charge in charges), ZERO))
    elif ruling.percent is not None:
        for charge in charges:
            charge.monthly = charge.monthly * (HUNDRED - ruling.percent) / HUNDRED
    elif ruling.amount is not None and charges:
        _take(charges, _shortest(charges).monthly(ruling.amount))


def _take(charges: list[Charge], amount: Decimal) -> None:
    """Spread an amount per month over charges in proportion to them; none falls below 0."""
    total = sum((charge.monthly for charge in charges), ZERO)
    left = max(ZERO, total - amount)
    for charge in charges:
        charge.monthly = charge.monthly * left / total


def _shortest(charges: list[Charge]) -> Factor:
    """Return the factor of the shortest interval: an amount off comes with every invoice, so that often."""
    shortest = charges[0].factor
    for charge in charges:
        if charge.factor.is_shorter_than(shortest):
            shortest = charge.factor
    return shortest
