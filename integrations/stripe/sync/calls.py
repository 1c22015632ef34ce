"""Keeps the last calls made to Stripe (docs/architecture.md section 5)."""

from __future__ import annotations

from collections.abc import Sequence

from integrations.models import ApiCall, StripeConnection
from integrations.stripe.api.calls import Call

KEPT = 200


def record(connection: StripeConnection, calls: Sequence[Call]) -> None:
    """List calls; the oldest beyond the last 200 go."""
    if not calls:
        return
    ApiCall.objects.bulk_create(
        [
            ApiCall(
                connection=connection,
                at=call.at,
                method=call.method,
                path=call.path,
                status=call.status,
                duration_ms=call.duration_ms,
                request_id=call.request_id[:100],
                error_code=call.error_code[:60],
            )
            for call in calls[-KEPT:]
        ]
    )
    mine = ApiCall.objects.filter(connection=connection)
    kept = mine.order_by("-at", "-id").values("pk")[:KEPT]
    mine.exclude(pk__in=kept).delete()
