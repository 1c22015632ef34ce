"""What schedules call: the watchdog, the clock, and the pruning of the log."""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now

from integrations.models import (
    Attempt,
    DriftReport,
    IssueState,
    Notice,
    StripeConnection,
    StripeEvent,
    SyncIssue,
    SyncRun,
    WorkerHeartbeat,
)
from integrations.models.run import ACTIVE_STATES
from integrations.stripe.sync import derive, runs

KEPT = timedelta(days=30)


def watchdog() -> None:
    """Queue every run again that nobody works on: lost tasks, killed workers."""
    WorkerHeartbeat.objects.beat()
    for run_id in runs.unattended():
        runs.enqueue(run_id)


def clock() -> None:
    """Recompute what is due by the clock, from the mirror, for every connected connection."""
    for connection in StripeConnection.objects.all():
        if connection.is_connected:
            while derive.clock_ticked(connection):
                continue
    WorkerHeartbeat.objects.beat()


def prune() -> None:
    """Forget what is older than the log keeps, less what is still open: runs, attempts, issues, events, drift, notices."""
    before = Now() - KEPT
    DriftReport.objects.filter(created_at__lt=before).delete()
    SyncRun.objects.filter(created_at__lt=before).exclude(state__in=ACTIVE_STATES).delete()
    Attempt.objects.filter(started_at__lt=before).delete()
    SyncIssue.objects.filter(last_seen_at__lt=before).exclude(state=IssueState.OPEN).delete()
    StripeEvent.objects.filter(received_at__lt=before).exclude(state=StripeEvent.State.WAITING).delete()
    Notice.objects.filter(created_at__lt=before, over_at__isnull=False).delete()
