"""Runs as the pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from customers.stored_words import translated
from integrations.errors import ERRORS
from integrations.models import ConnectionState, RunKind, RunState, StripeConnection, SyncRun
from integrations.stripe.sync import runs
from integrations.stripe.sync.progress import Progress, progress

STATUS = {
    RunState.SUCCEEDED: "paid",
    RunState.PARTIAL: "past_due",
    RunState.FAILED: "failing",
    RunState.CANCELLED: "none",
    RunState.QUEUED: "running",
    RunState.RUNNING: "running",
}


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """The run under way: its bar and whatever holds it up."""

    run: SyncRun
    progress: Progress
    silent_since: datetime | None
    is_parked: bool = False

    @property
    def is_preview(self) -> bool:
        """Whether it only fills the mirror."""
        return self.run.kind == RunKind.PREVIEW

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has taken it up yet."""
        return self.run.state == RunState.QUEUED

    @property
    def title(self) -> str:
        """What is going on."""
        if self.is_parked:
            return _("Waiting for Stripe to be connected again")
        if self.is_waiting:
            return _("Waiting for the worker")
        return _("Preview running") if self.is_preview else _("Sync running")

    @property
    def said(self) -> str:
        """What a screen reader is told."""
        return announcement(self.title, None if self.is_waiting else self.progress.percent)

    @property
    def bar_status(self) -> str:
        """The tone of the bar."""
        return "slow" if self.progress.slowed or self.silent_since else ""


def announcement(title: str, percent: int | None) -> str:
    """The title and how far it is, in steps of ten: a bar that moves every second must not be read out every second."""
    return title if percent is None else f"{title}, {percent // 10 * 10} %"


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a table."""

    run: SyncRun
    status: str
    duration: timedelta | None
    what: str
    next_step: str

    @property
    def started(self) -> datetime:
        """When it began, or was asked for."""
        return self.run.started_at or self.run.created_at


def present_active(connection: StripeConnection, run: SyncRun | None = None) -> ActiveRun | None:
    """The active run of a connection, or None; give ``run`` when it is at hand."""
    active = run or runs.active(connection)
    if active is None or not active.is_active:
        return None
    found = progress(active)
    is_parked = active.state == RunState.QUEUED and connection.state == ConnectionState.REAUTHORIZE
    silent = None if is_parked else found.worker_silent
    return ActiveRun(active, found, timezone.now() - silent if silent else None, is_parked)


def present(run: SyncRun) -> RunRow:
    """One run, with what went wrong in words when something did."""
    ended = run.finished_at or (timezone.now() if run.started_at and run.is_active else None)
    text = ERRORS.get(run.error_code)
    what = " ".join(part for part in (_(text.what) if text else "", translated(run.error_detail)) if part)
    return RunRow(
        run=run,
        status=STATUS[RunState(run.state)],
        duration=ended - run.started_at if ended and run.started_at else None,
        what=what,
        next_step=_(text.next_step) if text else "",
    )


def recent_runs(connection: StripeConnection, number: int) -> Sequence[SyncRun]:
    """The newest runs, newest first; an active one is among them."""
    return list(SyncRun.objects.filter(connection=connection).select_related("started_by").order_by("-pk")[:number])
