"""Sync and refresh in the foreground."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone
from tqdm import tqdm

from integrations.errors import IntegrationError
from integrations.management.stripe_actions.connecting import say_counts
from integrations.models import RunKind, RunState, SyncIssue, SyncRun
from integrations.stripe.sync import connections, counts, inbox, lease, polling, progress, runs
from integrations.stripe.sync import refresh as refreshing

POLL_SECONDS = 0.5
DATABASE_PATIENCE_SECONDS = 60
NUMBERS = (
    "matched",
    "unmatched",
    "skipped",
    "ambiguous",
    "failed",
    "warnings",
    "stripe_customers",
    "subscriptions",
    "api_requests",
)


def sync(command: BaseCommand, options: dict[str, Any]) -> None:
    """``sync``: a full run here and now; joins one that is active, and takes it over once nobody works on it."""
    connection = connections.get(options["mode"])
    run = runs.start(connection, kind=RunKind.FULL, actor=None, queue=False)
    run = drive(command, run)
    report(command, run, as_json=options["json"])
    if run.state != RunState.SUCCEEDED:
        raise SystemExit(1)


def drive(command: BaseCommand, run: SyncRun) -> SyncRun:
    """Work the run to its end, or follow whoever has it; returns it as it ended.

    Raises CommandError when the database stays away; the run then waits behind its checkpoint for the next one. Raises
    IntegrationError ``reauthorize`` when Stripe no longer lets us in; the run then waits for that.
    """
    with tqdm(total=run.expected or None, unit=" subscriptions", file=sys.stderr, disable=None) as bar:

        def show() -> None:
            run.refresh_from_db()
            bar.set_description(progress.progress(run).phase_label)
            bar.update(run.read - bar.n)

        driver = Driver(command, run, show)
        while driver.step():
            continue
    return run


class Driver:
    """Works a run slice by slice, waits while somebody else does, and sits out a lost database connection."""

    def __init__(self, command: BaseCommand, run: SyncRun, show: Callable[[], None]) -> None:
        self.command = command
        self.run = run
        self.show = show
        self.waiting = False
        self.lost_since: float | None = None

    def step(self) -> bool:
        """One slice or one look; False when the run has ended."""
        try:
            self.run.refresh_from_db()
            self.lost_since = None
            if not self.run.is_active:
                return False
            if runs.is_parked(self.run):
                waits = f"Run {self.run.pk} keeps what it read and goes on once the same account is connected again."
                raise IntegrationError("reauthorize", waits)
            if lease.is_over(self.run):
                self.waiting = False
                runs.continue_run(self.run.pk, queue=False, on_commit=self.show)
            else:
                self._wait()
        except (OperationalError, InterfaceError) as error:
            self._sit_out(error)
        return True

    def _wait(self) -> None:
        until = progress.waits_until(self.run, timezone.now())
        if until is not None:
            if not self.waiting:
                self.command.stderr.write(f"Stripe asked us to wait until {timezone.localtime(until):%H:%M:%S}.")
        elif not self.waiting:
            self.command.stderr.write(
                f"Run {self.run.pk} is being worked on elsewhere, or was until a moment ago; waiting for it to end or"
                f" for its lease to be over (at most {lease.LEASE_SECONDS} s)."
            )
        self.waiting = True
        time.sleep(POLL_SECONDS)

    def _sit_out(self, error: Exception) -> None:
        """Try the database again for a while; raises CommandError when it does not come back."""
        now = time.monotonic()
        if self.lost_since is None:
            self.lost_since = now
            self.command.stderr.write(f"The database is gone ({one_line(error)}); the run goes on when it is back.")
        if now - self.lost_since > DATABASE_PATIENCE_SECONDS:
            raise CommandError(
                f"The database did not come back within {DATABASE_PATIENCE_SECONDS} s. Nothing is lost: the same"
                f" command goes on where run {self.run.pk} stopped."
            ) from error
        close_old_connections()
        time.sleep(POLL_SECONDS)


def one_line(error: Exception) -> str:
    """The first line of what a driver says."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def report(command: BaseCommand, run: SyncRun, *, as_json: bool) -> None:
    """The counts of a run that has ended."""
    duration = (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else 0.0
    if as_json:
        command.stdout.write(json.dumps(as_object(run, duration)))
    style = command.style.SUCCESS if run.state == RunState.SUCCEEDED else command.style.WARNING
    command.stderr.write(f"Run {run.pk} {run.state} after {duration:.1f} s, {run.api_requests} requests.", style)
    say_counts(command, counts.count(run.connection))
    if run.error_code or run.error_detail:
        message = IntegrationError(run.error_code, run.error_detail).message if run.error_code else run.error_detail
        command.stderr.write(message, command.style.ERROR)
    for issue in SyncIssue.objects.filter(run=run, state="open").order_by("severity", "pk")[:10]:
        command.stderr.write(f"  {issue.severity}: {issue.code} {issue.object_type} {issue.object_id} {issue.detail}")


def as_object(run: SyncRun, duration: float) -> dict[str, Any]:
    """The JSON object of ``sync --json``."""
    numbers = {name: getattr(run, name) for name in NUMBERS}
    return {"run": run.pk, "state": run.state, **numbers, "duration_s": round(duration, 3)}


def refresh(command: BaseCommand, options: dict[str, Any]) -> None:
    """``refresh``: one Stripe customer after the other, fresh; as patient as a run."""
    connection = connections.get(options["mode"])
    broken, unknown = 0, []
    for stripe_customer_id in options["stripe_customer"]:
        result = refreshing.refresh(connection, stripe_customer_id, patience=None)
        if not result.known:
            unknown.append(stripe_customer_id)
            continue
        changed = ", ".join(result.changed) or "nothing changed"
        command.stderr.write(f"{stripe_customer_id}: {changed}")
        for issue in result.issues:
            broken += 1
            command.stderr.write(f"  {issue.code} {issue.object_id} {issue.detail}", command.style.ERROR)
    if broken:
        raise CommandError(f"{broken} records could not be read. [invalid_response]")
    if unknown:
        raise CommandError(f"Stripe {connection.mode} has no customer {', '.join(unknown)}. [record_gone]")


def poll(command: BaseCommand, options: dict[str, Any]) -> None:
    """``poll``: one events poll and the refreshes it asks for, here and now; fails when anything could not be read."""
    connection = connections.get(options["mode"])
    if not connection.is_connected:
        raise IntegrationError("reauthorize", f"Stripe {connection.mode} is {connection.state}.")
    found = polling.poll(connection, wake=False)
    if found.run is not None:
        raise CommandError(f"Stripe keeps events for 30 days, so run {found.run} reads everything. [record_gone]")
    if not found.polled:
        if polling.PERMISSION not in connection.permissions:
            raise IntegrationError("permission_missing", "Events may not be read.")
        raise CommandError("Nothing was asked: run a sync first.")
    done = inbox.drain_now(connection)
    left = inbox.backlog(connection)
    command.stderr.write(
        f"{found.new} new events; {done.customers} Stripe customers read, {done.changed} customers changed,"
        f" {found.requests + done.requests} requests."
    )
    if done.run is not None:
        raise CommandError(f"More changed than is worth reading one by one: run {done.run} reads everything. [busy]")
    if done.error is not None:
        raise done.error
    if done.failed or left.events or left.failed:
        raise CommandError(f"{left.events + left.failed} events could not be dealt with yet. [invalid_response]")
