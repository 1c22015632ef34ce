"""How far an active run is: what the progress bar and the command line show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from integrations.models import SyncRun, WorkerHeartbeat
from integrations.stripe.sync.phases import LABELS, PHASES

SILENT = timedelta(seconds=90)
SLOWED = timedelta(seconds=30)
# The subscriptions are by far the longest; what comes before and after shares the rest evenly.
WALK_SHARE = 80


@dataclass(frozen=True, slots=True)
class Progress:
    """``percent`` is None while nobody can know how much there is; times in seconds.

    ``waits_until`` is when Stripe lets us go on, while it has asked us to wait.
    """

    phase_label: str
    percent: int | None
    read: int
    expected: int
    per_second: int
    seconds_left: int | None
    worker_silent: timedelta | None
    slowed: bool
    waits_until: datetime | None = None


def progress(run: SyncRun) -> Progress:
    """The progress of a run, from its row and the worker's heartbeat; two queries at most."""
    now = timezone.now()
    age = WorkerHeartbeat.objects.age()
    waited = now - run.created_at
    silent = age if age is not None and age > SILENT else None
    if age is None and waited > SILENT:
        silent = waited
    elapsed = (now - run.started_at).total_seconds() if run.started_at else 0
    rate = run.read / elapsed if elapsed > 1 else 0
    left = None
    if rate and run.expected > run.read and run.phase == "subscriptions":
        left = round((run.expected - run.read) / rate)
    return Progress(
        phase_label=LABELS.get(run.phase, "Waiting for the worker" if run.state == "queued" else "Starting"),
        percent=percent(run),
        read=run.read,
        expected=run.expected,
        per_second=round(rate),
        seconds_left=left,
        worker_silent=silent,
        slowed=run.throttled_at is not None and now - run.throttled_at < SLOWED,
        waits_until=waits_until(run, now),
    )


def waits_until(run: SyncRun, now: datetime) -> datetime | None:
    """When a run that waits because Stripe asked it to goes on; None when it does not wait."""
    is_waiting = run.lease_token is None and run.error_code == "rate_limited"
    return run.lease_until if is_waiting and run.lease_until and run.lease_until > now else None


def percent(run: SyncRun) -> int | None:
    """How much of the run is done; unknown while a first walk reads an account of unknown size."""
    names = [phase.name for phase in PHASES]
    done = set(run.checkpoint.get("done", ()))
    if "subscriptions" not in done:
        if not run.expected:
            return None
        return min(WALK_SHARE - 1, round(WALK_SHARE * run.read / run.expected))
    others = [name for name in names if name != "subscriptions"]
    finished = sum(1 for name in others if name in done)
    return WALK_SHARE + round((99 - WALK_SHARE) * finished / len(others))
