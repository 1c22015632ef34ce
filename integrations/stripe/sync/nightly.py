"""The night: at 03:00 workspace time every connection is walked and what differs is reported.

Both halves are asked for each minute, by any number of workers, and decided on rows: the start by compare-and-set on
``nightly_on`` in the transaction that makes the run and its report, the end by the report that is not concluded yet.
Before the walk what Stripe has told us is polled and followed; after it Stripe is asked once more what happened
meanwhile (docs/architecture.md section 4 "Incremental").
"""

from __future__ import annotations

import logging
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from integrations.errors import IntegrationError
from integrations.models import (
    ConnectionState,
    DriftReport,
    NoticeKind,
    RunKind,
    RunState,
    StripeConnection,
    SyncRun,
)
from integrations.models.run import ACTIVE_STATES
from integrations.stripe.sync import derive, dirty, drift, inbox, notices, polling, runs

logger = logging.getLogger(__name__)

AT = time(3, 0)
WITHOUT_WAITING_AFTER = timedelta(minutes=30)  # a backlog that long does not keep the walk from starting
FULL_EVERY = timedelta(days=6, hours=12)  # one night a week: on the seventh it is over
ANSWER_WITHIN = timedelta(hours=6)  # a poll that fails for so long leaves the report without events
WENT_THROUGH = (RunState.SUCCEEDED, RunState.PARTIAL)


def tonight(now: datetime | None = None) -> tuple[date, datetime]:
    """The day of the workspace and its 03:00; where the clocks skip that hour, the moment they do."""
    day = timezone.localtime(now).date()
    return day, datetime.combine(day, AT, tzinfo=timezone.get_default_timezone())


def tick() -> None:
    """Each minute: start what is due and conclude what has ended, connection by connection."""
    for connection in StripeConnection.objects.filter(state=ConnectionState.CONNECTED).order_by("pk"):
        try:
            if is_due(connection):
                start(connection)
        except IntegrationError as error:
            logger.warning("The nightly run of Stripe %s did not start yet: %s", connection.mode, error)
    for report in DriftReport.objects.filter(concluded_at__isnull=True).select_related("connection", "run"):
        conclude(report)


def is_due(connection: StripeConnection, now: datetime | None = None) -> bool:
    """Whether tonight's run is still to be started: nothing was read completely since 03:00, and nothing is under way.

    An account that was never synced waits for somebody to start its initial sync.
    """
    now = now or timezone.now()
    day, at = tonight(now)
    if not connection.is_connected or now < at or (connection.nightly_on is not None and connection.nightly_on >= day):
        return False
    mine = SyncRun.objects.filter(connection=connection)
    since = mine.exclude(kind=RunKind.PREVIEW).filter(created_at__gte=at, state__in=WENT_THROUGH)
    return derive.has_written(connection) and not since.exists() and not mine.filter(state__in=ACTIVE_STATES).exists()


def start(connection: StripeConnection, *, queue: bool = True) -> SyncRun | None:
    """Catch up with what was told, then start tonight's run with its report; None when it is not this call that does.

    Raises IntegrationError as a poll or a drain does; the next minute tries again.
    """
    day, at = tonight()
    caught_up = catch_up(connection)
    if runs.active(connection) is not None:  # events that Stripe has forgotten started one
        return None
    if not caught_up and timezone.now() - at < WITHOUT_WAITING_AFTER:
        return None
    with transaction.atomic():
        free = Q(nightly_on__isnull=True) | Q(nightly_on__lt=day)
        if not StripeConnection.objects.filter(free, pk=connection.pk).update(nightly_on=day):
            return None
        run = runs.start(connection, kind=kind_of_night(connection, at), actor=None, queue=queue)
        DriftReport.objects.create(connection=connection, run=run)
    return run


def catch_up(connection: StripeConnection) -> bool:
    """Poll, and drain for a slice; True when nothing is left to be followed now."""
    polling.poll(connection, wake=False)
    inbox.drain(connection.pk)
    return not dirty.due(connection).exists()


def kind_of_night(connection: StripeConnection, at: datetime) -> str:
    """One night a week ended subscriptions are walked too."""
    complete = SyncRun.objects.filter(
        connection=connection, kind__in=(RunKind.INITIAL, RunKind.FULL), state=RunState.SUCCEEDED
    )
    recent = complete.filter(created_at__gte=at - FULL_EVERY).exists()
    return RunKind.NIGHTLY if recent else RunKind.FULL


def conclude(report: DriftReport) -> None:
    """Finish the report of a run that has ended: what nobody told us of, and say so to admins.

    A run that did not go through has no report, and admins are told that it failed.
    """
    connection, run = report.connection, report.run
    if run is not None and run.is_active:
        return
    if run is None or run.state not in WENT_THROUGH:
        if run is not None and run.state == RunState.FAILED:
            what = IntegrationError(run.error_code, run.error_detail).message if run.error_code else run.error_detail
            notices.tell(connection, NoticeKind.NIGHTLY_FAILED, about=f"run {run.pk}", detail=what)
        report.delete()
        return
    told = asked_again(connection, run)
    if told is None:
        return
    report = drift.conclude(report, run, has_events=told)
    if report.has_events:
        notices.over(connection, NoticeKind.DRIFT)
        if report.total:
            notices.tell(connection, NoticeKind.DRIFT, about=f"report {report.pk}", detail=summary(report))


def asked_again(connection: StripeConnection, run: SyncRun) -> bool | None:
    """Ask Stripe what happened during the walk: whether it could tell; None to ask again later."""
    try:
        return polling.poll(connection).polled
    except IntegrationError as error:
        ended = run.finished_at or run.created_at
        if error.permanent or timezone.now() - ended > ANSWER_WITHIN:
            return False
        logger.warning("Drift of run %s: %s It is concluded later.", run.pk, error)
        return None


def summary(report: DriftReport) -> str:
    """The numbers of a report in a line."""
    parts = [
        ngettext("%(n)d subscription was missing", "%(n)d subscriptions were missing", report.missing)
        % {"n": report.missing}
        if report.missing
        else "",
        ngettext("%(n)d was no longer live", "%(n)d were no longer live", report.extra) % {"n": report.extra}
        if report.extra
        else "",
        ngettext("%(n)d customer had other figures", "%(n)d customers had other figures", report.different)
        % {"n": report.different}
        if report.different
        else "",
    ]
    return _(", ").join(part for part in parts if part) + "." if report.total else _("No drift.")
