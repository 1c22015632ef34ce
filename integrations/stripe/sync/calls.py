"""Keeps the last calls made to Stripe, and how many reads a month were made (docs/architecture.md section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from django.db import connection as database
from django.db.models import QuerySet

from integrations.models import ApiCall, MonthlyReads, StripeConnection
from integrations.stripe.api.calls import Call
from integrations.stripe.sync.insert import insert_rows

KEPT = 200


# Written with every batch of a run, hence without building models for it.
FORGET = """
DELETE FROM integrations_apicall WHERE connection_id = %(connection)s AND (at, id) < (
    SELECT at, id FROM integrations_apicall WHERE connection_id = %(connection)s
    ORDER BY at DESC, id DESC OFFSET %(kept)s - 1 LIMIT 1)
"""

COUNT = """
INSERT INTO integrations_monthlyreads AS counted (connection_id, month, reads) VALUES (%s, %s, %s)
ON CONFLICT (connection_id, month) DO UPDATE SET reads = counted.reads + EXCLUDED.reads
"""


def record(connection: StripeConnection, calls: Sequence[Call]) -> None:
    """List calls and count the reads among them; the oldest beyond the last 200 go."""
    if not calls:
        return
    insert_rows(ApiCall, [as_row(connection, call) for call in calls[-KEPT:]])
    with database.cursor() as cursor:
        cursor.execute(FORGET, {"connection": connection.pk, "kept": KEPT})
    count_reads(connection, calls)


def as_row(connection: StripeConnection, call: Call) -> dict[str, Any]:
    """A call as its columns."""
    return {
        "connection_id": connection.pk,
        "at": call.at,
        "method": call.method,
        "path": call.path,
        "status": call.status,
        "duration_ms": call.duration_ms,
        "request_id": call.request_id[:100],
        "error_code": call.error_code[:60],
    }


def count_reads(connection: StripeConnection, calls: Sequence[Call]) -> None:
    """Add to the months the reads were made in. Stripe allows few reads to small accounts; a refused one counts too."""
    months = Counter(month_of(call.at) for call in calls if call.method == "GET")
    with database.cursor() as cursor:
        for month, reads in sorted(months.items()):
            cursor.execute(COUNT, [connection.pk, month, reads])


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
