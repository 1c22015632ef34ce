"""What schedules call: the watchdog, the clock, and the pruning of the log."""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now

from integrations.models import IssueState, StripeConnection, SyncIssue, SyncRun, WorkerHeartbeat
from integrations.models.run import ACTIVE_STATES
from integrations.stripe.sync import derive, jobs, runs

KEPT = timedelta(days=30)


def watchdog() -> None:
    """Queue every run and every decision job again that nobody works on: lost tasks, killed workers."""
    WorkerHeartbeat.objects.beat()
    for run_id in runs.unattended():
        runs.enqueue(run_id)
    for job_id in jobs.unattended():
        jobs.enqueue(job_id)


def clock() -> None:
    """Recompute what is due by the clock, from the mirror, for every connected connection."""
    for connection in StripeConnection.objects.all():
        if connection.is_connected:
            while derive.clock_ticked(connection):
                continue
    WorkerHeartbeat.objects.beat()


def prune() -> None:
    """Forget runs and closed issues that are older than the log keeps."""
    SyncRun.objects.filter(created_at__lt=Now() - KEPT).exclude(state__in=ACTIVE_STATES).delete()
    SyncIssue.objects.filter(last_seen_at__lt=Now() - KEPT).exclude(state=IssueState.OPEN).delete()
