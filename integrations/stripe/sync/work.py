"""One slice of a run: what every phase needs, and the one way to write down how far it came."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection as database
from django.db import transaction

from customers.models import PersonalDomain
from integrations.models import RunKind, SeenId, StripeConnection, SyncRun, WorkerHeartbeat
from integrations.stripe.api.calls import Call
from integrations.stripe.api.factory import reader_for
from integrations.stripe.sync import calls, issues, store, tokens
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.lease import Lease
from integrations.stripe.sync.rows import Batch

SLICE_SECONDS = 20
RENEW_SECONDS = 10
READERS = 8

T = TypeVar("T")
R = TypeVar("R")


class StoppedError(Exception):
    """Waiting was ended because the slice is over or the run was cancelled."""


class Work:
    """A claimed run with its reader, its clock and its checkpoint.

    The checkpoint is a JSON object: ``walks`` (lanes by walk), ``cursors`` (by phase), ``done`` (names of finished phases),
    ``began`` (when the walk began, database time), ``unreadable`` and ``incomplete`` (why nothing may be marked ended).
    """

    def __init__(self, lease: Lease, *, on_commit: Callable[[], None] | None = None) -> None:
        self.lease = lease
        self.run: SyncRun = lease.run
        self.connection: StripeConnection = lease.run.connection
        self.clock = DatabaseClock()
        self.stop = threading.Event()
        self.checkpoint: dict[str, Any] = dict(lease.run.checkpoint)
        self.overrides = PersonalDomain.objects.overrides()
        self._deadline = time.monotonic() + SLICE_SECONDS
        self._on_commit = on_commit
        self._renewed = time.monotonic()
        self._calls: deque[Call] = deque()
        token = tokens.access_token(self.connection)
        self.reader = reader_for(self.connection.mode, token, on_call=self._calls.append, sleep=self._sleep)
        if not self.checkpoint:
            self._begin()

    def _begin(self) -> None:
        SeenId.objects.filter(run=self.run).delete()
        SyncRun.objects.filter(pk=self.run.pk, lease_token=self.lease.token).update(read=0, checkpoint_at=None)
        self.checkpoint = {"began": self.clock.now().isoformat(), "walks": {}, "cursors": {}, "done": []}

    def _sleep(self, seconds: float) -> None:
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
        requests = list(self._drain_calls())
        if done:
            self.checkpoint["done"].append(phase)
        with transaction.atomic():
            written = 0
            if batch is not None:
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
        if self._on_commit is not None:
            self._on_commit()

    def finish_phase(self, phase: str) -> None:
        """Put a phase behind us."""
        self.commit(phase, done=True)

    def give_back(self) -> None:
        """End the slice: the last calls are listed and the lease is free."""
        requests = list(self._drain_calls())
        with transaction.atomic():
            calls.record(self.connection, requests)
            self.lease.release(requests=len(requests))

    def list_calls(self) -> int:
        """List the calls made so far, for a slice that ends with an error; returns their number."""
        requests = list(self._drain_calls())
        calls.record(self.connection, requests)
        return len(requests)

    def close(self) -> None:
        """End fetchers and connections."""
        self.stop.set()
        self.reader.close()

    def parallel(self, items: Iterable[T], read: Callable[[T], R]) -> Iterator[tuple[T, R]]:
        """``read`` of every item, by a few threads at once, as they finish; renews the lease meanwhile.

        Ends early, with the started ones finished, when the slice is over. Raises what ``read`` raises.
        """
        waiting: dict[Future[R], T] = {}
        source = iter(items)
        with ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="read") as pool:
            try:
                while True:
                    while len(waiting) < READERS and not self.is_over:
                        item = next(source, None)
                        if item is None:
                            break
                        waiting[pool.submit(read, item)] = item
                    if not waiting:
                        return
                    finished, _pending = wait(waiting, timeout=1, return_when=FIRST_COMPLETED)
                    self.keep_lease()
                    for future in finished:
                        yield waiting.pop(future), future.result()
            except BaseException:
                self.stop.set()
                raise

    def _drain_calls(self) -> Iterator[Call]:
        while self._calls:
            yield self._calls.popleft()

    def _remember_seen(self, batch: Batch) -> None:
        if not batch.seen:
            return
        kinds, ids = zip(*sorted(batch.seen), strict=True)
        with database.cursor() as cursor:
            cursor.execute(
                "INSERT INTO integrations_seenid (run_id, kind, stripe_id)"
                " SELECT %s, k, i FROM unnest(%s::smallint[], %s::text[]) AS seen(k, i) ON CONFLICT DO NOTHING",
                [self.run.pk, list(kinds), list(ids)],
            )
