"""What a roll-up leaves in a customer's history: activity entries and points of the MRR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from customers.models import MrrPoint
from integrations.stripe.sync.attached import Attached
from integrations.stripe.sync.causes import cause_of
from integrations.stripe.sync.contributions import Change

BY_RATE = frozenset({"plan", "mrr", "stripe_customer_id"})
"""Fields that an exchange rate alone may change: the MRR, and what is primary by the highest MRR."""


@dataclass(frozen=True, slots=True)
class History:
    """Who caused what is written, and when; ``decided`` marks what people on our side caused."""

    now: datetime
    origin: str
    actor_type: str
    decided: bool

    def cause(self, found: Attached, old_mrr: Decimal, receipts: Mapping[str, Change]) -> str:
        """Why the MRR moved; ``old_mrr`` is the exact sum it was.

        What the receipts do not explain came or went as a whole: a Stripe customer joined or left this one.
        """
        if self.decided:
            return MrrPoint.Cause.DECISION
        moved = [receipts[each.stripe_id] for each in found.subscriptions if each.stripe_id in receipts]
        unexplained = found.mrr - old_mrr - sum(change.difference for change in moved)
        return cause_of(moved, unexplained=unexplained)

    def entries(
        self,
        customer_id: int,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        names: Sequence[str],
        *,
        was_attached: bool,
        is_attached: bool,
        cause: str,
    ) -> list[dict[str, Any]]:
        """One row of activity when billing comes or goes, else one per changed field; a rate alone is no entry."""
        if is_attached and not was_attached:
            return [self._entry(customer_id, "billing.attached", new=after["stripe_customer_id"])]
        if was_attached and not is_attached:
            return [self._entry(customer_id, "billing.detached", old=before["stripe_customer_id"])]
        by_rate = BY_RATE if cause == MrrPoint.Cause.EXCHANGE_RATE else frozenset()
        return [
            self._entry(customer_id, "customer.field_changed", name, before[name], after[name])
            for name in names
            if name not in by_rate
        ]

    def _entry(self, customer_id: int, event: str, field: str = "", old: Any = "", new: Any = "") -> dict[str, Any]:
        return {
            "customer_id": customer_id,
            "at": self.now,
            "actor_id": None,
            "actor_type": self.actor_type,
            "event_type": event,
            "field": field,
            "old": as_text(old),
            "new": as_text(new),
            "origin": self.origin,
        }


def as_text(value: Any) -> str:
    """A field's value as history keeps it: ISO 8601 times, empty for nothing."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)
