"""What a complete run does once the mirror is filled: match, contributions, roll-up."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from integrations.models import StripeConnection, StripeCustomer
from integrations.stripe.sync import derive, issues, match, rates


def derive_all(connection: StripeConnection, *, now: datetime | None = None) -> None:
    """Match everybody and bring every figure up to date, as the last phases of a run."""
    moment, current = now or timezone.now(), rates.load()
    with derive.lock(connection):
        match.rematch_all(connection)
    reached = 0
    with derive.lock(connection):
        while ids := derive.next_customers(connection, after=reached):
            derive.roll_up_moved(connection, ids, rates=current, now=moment)
            reached = ids[-1]
    rest: str | None = ""
    while rest is not None:
        rest = derive.figures_chunk(connection, after=rest, rates=current, now=moment, attached_too=False)
    issues.sync_warnings(connection)


def outcome(row: StripeCustomer) -> tuple[str, str, str]:
    """Where a Stripe customer ended up: state, reason, and the name of its Pivotal customer."""
    row.refresh_from_db()
    return row.match_state, row.match_reason, row.customer.name if row.customer else ""


def flags(*rows: StripeCustomer) -> list[str]:
    """The kinds of ambiguity these Stripe customers are flagged with; empty for none."""
    kinds = []
    for row in rows:
        row.refresh_from_db()
        kinds.append(row.ambiguous_kind)
    return kinds
