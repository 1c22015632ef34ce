"""Runs: start, join, go on, cancel, finish (docs/architecture.md section 4 "Runs").

The row is the truth. A task only says "run 7 may go on"; whoever claims the lease works a slice, and its last write queues
the next one. The foreground command works the same slices without the queue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django_q.tasks import async_task

from integrations.errors import IntegrationError
from integrations.models import (
    RunKind,
    RunState,
    SeenId,
    StripeConnection,
    SyncIssue,
    SyncRun,
    WorkerHeartbeat,
)
from integrations.models.run import ACTIVE_STATES
from integrations.stripe.sync import counts, issues, lease, rates, tokens
from integrations.stripe.sync.lease import Lease, LeaseLostError
from integrations.stripe.sync.phases import PHASES
from integrations.stripe.sync.work import StoppedError, Work

logger = logging.getLogger(__name__)

CONTINUE = "integrations.stripe.tasks.continue_run"
CLAIMS_WITHOUT_PROGRESS = 3


def start(connection: StripeConnection, *, kind: str = RunKind.FULL, actor: User | None, queue: bool = True) -> SyncRun:
    """Start a run, or join the one that is active; the worker takes it up unless ``queue`` is False.

    A full run is the initial one as long as none has finished. Raises IntegrationError ``reauthorize`` when the connection
    is not connected.
    """
    if not connection.is_connected:
        raise IntegrationError("reauthorize", f"Stripe {connection.mode} is {connection.state}.")
    if kind == RunKind.FULL and connection.last_full_sync_at is None:
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
        return joined
    if queue:
        enqueue(run.pk)
    return run


def mirrored_subscriptions(connection: StripeConnection) -> int:
    """How many subscriptions the mirror has: what a walk can expect to meet."""
    from integrations.models import StripeSubscription

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
    SyncRun.objects.filter(pk=run.pk, state__in=ACTIVE_STATES).update(cancel_requested=True)
    held = lease.claim(run.pk)
    if held is not None:
        finish(held, RunState.CANCELLED)
    logger.info("run %s: cancelled by %s", run.pk, actor)


def unattended() -> list[int]:
    """Active runs that nobody works on: what the watchdog queues again."""
    waiting = Q(state=RunState.QUEUED) | Q(state=RunState.RUNNING, lease_until__lt=Now())
    return list(SyncRun.objects.filter(waiting).values_list("pk", flat=True))


def work_is_due() -> bool:
    """Whether a worker would have something to do now."""
    return bool(unattended())


def continue_run(run_id: int, *, queue: bool = True, on_commit: Callable[[], None] | None = None) -> bool:
    """Work one slice of a run; True when there is more to do. A run somebody else works on is left alone.

    ``on_commit`` is called after each batch that was written.
    """
    held = lease.claim(run_id)
    if held is None:
        return False
    if held.claims > CLAIMS_WITHOUT_PROGRESS:
        fail(held, IntegrationError("stalled", f"Nothing moved in {CLAIMS_WITHOUT_PROGRESS} attempts."))
        return False
    try:
        more = work_slice(held, on_commit)
    except LeaseLostError:
        logger.warning("run %s: the lease went to somebody else; nothing more is written here", run_id)
        return False
    WorkerHeartbeat.objects.beat()
    if more and queue:
        enqueue(run_id)
    return more


def work_slice(held: Lease, on_commit: Callable[[], None] | None) -> bool:
    """The phases from the checkpoint on, until the slice is over; True when there is more to do."""
    try:
        work = Work(held, on_commit=on_commit)
    except IntegrationError as error:
        return after_error(held, error)
    with closing(work):
        try:
            through = work_phases(work)
        except IntegrationError as error:
            requests = work.list_calls()
            return after_error(held, error, requests=requests)
        except StoppedError:
            through = False
        if held.cancel_requested:
            work.give_back()
            cancel(held.run, actor=None)
            return False
        if not through:
            work.give_back()
            return True
        finish_complete(work)
        return False


def work_phases(work: Work) -> bool:
    """Phase by phase; True when all are through."""
    for phase in PHASES:
        if work.is_done(phase.name) or not phase.wanted(work):
            continue
        while not phase.work(work):
            if work.is_over:
                return False
        work.finish_phase(phase.name)
        if work.is_over:
            return False
    return True


def after_error(held: Lease, error: IntegrationError, *, requests: int = 0) -> bool:
    """What becomes of a run that met an error: another try later, or its end. True when there is more to do."""
    if error.code == "reauthorize":
        tokens.ask_to_reauthorize(held.run.connection, error)
    if error.permanent or held.claims >= CLAIMS_WITHOUT_PROGRESS:
        fail(held, error)
        return False
    logger.warning("run %s: %s; it goes on later", held.run.pk, error)
    held.release(requests=requests)
    return True


def fail(held: Lease, error: IntegrationError) -> None:
    """End a run with the reason."""
    logger.error("run %s failed: %s", held.run.pk, error)
    finish(held, RunState.FAILED, error_code=error.code, error_detail=error.detail)


def finish_complete(work: Work) -> None:
    """End a run that went through all its phases: succeeded, or partial when one record or more is missing."""
    run, connection = work.run, work.connection
    incomplete = work.checkpoint.get("incomplete", "")
    if work.is_preview:
        finish(work.lease, RunState.SUCCEEDED)
        return
    if not work.checkpoint.get("unreadable") and not incomplete:
        issues.resolve_errors(connection, stripe_customer_ids=None, run=run)
    issues.sync_warnings(connection, run)
    errors = SyncIssue.objects.filter(run=run, severity="error", state="open").exists()
    state = RunState.PARTIAL if errors or incomplete else RunState.SUCCEEDED
    with transaction.atomic():
        if state == RunState.SUCCEEDED:
            StripeConnection.objects.filter(pk=connection.pk).update(
                last_full_sync_at=Now(), last_look_at=work.began
            )
        finish(work.lease, state, error_detail=incomplete)


def finish(held: Lease, state: str, **changes: str) -> None:
    """Write the last state of a run with its counts; raises LeaseLostError when it is no longer ours."""
    run = held.run
    found = counts.count(run.connection)
    warnings = SyncIssue.objects.filter(connection=run.connection, severity="warning", state="open").count()
    with transaction.atomic():
        ended = SyncRun.objects.filter(pk=run.pk, lease_token=held.token, state=RunState.RUNNING).update(
            state=state,
            finished_at=Now(),
            lease_until=None,
            lease_token=None,
            subscriptions=found.subscriptions,
            stripe_customers=found.stripe_customers,
            matched=found.matched,
            unmatched=found.unmatched,
            skipped=found.skipped,
            ambiguous=found.ambiguous,
            failed=found.failed,
            warnings=warnings,
            **changes,
        )
        if not ended:
            raise LeaseLostError
        SeenId.objects.filter(run=run).delete()
