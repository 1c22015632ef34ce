"""Why an MRR moved, from the difference of two receipts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from customers.models import MrrPoint
from integrations.stripe.sync.contributions import Change

# What people did goes before what rates did.
BIGGEST_FIRST = (
    MrrPoint.Cause.ADDED,
    MrrPoint.Cause.ENDED,
    MrrPoint.Cause.SEATS,
    MrrPoint.Cause.PRICE,
    MrrPoint.Cause.DISCOUNT,
    MrrPoint.Cause.EXCHANGE_RATE,
)


def cause_of(changes: Iterable[Change], *, unexplained: Decimal = Decimal(0)) -> str:
    """The biggest cause among the receipts that moved the figure.

    ``unexplained`` is what the figure moved by beside them: subscriptions that came or went as a whole.
    """
    causes = {cause_of_receipt(change.before, change.after) for change in changes if change.difference}
    if unexplained:
        causes.add(MrrPoint.Cause.ADDED if unexplained > 0 else MrrPoint.Cause.ENDED)
    return next((cause for cause in BIGGEST_FIRST if cause in causes), MrrPoint.Cause.OTHER)


def cause_of_receipt(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> str:
    """What differs between two receipts of one subscription."""
    if before is None or (after["counts"] and not before["counts"]):
        return MrrPoint.Cause.ADDED
    if before["counts"] and not after["counts"]:
        return MrrPoint.Cause.ENDED
    old, new = quantities(before), quantities(after)
    if old.keys() == new.keys() and old != new:
        return MrrPoint.Cause.SEATS
    if amounts(before, "item") != amounts(after, "item"):
        return MrrPoint.Cause.PRICE
    if amounts(before, "discount") != amounts(after, "discount"):
        return MrrPoint.Cause.DISCOUNT
    if rates(before) != rates(after):
        return MrrPoint.Cause.EXCHANGE_RATE
    return MrrPoint.Cause.OTHER


def lines(receipt: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """The lines of one kind."""
    return [line for line in receipt["lines"] if line["kind"] == kind]


def quantities(receipt: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """How many of what; the same item at another price is something else."""
    return {(line.get("item", ""), line.get("price", "")): line.get("quantity") for line in lines(receipt, "item")}


def amounts(receipt: Mapping[str, Any], kind: str) -> list[tuple[Any, ...]]:
    """What the lines of a kind come to in their own currency."""
    return [
        (line.get("item"), line.get("price"), line.get("coupon"), line.get("amount"), line.get("interval"))
        for line in lines(receipt, kind)
    ]


def rates(receipt: Mapping[str, Any]) -> list[Any]:
    """The rates a receipt was converted with."""
    return [line.get("rate") for line in lines(receipt, "rate")]
