"""Writes attempts that were no runs into the log: polls, drains, single refreshes, refused webhooks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F
from django.db.models.functions import Now

from integrations.errors import IntegrationError
from integrations.models import Attempt, AttemptKind, AttemptState, StripeConnection

MERGED = timedelta(minutes=1)
ADDED = ("api_requests", "events", "customers", "changed")


def record(
    connection: StripeConnection,
    kind: AttemptKind,
    *,
    started_at: datetime | None = None,
    state: AttemptState = AttemptState.SUCCEEDED,
    actor: User | None = None,
    error: IntegrationError | None = None,
    stripe_customer_id: str = "",
    merge: bool = False,
    **counts: int,
) -> bool:
    """List one attempt that has ended now; ``counts`` are api_requests, events, customers and changed.

    ``started_at`` None is now too, in database time.

    ``merge`` adds to a row of the last minute that says the same: a busy account drains all the time, and a flood of
    forged webhooks must not fill the table. Returns whether there is a new row.
    """
    values: dict[str, Any] = {
        "state": state,
        "error_code": error.code if error else "",
        "error_detail": error.detail if error else "",
        "stripe_customer_id": stripe_customer_id,
    }
    if merge:
        alike = Attempt.objects.filter(connection=connection, kind=kind, **values, started_at__gt=Now() - MERGED)
        latest = alike.order_by("-started_at", "-id").values("pk")[:1]
        more = {name: F(name) + counts.get(name, 0) for name in ADDED}
        if Attempt.objects.filter(pk__in=latest).update(finished_at=Now(), **more):
            return False
    Attempt.objects.create(
        connection=connection,
        kind=kind,
        started_by=actor,
        started_at=started_at or Now(),
        finished_at=Now(),
        answer=error.answer if error else "",
        **values,
        **counts,
    )
    return True
