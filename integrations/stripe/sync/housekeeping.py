"""What schedules call: the watchdog, the clock, and the pruning of the log."""

from __future__ import annotations

from datetime import timedelta

from axes.models import AccessAttempt
from django.conf import settings
from django.db.models.functions import Now

from customers.models import Activity
from integrations.models import IssueState, StripeConnection, SyncIssue, SyncRun, WorkerHeartbeat
from integrations.models.run import ACTIVE_STATES
from integrations.stripe.sync import derive, runs, tokens

CHUNK = 5_000


def watchdog() -> None:
    """Queue every run again that nobody works on: lost tasks, killed workers."""
    WorkerHeartbeat.objects.beat()
    tokens.check_readable()
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
    """Forget what is older than the settings keep: runs, closed issues, history; failed logins after a day."""
    kept = timedelta(days=settings.LOG_KEPT_DAYS)
    SyncRun.objects.filter(created_at__lt=Now() - kept).exclude(state__in=ACTIVE_STATES).delete()
    SyncIssue.objects.filter(last_seen_at__lt=Now() - kept).exclude(state=IssueState.OPEN).delete()
    if settings.ACTIVITY_KEPT_DAYS:
        old = Activity.objects.filter(at__lt=Now() - timedelta(days=settings.ACTIVITY_KEPT_DAYS))
        while ids := list(old.order_by("pk").values_list("pk", flat=True)[:CHUNK]):
            Activity.objects.filter(pk__in=ids).delete()
    AccessAttempt.objects.filter(attempt_time__lt=Now() - timedelta(days=1)).delete()
