"""The inbox: hints come in, a drain deals with them (docs/architecture.md section 4 "Incremental").

An event is only a hint that somebody changed; whoever it is about is read fresh. At most one drain is queued for a
connection, at most one works on it, and the watchdog wakes what was lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime

from integrations.errors import IntegrationError
from integrations.models import AttemptKind, AttemptState, StripeConnection, WorkerHeartbeat
from integrations.stripe.api.events import DEAUTHORIZED, Hint
from integrations.stripe.sync import attempts, calls, derive, dirty, disconnecting, inbox_lease
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.dirty import Backlog
from integrations.stripe.sync.drain import Drain
from integrations.stripe.sync.drain_slice import DrainResult
from integrations.stripe.sync.inbox_lease import InboxLease
from integrations.stripe.sync.lease import LeaseLostError

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
HELD_SECONDS = 120.0  # a drain that was killed gives its inbox back long before


def receive(connection: StripeConnection, hints: Iterable[Hint], *, source: str, wake: bool = True) -> int:
    """Keep hints and see that somebody deals with them; returns how many are new.

    Access that was ended on Stripe's side disconnects at once, unless it is older than the connection. Call it outside
    a transaction: a drain must be able to see what it is woken for. Without ``wake`` the caller drains.
    """
    found = list(hints)
    for hint in found:
        if hint.type == DEAUTHORIZED and is_about_us_now(connection, hint):
            disconnecting.disconnect(connection, actor=None, reason="Access was ended in Stripe.")
    kept = [hint for hint in found if hint.type != DEAUTHORIZED]
    new = dirty.insert(connection, kept, source=source)
    if new and wake and connection.is_connected:
        inbox_lease.wake(connection.pk, webhook=source == "webhook")
    return new


def is_about_us_now(connection: StripeConnection, hint: Hint) -> bool:
    """Whether an end of access concerns the access we have: Stripe delivers again for days."""
    since = connection.connected_at
    return since is None or datetime.fromtimestamp(hint.created, UTC) >= since.replace(microsecond=0)


def backlog(connection: StripeConnection) -> Backlog:
    """How much waits, since when, and what keeps failing."""
    return dirty.backlog(connection)


def wake_due() -> None:
    """Queue a drain for every inbox with something due that nobody comes for: what the watchdog calls."""
    for connection_id in dirty.connections_due():
        inbox_lease.wake(connection_id)


def drain(connection_id: int, *, queue: bool = True) -> DrainResult | None:
    """Work one slice on an inbox; None when somebody else does, or nothing may be read now.

    What is left is queued, unless ``queue`` is False; what waits for a run or for a later try is left to the watchdog.
    """
    held = inbox_lease.claim(connection_id)
    if held is None:
        return None
    result = None
    try:
        result = work(held)
    except LeaseLostError:
        logger.warning("The inbox of %s went to somebody else; nothing more is written here", held.connection)
    finally:
        held.release()
    if result is not None:
        dirty.note_look(held.connection)
        if queue and result.run is None and result.error is None and dirty.due(held.connection).exists():
            inbox_lease.wake(connection_id)
    WorkerHeartbeat.objects.beat()
    return result


def work(held: InboxLease) -> DrainResult | None:
    """The slice itself, listed in the log when it did anything; None when nothing may be read now.

    Before a first run has written customers there is nothing to bring up to date: events wait for it.
    """
    connection = held.connection
    if not connection.is_connected or not dirty.due(connection).exists() or not derive.has_written(connection):
        return None
    started_at = DatabaseClock().now()
    try:
        with closing(Drain(held)) as drain:
            try:
                result = drain.work()
            finally:
                calls.record(connection, list(drain.calls))
    except IntegrationError as error:  # there is no access to read with
        result = DrainResult(error=error)
    log(connection, result, started_at)
    return result


def log(connection: StripeConnection, result: DrainResult, started_at: datetime) -> None:
    """One line for a slice that did anything; a busy account's are added up by the minute."""
    if not (result.events or result.failed or result.error or result.customers):
        return
    state = AttemptState.SUCCEEDED
    if result.failed or result.error:
        state = AttemptState.PARTIAL if result.events else AttemptState.FAILED
    attempts.record(
        connection,
        AttemptKind.INBOX,
        started_at=started_at,
        state=state,
        error=result.error,
        merge=True,
        api_requests=result.requests,
        events=result.events,
        customers=result.customers,
        changed=result.changed,
    )


def drain_now(connection: StripeConnection) -> DrainResult:
    """Drain in the foreground until nothing is due; waits while a worker has the inbox.

    Raises IntegrationError ``busy`` when it is not given back.
    """
    total, since = DrainResult(), time.monotonic()
    while dirty.due(connection).exists():
        result = drain(connection.pk, queue=False)
        if result is not None:
            total.add(result)
            if result.error is not None or result.run is not None:
                break
        elif not inbox_lease.is_held(connection.pk):
            break  # not connected, or before the first run
        elif time.monotonic() - since > HELD_SECONDS:
            raise IntegrationError("busy", "A worker does not give the inbox back.")
        else:
            time.sleep(POLL_SECONDS)
    dirty.note_look(connection)
    return total
