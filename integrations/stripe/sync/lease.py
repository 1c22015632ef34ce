"""Who may work on a run: a lease in database time, whose token fences every write.

A slice claims the run by compare-and-set, renews while it works, and gives the lease back with its last write. Who lost
it, because it was killed, paused or cut off, writes nothing more. While Stripe does not let us in, a run is parked: it
keeps its checkpoint and nobody claims it (docs/architecture.md section 4 "Runs").
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection as database
from psycopg.types.json import Jsonb

from integrations.models import RunState, SyncRun

LEASE_SECONDS = 30
STALE_CHECKPOINT_HOURS = 6
LONGEST_WAIT_SECONDS = 3600

CLAIM = """
UPDATE integrations_syncrun AS r
SET state = 'running', lease_token = %(token)s, lease_until = clock_timestamp() + make_interval(secs => %(seconds)s),
    claims = claims + 1, started_at = coalesce(started_at, clock_timestamp()),
    checkpoint = CASE WHEN checkpoint_at < clock_timestamp() - make_interval(hours => %(stale)s)
                      THEN '{}'::jsonb ELSE checkpoint END
WHERE id = %(run)s AND (
    state = 'queued'
    OR (state = 'running' AND (lease_until < clock_timestamp() OR (%(waiting)s AND lease_token IS NULL))))
  AND (%(waiting)s OR EXISTS (SELECT 1 FROM integrations_stripeconnection c
                              WHERE c.id = r.connection_id AND c.state = 'connected'))
RETURNING claims
"""

RENEW = """
UPDATE integrations_syncrun SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id = %(run)s AND lease_token = %(token)s AND state = 'running' RETURNING cancel_requested
"""

ADVANCE = """
UPDATE integrations_syncrun
SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s), claims = 0, checkpoint = %(checkpoint)s,
    checkpoint_at = clock_timestamp(), error_code = '', phase = %(phase)s, read = read + %(read)s,
    own_reads = own_reads + %(own_reads)s, rows_written = rows_written + %(written)s,
    api_requests = api_requests + %(requests)s,
    throttled_at = CASE WHEN %(slowed)s THEN clock_timestamp() ELSE throttled_at END
WHERE id = %(run)s AND lease_token = %(token)s AND state = 'running' RETURNING cancel_requested
"""

RELEASE = """
UPDATE integrations_syncrun
SET lease_until = clock_timestamp(), lease_token = NULL, api_requests = api_requests + %(requests)s,
    error_code = CASE WHEN claims = 0 THEN '' ELSE %(trouble)s END
WHERE id = %(run)s AND lease_token = %(token)s AND state = 'running' RETURNING cancel_requested
"""

PARK = """
UPDATE integrations_syncrun
SET state = 'queued', lease_until = NULL, lease_token = NULL, claims = 0, error_code = 'reauthorize',
    api_requests = api_requests + %(requests)s
WHERE id = %(run)s AND lease_token = %(token)s AND state = 'running' RETURNING cancel_requested
"""

POSTPONE = """
UPDATE integrations_syncrun
SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s), lease_token = NULL,
    claims = greatest(claims - 1, 0), error_code = %(trouble)s, throttled_at = clock_timestamp(),
    api_requests = api_requests + %(requests)s
WHERE id = %(run)s AND lease_token = %(token)s AND state = 'running' RETURNING cancel_requested
"""

WAITED = """
SELECT coalesce(checkpoint_at, started_at) < clock_timestamp() - make_interval(secs => %(seconds)s)
FROM integrations_syncrun WHERE id = %(run)s
"""


class LeaseLostError(Exception):
    """Somebody else has the run now, or it has ended; nothing of ours may be written."""


@dataclass(slots=True)
class Lease:
    """The right to work on one run; ``claims`` tells how often it was claimed since anything moved."""

    run: SyncRun
    token: uuid.UUID
    claims: int
    cancel_requested: bool = False

    def renew(self, seconds: int = LEASE_SECONDS) -> None:
        """Keep the run; raises LeaseLostError when it is no longer ours."""
        self._write(RENEW, {"seconds": seconds})

    def advance(self, *, phase: str, checkpoint: dict[str, Any], slowed: bool, **counts: int) -> None:
        """Move the checkpoint, inside the transaction that wrote what it stands for; raises LeaseLostError.

        ``slowed`` says that Stripe is slowing us down; ``counts`` add to the run's own.
        """
        numbers = {"read": 0, "own_reads": 0, "written": 0, "requests": 0, "slowed": slowed, **counts}
        self._write(ADVANCE, {"phase": phase, "checkpoint": Jsonb(checkpoint), "seconds": LEASE_SECONDS, **numbers})
        self.claims = 0

    def release(self, *, requests: int = 0, trouble: str = "") -> None:
        """Let the next slice claim the run at once; raises LeaseLostError.

        ``trouble`` is the code of what kept this slice from moving anything; it is forgotten once something moves.
        """
        self._write(RELEASE, {"requests": requests, "trouble": trouble})

    def park(self, *, requests: int = 0) -> None:
        """Put the run aside until Stripe lets us in again; raises LeaseLostError."""
        self._write(PARK, {"requests": requests})

    def postpone(self, seconds: float, *, requests: int = 0, trouble: str) -> None:
        """Let nobody claim the run before then: Stripe asked us to wait. The claim does not count as one in vain."""
        self._write(POSTPONE, {"seconds": seconds, "requests": requests, "trouble": trouble})

    def waited_too_long(self) -> bool:
        """Whether nothing has moved for so long that waiting politely leads nowhere."""
        with database.cursor() as cursor:
            cursor.execute(WAITED, {"run": self.run.pk, "seconds": LONGEST_WAIT_SECONDS})
            row = cursor.fetchone()
        return bool(row and row[0])

    def _write(self, sql: str, values: dict[str, Any]) -> None:
        with database.cursor() as cursor:
            cursor.execute(sql, {**values, "run": self.run.pk, "token": self.token})
            row = cursor.fetchone()
        if row is None:
            raise LeaseLostError
        self.cancel_requested = row[0]


def claim(run_id: int, *, waiting: bool = False) -> Lease | None:
    """Take a run that is queued or whose lease is over; None when somebody works on it or it has ended.

    ``waiting`` takes also one that waits because Stripe asked it to or does not let us in: to end it.
    """
    token = uuid.uuid4()
    values: dict[str, Any] = {
        "token": token,
        "seconds": LEASE_SECONDS,
        "stale": STALE_CHECKPOINT_HOURS,
        "run": run_id,
        "waiting": waiting,
    }
    with database.cursor() as cursor:
        cursor.execute(CLAIM, values)
        row = cursor.fetchone()
    if row is None:
        return None
    run = SyncRun.objects.select_related("connection").get(pk=run_id)
    return Lease(run=run, token=token, claims=row[0], cancel_requested=run.cancel_requested)


def is_over(run: SyncRun) -> bool:
    """Whether nobody works on a run although it is not finished."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT state = 'queued' OR lease_until < clock_timestamp() FROM integrations_syncrun"
            " WHERE id = %s AND state = ANY(%s)",
            [run.pk, [RunState.QUEUED, RunState.RUNNING]],
        )
        row = cursor.fetchone()
    return bool(row and row[0])
