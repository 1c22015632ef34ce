"""What schedules call: the watchdog, the clock, and the pruning of the log."""

from __future__ import annotations

from datetime import timedelta

from axes.models import AccessAttempt
from django.conf import settings
from django.db.models.functions import Now

from customers.models import Activity
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
from integrations.stripe.sync import converting, decision_jobs, derive, inbox, page_figures, runs, tokens

KEPT_EVENTS = timedelta(days=32)  # Stripe lists and delivers events for 30 days: one that comes again must be known
CHUNK = 5_000


def watchdog() -> None:
    """Queue again the runs, jobs and conversions nobody works on, wake inboxes: lost tasks, killed workers, retries."""
    WorkerHeartbeat.objects.beat()
    tokens.check_readable()
    for run_id in runs.unattended():
        runs.enqueue(run_id)
    for job_id in decision_jobs.unattended():
        decision_jobs.enqueue(job_id)
    for conversion_id in converting.unattended():
        converting.enqueue(conversion_id)
    inbox.wake_due()


def clock() -> None:
    """Recompute what is due by the clock, from the mirror, for every connected connection; then the pages' figures."""
    for connection in StripeConnection.objects.all():
        if connection.is_connected:
            derive.clock_ticked(connection)
        page_figures.renew(connection)
    WorkerHeartbeat.objects.beat()


def prune() -> None:
    """Forget what is older than the settings keep, less what is still open; failed logins after a day."""
    before = Now() - timedelta(days=settings.LOG_KEPT_DAYS)
    DriftReport.objects.filter(created_at__lt=before).delete()
    SyncRun.objects.filter(created_at__lt=before).exclude(state__in=ACTIVE_STATES).delete()
    SyncIssue.objects.filter(last_seen_at__lt=before).exclude(state=IssueState.OPEN).delete()
    Attempt.objects.filter(started_at__lt=before).delete()
    Notice.objects.filter(created_at__lt=before, over_at__isnull=False).delete()
    StripeEvent.objects.filter(received_at__lt=Now() - KEPT_EVENTS).exclude(state=StripeEvent.State.WAITING).delete()
    if settings.ACTIVITY_KEPT_DAYS:
        old = Activity.objects.filter(at__lt=Now() - timedelta(days=settings.ACTIVITY_KEPT_DAYS))
        while ids := list(old.order_by("pk").values_list("pk", flat=True)[:CHUNK]):
            Activity.objects.filter(pk__in=ids).delete()
    AccessAttempt.objects.filter(attempt_time__lt=Now() - timedelta(days=1)).delete()
