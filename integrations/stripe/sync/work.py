"""One slice of a run: what every phase needs, and the one way to write down how far it came."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings
from django.db import reset_queries, transaction

from customers.models import PersonalDomain
from integrations.errors import ERRORS
from integrations.models import RunKind, SeenId, StripeConnection, SyncIssue, SyncRun, WorkerHeartbeat
from integrations.stripe.api.calls import Call
from integrations.stripe.api.factory import reader_for
from integrations.stripe.sync import calls, drift, issues, store, tokens
from integrations.stripe.sync.binding import binding_cursor
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.lease import Lease
from integrations.stripe.sync.rows import Batch
from integrations.stripe.sync.threads import StoppedError

SLICE_SECONDS = 20
RENEW_SECONDS = 10
PAUSES_WHEN_SLOWED = 15  # as many times the first pause between two tries
WORTH_WAITING_SECONDS = 1.0  # a shorter wait is over before the next slice has begun
TROUBLE = {429: "rate_limited", 401: "reauthorize", 403: "permission_missing"}


def wait_when_slowed() -> float:
    """How long a run waits that was turned away all the time, when Stripe did not say how long."""
    return float(settings.STRIPE_RETRY_BASE_SECONDS) * PAUSES_WHEN_SLOWED


class Work:
    """A claimed run with its reader, its clock and its checkpoint.

    The checkpoint is a JSON object: ``walks`` (lanes by walk), ``cursors`` (by phase), ``done`` (names of finished
    phases), ``began`` (when the walk began, database time), ``rates`` (the one set the run uses), ``unreadable``
    (objects without an id) and ``incomplete`` (why nothing may be marked ended).
    """

    def __init__(self, lease: Lease, *, on_commit: Callable[[], None] | None = None) -> None:
        self.lease = lease
        self.run: SyncRun = lease.run
        self.connection: StripeConnection = lease.run.connection
        self.clock = DatabaseClock()
        self.stop = threading.Event()
        self.checkpoint: dict[str, Any] = dict(lease.run.checkpoint)
        self.report = drift.report_of(lease.run)
        self.read = lease.run.read
        self.overrides = PersonalDomain.objects.overrides()
        self._deadline = time.monotonic() + SLICE_SECONDS
        self._on_commit = on_commit
        self._renewed = time.monotonic()
        self._calls: deque[Call] = deque()
        self._failed_call: Call | None = None
        self.token = tokens.access_token(self.connection)
        self.reader = reader_for(tokens.mode_of(self.connection), self.token, on_call=self.called, sleep=self.sleep)
        if not self.checkpoint:
            self._begin()

    def _begin(self) -> None:
        """Begin the walk, or begin it again: what an abandoned one saw and complained about is no longer evidence."""
        SeenId.objects.filter(run=self.run).delete()
        SyncIssue.objects.filter(run=self.run).update(run=None)
        SyncRun.objects.filter(pk=self.run.pk, lease_token=self.lease.token).update(read=0, checkpoint_at=None)
        self.read = 0
        self.checkpoint = {"began": self.clock.now().isoformat(), "walks": {}, "cursors": {}, "done": []}

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A stretch of work with threads: setting ``stop`` ends their waiting. Behind it, waiting is possible again."""
        try:
            yield
        finally:
            self.stop.clear()

    def called(self, call: Call) -> None:
        """List a call; remembers one that failed after the last that did not. Runs in the fetchers' threads."""
        self._calls.append(call)
        self._failed_call = call if call.error_code else None

    def sleep(self, seconds: float) -> None:
        """Wait in a fetcher's thread, unless the slice ends first."""
        if self.stop.wait(seconds):
            raise StoppedError

    @property
    def began(self) -> datetime:
        """When the walk began: the one ``now`` of the run."""
        return datetime.fromisoformat(self.checkpoint["began"])

    @property
    def is_preview(self) -> bool:
        """Whether no customer may be written."""
        return self.run.kind == RunKind.PREVIEW

    @property
    def is_over(self) -> bool:
        """Whether to stop here and go on in another slice, or for good."""
        return self.lease.cancel_requested or time.monotonic() > self._deadline

    def may(self, permission: str) -> bool:
        """Whether the last probe found a permission granted."""
        return permission in self.connection.permissions

    def is_done(self, phase: str) -> bool:
        """Whether a phase is behind us."""
        return phase in self.checkpoint["done"]

    def keep_lease(self, seconds: int | None = None) -> None:
        """Renew the lease when it is time to, or for ``seconds`` before one long statement."""
        if seconds is not None:
            self.lease.renew(seconds)
        elif time.monotonic() - self._renewed > RENEW_SECONDS:
            self.lease.renew()
        else:
            return
        self._renewed = time.monotonic()

    def commit(self, phase: str, batch: Batch | None = None, *, own_reads: int = 0, done: bool = False) -> None:
        """Write a batch, what it saw and the checkpoint in one transaction that the lease fences."""
        requests = self._drain_calls()
        if done:
            self.checkpoint["done"].append(phase)
        with transaction.atomic():
            written = 0
            if batch is not None:
                if self.report is not None:
                    drift.note(self.report, batch)
                written = store.write(self.connection.pk, batch)
                self._remember_seen(batch)
                issues.record(self.connection, batch.problems, run=self.run)
                if batch.unreadable:
                    self.checkpoint["unreadable"] = self.checkpoint.get("unreadable", 0) + batch.unreadable
            calls.record(self.connection, requests)
            WorkerHeartbeat.objects.beat()
            self.lease.advance(
                phase=phase,
                checkpoint=self.checkpoint,
                slowed=self.reader.governor.slowed_until is not None,
                read=batch.read if batch else 0,
                own_reads=own_reads,
                written=written,
                requests=len(requests),
            )
        self._renewed = time.monotonic()
        self.read += batch.read if batch else 0
        reset_queries()  # in DEBUG Django keeps the text of every statement, and here that is everything there is
        if self._on_commit is not None:
            self._on_commit()

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """A transaction that is undone when the run is no longer ours at its end; then raises LeaseLostError."""
        with transaction.atomic():
            yield
            self.lease.renew()

    def finish_phase(self, phase: str) -> None:
        """Put a phase behind us."""
        self.commit(phase, done=True)

    def give_back(self) -> bool:
        """End the slice: the last calls are listed and the lease is free; True when the next may begin at once.

        A slice in which nothing moved says what Stripe answered last: if it goes on like that, it is why the run ends.
        When Stripe has asked us to wait longer than the slice was, the run waits as long, and says until when.
        """
        requests = self._drain_calls()
        wait = self.reader.governor.resumes_in
        if self.lease.claims and self.trouble == "rate_limited":
            wait = max(wait, wait_when_slowed())
        with transaction.atomic():
            calls.record(self.connection, requests)
            if wait > WORTH_WAITING_SECONDS and not self.lease.waited_too_long():
                self.lease.postpone(wait, requests=len(requests), trouble="rate_limited")
                return False
            self.lease.release(requests=len(requests), trouble=self.trouble)
            return True

    @property
    def trouble(self) -> str:
        """The error code of a last call that failed; empty when Stripe answers."""
        failed = self._failed_call
        if failed is None:
            return ""
        return failed.error_code if failed.error_code in ERRORS else TROUBLE.get(failed.status, "stripe_unavailable")

    def list_calls(self) -> int:
        """List the calls made so far, for a slice that ends for good; returns their number."""
        requests = self._drain_calls()
        calls.record(self.connection, requests)
        return len(requests)

    def close(self) -> None:
        """End fetchers and connections."""
        self.stop.set()
        self.reader.close()

    def _drain_calls(self) -> list[Call]:
        drained = []
        while self._calls:
            drained.append(self._calls.popleft())
        return drained

    def _remember_seen(self, batch: Batch) -> None:
        if not batch.seen:
            return
        with binding_cursor() as cursor:
            cursor.execute(
                "INSERT INTO integrations_seenid (run_id, kind, stripe_id)"
                " SELECT %s, (seen->>0)::smallint, seen->>1 FROM jsonb_array_elements(%s::jsonb) AS seen"
                " ON CONFLICT DO NOTHING",
                [self.run.pk, msgspec.json.encode(sorted(batch.seen)).decode()],
            )
