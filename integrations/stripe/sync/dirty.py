"""What waits in the inbox: whose it is, what need not be read, and what became of it. Set-based, without Stripe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection as database
from django.db.models import F, Max, Min, Q, QuerySet
from django.db.models.functions import Now

from integrations.models import ConnectionState, IssueState, Severity, StripeConnection, StripeEvent
from integrations.stripe.api.events import Hint
from integrations.stripe.sync import derive
from integrations.stripe.sync.rows import Problem

INSERT = """
INSERT INTO integrations_stripeevent
    (connection_id, event_id, type, source, object_type, object_id, stripe_customer_id, created, received_at, state,
     attempts, error_code)
SELECT %s, r.event_id, r.type, %s, r.object_type, r.object_id, r.customer_id, to_timestamp(r.created),
       clock_timestamp(), 'waiting', 0, ''
FROM json_to_recordset(%s::json) AS r(
    event_id text, type text, object_type text, object_id text, customer_id text, created bigint)
ON CONFLICT (connection_id, event_id) DO NOTHING
"""

# An event that does not say whose it is: through its invoice, or the invoice behind its payment.
RESOLVE = """
UPDATE integrations_stripeevent AS e SET stripe_customer_id = i.customer_id
FROM integrations_stripeinvoice i
WHERE e.connection_id = %(connection)s AND e.state = 'waiting' AND e.stripe_customer_id = ''
  AND i.connection_id = e.connection_id AND i.stripe_id = CASE e.object_type
      WHEN 'invoice' THEN e.object_id
      WHEN 'payment_intent' THEN (
          SELECT p.invoice_id FROM integrations_stripeinvoicepayment p
          WHERE p.connection_id = e.connection_id AND p.data->'payment'->>'payment_intent' = e.object_id LIMIT 1)
      END
"""

# A payment of somebody without a subscription, and the address of somebody we do not mirror, change nothing we show.
# What made them a subscriber comes with an event of its own.
DISMISS = """
UPDATE integrations_stripeevent AS e SET state = 'done', done_at = clock_timestamp()
WHERE e.connection_id = %(connection)s AND e.state = 'waiting' AND (
    (e.object_type = 'payment_intent' AND NOT EXISTS (
        SELECT 1 FROM integrations_stripesubscription s
        WHERE s.connection_id = e.connection_id AND s.customer_id = e.stripe_customer_id))
    OR (e.object_type = 'customer' AND NOT EXISTS (
        SELECT 1 FROM integrations_stripecustomer c
        WHERE c.connection_id = e.connection_id AND c.stripe_id = e.stripe_customer_id))
    OR (e.stripe_customer_id = '' AND e.object_type NOT IN ('invoice', 'payment_intent', 'price', 'product', 'account'))
)
"""

# Failed ones wait longer each time, by chance between half and all of it, so that they do not come back together.
FAIL = """
UPDATE integrations_stripeevent AS e
SET attempts = attempts + 1, error_code = %(code)s,
    state = CASE WHEN %(permanent)s OR attempts + 1 >= %(most)s THEN 'failed' ELSE 'waiting' END,
    retry_at = clock_timestamp() + make_interval(secs => greatest(
        %(retry_after)s, least(%(longest)s, %(first)s * power(2, attempts)) * (0.5 + random() / 2)))
WHERE e.id = ANY(%(events)s) AND e.state = 'waiting' RETURNING e.state
"""

MOST_ATTEMPTS = 10
FIRST_RETRY_SECONDS = 10.0
LONGEST_RETRY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Dirty:
    """One subject that waits: a Stripe customer, or an object that is nobody's, with the events about it.

    ``tried`` says that it was begun before and not finished.
    """

    kind: str
    stripe_id: str
    events: list[int] = field(default_factory=list)
    tried: bool = False


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for a connection: events, the Stripe customers they are about, since when, and what keeps failing."""

    events: int
    customers: int
    oldest_at: datetime | None
    failing: int
    failed: int


