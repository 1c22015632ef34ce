"""MRR at risk within 30 days (docs/rules.md section 8): whose money the calendar or a failing payment may take away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from integrations.stripe.rules.moments import earliest
from integrations.stripe.rules.money import ZERO, exact, to_cents
from integrations.stripe.rules.payment_status import PaymentStatus
from integrations.stripe.rules.subscriptions import is_counting
from integrations.stripe.rules.summary import AttachedSubscription

WITHIN = timedelta(days=30)

RiskReason = Literal["", "failing", "ending"]


class Risk(Struct, frozen=True, kw_only=True):
    """What of a customer's MRR is at risk, to the cent, and why; ``reason`` is empty when nothing is.

    ``at`` is the first of the ends that lie within 30 days, or the day of the invoice that fails, where one is known.
    ``next_change_at`` is when the calendar alone puts more at risk.
    """

    mrr: Decimal = Decimal("0.00")
    reason: RiskReason = ""
    at: datetime | None = None
    next_change_at: datetime | None = None


def at_risk(subscriptions: Sequence[AttachedSubscription], *, payment: PaymentStatus, now: datetime) -> Risk:
    """Judge everything in scope that is attached to one customer, each subscription once; the order is irrelevant.

    A failing payment puts all counting subscriptions at risk, else those are that are set to end within 30 days. One
    that adds nothing risks nothing, unless its figure is incomplete.
    """
    counting = [each for each in subscriptions if is_counting(each.status) and (each.mrr > 0 or each.incomplete)]
    if payment.status == "failing":
        return _risk("failing", counting, at=payment.reason.created)
    horizon = now + WITHIN
    ends = {each.stripe_id: each.ends_at for each in counting if each.ends_at is not None}
    soon = [each for each in counting if each.stripe_id in ends and ends[each.stripe_id] <= horizon]
    later = [end for end in ends.values() if end > horizon]
    return _risk(
        "ending",
        soon,
        at=earliest([ends[each.stripe_id] for each in soon]),
        next_change_at=min(later) - WITHIN if later else None,
    )


def _risk(
    reason: RiskReason,
    subscriptions: Sequence[AttachedSubscription],
    *,
    at: datetime | None,
    next_change_at: datetime | None = None,
) -> Risk:
    if not subscriptions:
        return Risk(next_change_at=next_change_at)
    with exact():
        total = sum((each.mrr for each in subscriptions), ZERO)
    return Risk(mrr=to_cents(total), reason=reason, at=at, next_change_at=next_change_at)
