"""Runs: start, join, go on, cancel, finish (docs/architecture.md section 4 "Runs").

The row is the truth. A task only says "run 7 may go on"; whoever claims the lease works a slice, and its last write
queues the next one. The foreground command works the same slices without the queue.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django_q.tasks import async_task

from integrations import context
from integrations.errors import IntegrationError
from integrations.models import (
    ConnectionState,
    IssueState,
    NoticeKind,
    RunKind,
    RunState,
    SeenId,
    Severity,
    StripeConnection,
    StripeSubscription,
    SyncIssue,
    SyncRun,
    WorkerHeartbeat,
)
from integrations.models.run import ACTIVE_STATES
from integrations.stripe.sync import (
    converting,
    counts,
    decision_jobs,
    dirty,
    inbox_lease,
    issues,
    kept,
    lease,
    notices,
    page_figures,
    rates,
    tokens,
)
from integrations.stripe.sync.garbage import seldom_collected
from integrations.stripe.sync.lease import Lease, LeaseLostError
from integrations.stripe.sync.phases import PHASES, require_access, step
from integrations.stripe.sync.threads import StoppedError
from integrations.stripe.sync.work import Work, wait_when_slowed

logger = logging.getLogger(__name__)

CONTINUE = "integrations.stripe.tasks.continue_run"
CLAIMS_WITHOUT_PROGRESS = 3
COUNTED = ("subscriptions", "stripe_customers", "matched", "unmatched", "skipped", "ambiguous", "failed")


def start(connection: StripeConnection, *, kind: str = RunKind.FULL, actor: User | None, queue: bool = True) -> SyncRun:
    """Start a run, or join the one that is active; the worker takes it up unless ``queue`` is False.

    A full run is the initial one as long as none has finished. Raises IntegrationError ``reauthorize`` when the
    connection is not connected.
    """
    if not connection.is_connected:
        raise IntegrationError("reauthorize", f"Stripe {connection.mode} is {connection.state}.")
    never = StripeConnection.objects.filter(pk=connection.pk, last_full_sync_at__isnull=True)
    if kind == RunKind.FULL and never.exists():
        kind = RunKind.INITIAL
    rates.seed()
    try:
        with transaction.atomic():
            run = SyncRun.objects.create(
                connection=connection, kind=kind, started_by=actor, expected=mirrored_subscriptions(connection)
            )
    except IntegrityError:
        joined = active(connection)
        if joined is None:
            raise
        if joined.kind == RunKind.PREVIEW and kind != RunKind.PREVIEW:
            return instead_of(joined, kind=kind, actor=actor, queue=queue)
        return joined
    if queue:
        enqueue(run.pk)
    return run


def instead_of(preview: SyncRun, *, kind: str, actor: User | None, queue: bool) -> SyncRun:
    """Start the run that was asked for in place of a preview, which writes no customer.

    Raises IntegrationError ``busy`` when somebody works on the preview right now; it has been asked to stop.
    """
    cancel(preview, actor=actor)
    preview.refresh_from_db()
    if preview.is_active:
        raise IntegrationError("busy", "A preview is being worked on; it was asked to stop.")
    return start(preview.connection, kind=kind, actor=actor, queue=queue)


def mirrored_subscriptions(connection: StripeConnection) -> int:
    """How many subscriptions the mirror has: what a walk can expect to meet."""
    return StripeSubscription.objects.filter(connection=connection).count()


def enqueue(run_id: int) -> None:
    """Tell the worker, once the current transaction is committed, that a run may go on."""
    transaction.on_commit(lambda: async_task(CONTINUE, run_id))


def active(connection: StripeConnection) -> SyncRun | None:
    """The run that is queued or running, if any."""
    return SyncRun.objects.filter(connection=connection, state__in=ACTIVE_STATES).first()


def latest(connection: StripeConnection) -> SyncRun | None:
    """The newest run that was no preview."""
    return SyncRun.objects.filter(connection=connection).exclude(kind=RunKind.PREVIEW).first()


def cancel(run: SyncRun, *, actor: User | None) -> None:
    """Ask a run to stop; it does at its next batch. A run nobody works on is cancelled at once."""
    asked = SyncRun.objects.filter(pk=run.pk, state__in=ACTIVE_STATES).update(cancel_requested=True)
    if asked:
        logger.info("run %s: cancelled by %s", run.pk, actor or "the command line")
    held = lease.claim(run.pk, waiting=True)
    if held is not None:
        finish(held, RunState.CANCELLED)


def unattended() -> list[int]:
    """Active runs that nobody works on and somebody could: what the watchdog queues again. Parked ones are not due."""
    waiting = Q(state=RunState.QUEUED) | Q(state=RunState.RUNNING, lease_until__lt=Now())
    found = SyncRun.objects.filter(waiting, connection__state=ConnectionState.CONNECTED)
    return list(found.values_list("pk", flat=True))


def is_parked(run: SyncRun) -> bool:
    """Whether a run waits for its connection to be connected again."""
    return run.is_active and lease.is_over(run) and not StripeConnection.objects.get(pk=run.connection_id).is_connected


def work_is_due() -> bool:
    """Whether a worker would have something to do now."""
    return bool(unattended() or decision_jobs.unattended() or converting.unattended() or dirty.connections_due())


def continue_run(run_id: int, *, queue: bool = True, on_commit: Callable[[], None] | None = None) -> bool:
    """Work one slice of a run; True when there is more to do. A run somebody else works on is left alone.

    ``on_commit`` is called after each batch that was written. Raises django.db.OperationalError when the database is
    lost; the run goes on behind its checkpoint once its lease is over.
    """
    held = lease.claim(run_id)
    if held is None:
        return False
    try:
        with context.working_on(run=run_id, connection=held.run.connection.mode), seldom_collected():
            if held.claims > CLAIMS_WITHOUT_PROGRESS:
                fail(held, stalled(held))
                return False
            more = work_slice(held, on_commit)
    except LeaseLostError:
        logger.warning("run %s: the lease went to somebody else; nothing more is written here", run_id)
        return False
    WorkerHeartbeat.objects.beat()
    if more and queue:
        enqueue(run_id)
    return more


def stalled(held: Lease) -> IntegrationError:
    """Why a run that was claimed again and again did not move: what Stripe answered, where that is known."""
    attempts = f"Nothing moved in {CLAIMS_WITHOUT_PROGRESS} attempts."
    return IntegrationError(held.run.error_code or "stalled", attempts)


def work_slice(held: Lease, on_commit: Callable[[], None] | None) -> bool:
    """The phases from the checkpoint on, until the slice is over; True when there is more to do."""
    try:
        work = Work(held, on_commit=on_commit)
    except IntegrationError as error:
        return after_error(held, error)
    with closing(work):
        try:
            through = work_phases(work)
        except StoppedError:
            through = False
        except IntegrationError as error:
            return after_error(held, error, work)
        if held.cancel_requested:
            finish(held, RunState.CANCELLED, requests=work.list_calls())
            return False
        if not through:
            return work.give_back()
        finish_complete(work)
        return False


def work_phases(work: Work) -> bool:
    """Phase by phase; True when all are through."""
    require_access(work)
    for phase in PHASES:
        if work.is_done(phase.name) or not phase.wanted(work):
            continue
        while not step(work, phase):
            if work.is_over:
                return False
        work.finish_phase(phase.name)
        if work.is_over:
            return False
    return True


def after_error(held: Lease, error: IntegrationError, work: Work | None = None) -> bool:
    """What becomes of a run that met an error: another try later, or its end. True when there is more to do now.

    Without access it is parked: it goes on behind its checkpoint once the same account is connected again.
    ``work`` is the slice it was met in; without it, the slice did not get as far as calling Stripe.
    """
    requests = work.list_calls() if work else 0
    if error.code == "reauthorize":
        if work is not None and tokens.is_renewed(held.run.connection, work.token):
            held.release(requests=requests)  # somebody traded our token for a new one while we were using it
            return True
        tokens.ask_to_reauthorize(held.run.connection, error)
        logger.warning("run %s waits until Stripe %s is connected again", held.run.pk, held.run.connection.mode)
        held.park(requests=requests)
        return False
    if error.code == "rate_limited" and not held.waited_too_long():
        held.postpone(error.retry_after or wait_when_slowed(), requests=requests, trouble=error.code)
        return False  # the watchdog comes back to it when the wait is over
    if error.permanent or held.claims >= CLAIMS_WITHOUT_PROGRESS:
        fail(held, error, requests=requests)
        return False
    logger.warning("run %s: %s; it goes on later", held.run.pk, error)
    held.release(requests=requests, trouble=error.code)
    return True


def fail(held: Lease, error: IntegrationError, *, requests: int = 0) -> None:
    """End a run with the reason; ``requests`` were made since its last write."""
    logger.error("run %s failed: %s", held.run.pk, error)
    finish(held, RunState.FAILED, requests=requests, error_code=error.code, error_detail=error.detail)


def finish_complete(work: Work) -> None:
    """End a run that went through all its phases: succeeded, or partial when one record or more is missing."""
    run, connection = work.run, work.connection
    incomplete = work.checkpoint.get("incomplete", "")
    if not work.is_preview:
        if not work.checkpoint.get("unreadable") and not incomplete:
            issues.resolve_errors(connection, stripe_customer_ids=None, run=run)
        issues.sync_warnings(connection, run)
    errors = SyncIssue.objects.filter(run=run, severity=Severity.ERROR, state=IssueState.OPEN).exists()
    state = RunState.PARTIAL if errors or incomplete else RunState.SUCCEEDED
    requests = work.list_calls()
    with transaction.atomic():
        mine = StripeConnection.objects.filter(pk=connection.pk)
        if not work.is_preview and not incomplete:
            mine.update(last_look_at=work.began)  # one broken record does not make everybody's figures old
            dirty.close_before(connection, work.began)
        if not work.is_preview and state == RunState.SUCCEEDED:
            mine.update(last_full_sync_at=Now())
            notices.over(connection, NoticeKind.NIGHTLY_FAILED)
        finish(work.lease, state, requests=requests, error_detail=incomplete)


def finish(held: Lease, state: str, *, requests: int = 0, error_code: str = "", error_detail: str = "") -> None:
    """Write the last state of a run with its counts; raises LeaseLostError when it is no longer ours."""
    run = held.run
    began = time.perf_counter()
    found = counts.count(run.connection)
    counting_took = time.perf_counter() - began
    warnings = SyncIssue.objects.filter(
        connection=run.connection, severity=Severity.WARNING, state=IssueState.OPEN
    ).count()
    with transaction.atomic():
        ended = SyncRun.objects.filter(pk=run.pk, lease_token=held.token, state=RunState.RUNNING).update(
            state=state,
            finished_at=Now(),
            lease_until=None,
            lease_token=None,
            error_code=error_code,
            error_detail=error_detail,
            api_requests=F("api_requests") + requests,
            warnings=warnings,
            **{name: getattr(found, name) for name in COUNTED},
        )
        if not ended:
            raise LeaseLostError
        SeenId.objects.filter(run=run).delete()
        kept.forget(run.connection)
    page_figures.renew_after(run.connection, counting_took)
    if dirty.due(run.connection).exists():  # what arrived meanwhile, or was left to this run
        inbox_lease.wake(run.connection_id)
