"""What a subscription's status means (docs/rules.md section 1), and when it is set to end."""

from __future__ import annotations

from datetime import datetime

from integrations.stripe.api.objects import Subscription
from integrations.stripe.rules.moments import moment

ENDED_STATUSES = frozenset({"canceled", "incomplete_expired"})
COUNTING_STATUSES = frozenset({"active", "past_due"})
KNOWN_STATUSES = ENDED_STATUSES | COUNTING_STATUSES | {"trialing", "unpaid", "incomplete", "paused"}


def is_ended(status: str) -> bool:
    """Ended subscriptions contribute to ``billing_started_at`` only."""
    return status in ENDED_STATUSES


def is_live(status: str) -> bool:
    """Everything that has not ended is live, a status we do not know included."""
    return status not in ENDED_STATUSES


def is_counting(status: str) -> bool:
    """Counting subscriptions make up MRR; a failing payment does not take one out."""
    return status in COUNTING_STATUSES


def ends_at(subscription: Subscription) -> datetime | None:
    """Return when a running subscription is set to end; None when it goes on, or when Stripe does not say."""
    if subscription.cancel_at is not None:
        return moment(subscription.cancel_at)
    if not subscription.cancel_at_period_end:
        return None
    ends = [item.current_period_end for item in subscription.items.data if item.current_period_end is not None]
    return moment(max(ends, default=None))
