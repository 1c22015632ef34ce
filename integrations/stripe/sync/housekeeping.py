"""What schedules call: the watchdog, the clock, and the pruning of the log."""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now

from integrations.models import Attempt, IssueState, StripeConnection, StripeEvent, SyncIssue, SyncRun, WorkerHeartbeat
from integrations.models.run import ACTIVE_STATES
from integrations.stripe.sync import derive, inbox, runs

KEPT = timedelta(days=30)
KEPT_EVENTS = timedelta(days=32)  # Stripe lists and delivers events for 30 days: one that comes again must be known


def watchdog() -> None:
    """Queue every run again that nobody works on, and wake every inbox: lost tasks, killed workers, retries."""
    WorkerHeartbeat.objects.beat()
    for run_id in runs.unattended():
        runs.enqueue(run_id)
    inbox.wake_due()


def clock() -> None:
    """Recompute what is due by the clock, from the mirror, for every connected connection."""
    for connection in StripeConnection.objects.all():
        if connection.is_connected:
            while derive.clock_ticked(connection):
                continue
    WorkerHeartbeat.objects.beat()


def prune() -> None:
    """Forget runs, attempts, events and closed issues that are older than the log keeps."""
    SyncRun.objects.filter(created_at__lt=Now() - KEPT).exclude(state__in=ACTIVE_STATES).delete()
    SyncIssue.objects.filter(last_seen_at__lt=Now() - KEPT).exclude(state=IssueState.OPEN).delete()
    Attempt.objects.filter(started_at__lt=Now() - KEPT).delete()
    StripeEvent.objects.filter(received_at__lt=Now() - KEPT_EVENTS).exclude(state=StripeEvent.State.WAITING).delete()
