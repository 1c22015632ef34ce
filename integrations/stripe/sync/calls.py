"""Keeps the last calls made to Stripe, and how many reads a month were made (docs/architecture.md section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime

from django.db.models import F, QuerySet

from integrations.models import ApiCall, MonthlyReads, StripeConnection
from integrations.stripe.api.calls import Call

KEPT = 200


def record(connection: StripeConnection, calls: Sequence[Call]) -> None:
    """List calls and count the reads among them; the oldest beyond the last 200 go."""
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
    count_reads(connection, calls)


def count_reads(connection: StripeConnection, calls: Sequence[Call]) -> None:
    """Add to the months the reads were made in. Stripe allows few reads to small accounts; a refused one counts too."""
    months = Counter(month_of(call.at) for call in calls if call.method == "GET")
    for month, reads in sorted(months.items()):
        MonthlyReads.objects.bulk_create(
            [MonthlyReads(connection=connection, month=month)],
            ignore_conflicts=True,
        )
        MonthlyReads.objects.filter(connection=connection, month=month).update(reads=F("reads") + reads)


def reads_this_month(connection: StripeConnection) -> int:
    """How many reads were made since the month began (UTC)."""
    return monthly_reads().filter(connection=connection).values_list("reads", flat=True).first() or 0


def monthly_reads() -> QuerySet[MonthlyReads]:
    """The reads of this month (UTC), a row for each connection that made any."""
    return MonthlyReads.objects.filter(month=month_of(datetime.now(UTC)))


def month_of(moment: datetime) -> date:
    """The first day of a moment's month, UTC."""
    return moment.astimezone(UTC).date().replace(day=1)


@contextmanager
def listed(connection: StripeConnection) -> Iterator[list[Call]]:
    """A list for the calls made inside; they are kept, whatever becomes of them."""
    made: list[Call] = []
    try:
        yield made
    finally:
        record(connection, made)