def insert(connection: StripeConnection, hints: Iterable[Hint], *, source: str) -> int:
    """Put hints into the inbox, each event once whichever way it comes; returns how many were new."""
    rows = [msgspec.structs.asdict(hint) for hint in {hint.event_id: hint for hint in hints}.values()]
    if not rows:
        return 0
    with database.cursor() as cursor:
        cursor.execute(INSERT, [connection.pk, source, msgspec.json.encode(rows).decode()])
        return int(cursor.rowcount)


def waiting(connection: StripeConnection) -> QuerySet[StripeEvent]:
    """The events that are not dealt with, due or not."""
    return StripeEvent.objects.filter(connection=connection, state=StripeEvent.State.WAITING)


def due(connection: StripeConnection) -> QuerySet[StripeEvent]:
    """Those that may be dealt with now."""
    return waiting(connection).filter(Q(retry_at__isnull=True) | Q(retry_at__lte=Now()))


def connections_due() -> list[int]:
    """The connections with a due event that nobody works on, nor is about to: what the watchdog wakes."""
    free = Q(inbox_until__isnull=True) | Q(inbox_until__lt=Now())
    connected = StripeConnection.objects.filter(free, state=ConnectionState.CONNECTED)
    return [each.pk for each in connected if due(each).exists() and derive.has_written(each)]


def backlog(connection: StripeConnection) -> Backlog:
    """How much waits, for pages and the command line."""
    mine = StripeEvent.objects.filter(connection=connection)
    numbers = waiting(connection).aggregate(oldest=Min("received_at"))
    return Backlog(
        events=waiting(connection).count(),
        customers=count_customers(connection),
        oldest_at=numbers["oldest"],
        failing=waiting(connection).filter(attempts__gt=0).count(),
        failed=mine.filter(state=StripeEvent.State.FAILED).count(),
    )


def count_customers(connection: StripeConnection) -> int:
    """How many Stripe customers wait to be read."""
    return waiting(connection).exclude(stripe_customer_id="").values("stripe_customer_id").distinct().count()


def sort_out(connection: StripeConnection) -> None:
    """Find out whose events are that do not say so, and let go of those that change nothing."""
    with database.cursor() as cursor:
        for sql in (RESOLVE, DISMISS):
            cursor.execute(sql, {"connection": connection.pk})


def next_customers(connection: StripeConnection, limit: int) -> list[Dirty]:
    """The Stripe customers that have waited longest, with every event that waits for them at this moment."""
    ids = (
        due(connection)
        .exclude(stripe_customer_id="")
        .values("stripe_customer_id")
        .annotate(first=Min("id"))
        .order_by("first")
        .values_list("stripe_customer_id", flat=True)[:limit]
    )
    return grouped(waiting(connection).filter(stripe_customer_id__in=list(ids)).order_by("id"))


def of_customer(connection: StripeConnection, stripe_customer_id: str) -> list[Dirty]:
    """What waits for one Stripe customer at this moment, due or not."""
    return grouped(waiting(connection).filter(stripe_customer_id=stripe_customer_id).order_by("id"))


def next_others(connection: StripeConnection, kinds: Iterable[str], limit: int) -> list[Dirty]:
    """The due subjects of these kinds that are no customer's."""
    return grouped(due(connection).filter(stripe_customer_id="", object_type__in=list(kinds)).order_by("id")[:limit])


def grouped(events: Iterable[StripeEvent]) -> list[Dirty]:
    """Events by what they are about, in the order of the first of each."""
    found: dict[tuple[str, str], Dirty] = {}
    for event in events:
        owner = event.stripe_customer_id
        key = ("customer", owner) if owner else (event.object_type, event.object_id)
        known = found.get(key) or Dirty(*key)
        found[key] = Dirty(*key, events=[*known.events, event.pk], tried=known.tried or event.attempts > 0)
    return list(found.values())


def begin(dirty: Dirty) -> None:
    """Remember, in the transaction that stores what was read, that something still has to follow from it."""
    StripeEvent.objects.filter(pk__in=dirty.events).update(attempts=F("attempts") + 1)


