"""Why an MRR moved, from the difference of two receipts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from customers.models import MrrPoint
from integrations.stripe.sync.contributions import Change


def cause_of(changes: Iterable[Change]) -> str:
    """The cause of the biggest kind among the receipts that moved: what people did goes before what rates did."""
    causes = {cause_of_receipt(change.before, change.after) for change in changes}
    for cause in (
        MrrPoint.Cause.ADDED,
        MrrPoint.Cause.ENDED,
        MrrPoint.Cause.SEATS,
        MrrPoint.Cause.PRICE,
        MrrPoint.Cause.DISCOUNT,
        MrrPoint.Cause.EXCHANGE_RATE,
    ):
        if cause in causes:
            return cause
    return MrrPoint.Cause.OTHER


def cause_of_receipt(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> str:
    """What differs between two receipts of one subscription."""
    if before is None or (after["counts"] and not before["counts"]):
        return MrrPoint.Cause.ADDED
    if before["counts"] and not after["counts"]:
        return MrrPoint.Cause.ENDED
    if quantities(before) != quantities(after):
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


def quantities(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """How many of what."""
    return {line.get("item", ""): line.get("quantity") for line in lines(receipt, "item")}


def amounts(receipt: Mapping[str, Any], kind: str) -> list[tuple[Any, ...]]:
    """What the lines of a kind come to in their own currency."""
    return [
        (line.get("item"), line.get("price"), line.get("coupon"), line.get("amount"), line.get("interval"))
        for line in lines(receipt, kind)
    ]


def rates(receipt: Mapping[str, Any]) -> list[Any]:
    """The rates a receipt was converted with."""
    return [line.get("rate") for line in lines(receipt, "rate")]
