"""What a subscription's status means (docs/rules.md section 1)."""

from __future__ import annotations

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