def belongs_to(dirty: Dirty, stripe_customer_id: str) -> None:
    """These events are about this Stripe customer, as Stripe said."""
    StripeEvent.objects.filter(pk__in=dirty.events).update(stripe_customer_id=stripe_customer_id)


def close(dirty: Iterable[Dirty]) -> int:
    """These are dealt with: exactly the events that were there before the look began."""
    ids = [event_id for each in dirty for event_id in each.events]
    return StripeEvent.objects.filter(pk__in=ids, state=StripeEvent.State.WAITING).update(
        state=StripeEvent.State.DONE, done_at=Now(), error_code=""
    )


def settle_failed(connection: StripeConnection, stripe_customer_ids: Iterable[str]) -> None:
    """What had been given up about these customers was read after all."""
    StripeEvent.objects.filter(
        connection=connection, state=StripeEvent.State.FAILED, stripe_customer_id__in=list(stripe_customer_ids)
    ).update(state=StripeEvent.State.DONE, done_at=Now())


def fail(dirty: Dirty, *, code: str, permanent: bool, retry_after: float | None = None) -> bool:
    """Another try later, or none; True when it was given up."""
    values: dict[str, Any] = {
        "code": code,
        "permanent": permanent,
        "most": MOST_ATTEMPTS,
        "retry_after": retry_after or 0.0,
        "longest": LONGEST_RETRY_SECONDS,
        "first": FIRST_RETRY_SECONDS,
        "events": dirty.events,
    }
    with database.cursor() as cursor:
        cursor.execute(FAIL, values)
        return any(state == StripeEvent.State.FAILED for (state,) in cursor.fetchall())


def pause(connection: StripeConnection, seconds: float) -> None:
    """Nothing of this connection is due before then: Stripe is not there, or asked us to wait."""
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE integrations_stripeevent SET retry_at = clock_timestamp() + make_interval(secs => %(seconds)s)"
            " WHERE connection_id = %(connection)s AND state = 'waiting'"
            " AND (retry_at IS NULL OR retry_at < clock_timestamp() + make_interval(secs => %(seconds)s))",
            {"connection": connection.pk, "seconds": seconds},
        )


def note_look(connection: StripeConnection) -> None:
    """Everybody's figures are as fresh as the last complete poll, once nothing it found waits for a first try."""
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE integrations_stripeconnection AS c SET last_look_at = c.events_polled_at"
            " WHERE c.id = %s AND c.events_polled_at > c.last_look_at AND NOT EXISTS (SELECT 1"
            " FROM integrations_stripeevent e WHERE e.connection_id = c.id AND e.state = 'waiting' AND e.attempts = 0)",
            [connection.pk],
        )


def close_before(connection: StripeConnection, moment: datetime) -> int:
    """A complete walk that began then has read what these were about, except whose record it could not read."""
    broken = connection.issues.filter(state=IssueState.OPEN, severity=Severity.ERROR).exclude(stripe_customer_id="")
    mine = StripeEvent.objects.filter(connection=connection, received_at__lt=moment)
    return (
        mine.exclude(state=StripeEvent.State.DONE)
        .exclude(stripe_customer_id__in=broken.values("stripe_customer_id"))
        .update(state=StripeEvent.State.DONE, done_at=Now())
    )


def newest_created(connection: StripeConnection) -> datetime | None:
    """The newest moment, by Stripe's clock, of the events that arrived last; None when there is none."""
    latest = StripeEvent.objects.filter(connection=connection).order_by("-received_at").values("created")[:RECENT]
    found: datetime | None = StripeEvent.objects.filter(connection=connection, pk__in=latest.values("pk")).aggregate(
        newest=Max("created")
    )["newest"]
    return found


RECENT = 100


def problem_of(dirty: Dirty, code: str, detail: str, answer: str) -> Problem:
    """What is said about a subject that was given up."""
    owner = dirty.stripe_id if dirty.kind == "customer" else ""
    return Problem(code, dirty.kind, dirty.stripe_id, owner, detail=detail, answer=answer)
