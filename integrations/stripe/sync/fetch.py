"""Fetches the lanes of a walk: threads do HTTP and decode, the caller's thread writes.

A lane is a half-open range ``[from, to)`` of creation times with a cursor; a walk begins with one over all of time.
The queue between fetchers and writer is bounded, which keeps memory flat (docs/architecture.md section 4 "Runs").
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any

from customers.models.domain import Overrides
from integrations import context
from integrations.models import StripeConnection
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.pages import cursor_of, iterate
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.rows import Batch
from integrations.stripe.sync.walks import Walk

QUEUED_PAGES = 4
WAIT_SECONDS = 1.0


def first_lanes() -> list[dict[str, Any]]:
    """One lane over everything: ``after`` and ``created`` are its cursor."""
    return [{"from": None, "to": None, "after": "", "created": 0, "done": False}]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A decoded page of a lane and where the lane stands behind it; ``lane`` None: nothing came within the wait."""

    lane: int | None
    batch: Batch | None = None
    after: str = ""
    created: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A lane that cannot go on."""

    error: BaseException


class Fetcher:
    """Reads the unfinished lanes of one walk.

    ``abort`` ends all waiting of the reader's; it is set when the pages are left before the end, and left to the caller
    to clear.
    """

    def __init__(
        self,
        walk: Walk,
        lanes: list[dict[str, Any]],
        *,
        reader: StripeReader,
        connection: StripeConnection,
        kind: str,
        clock: DatabaseClock,
        overrides: Overrides,
        abort: threading.Event,
    ) -> None:
        self.walk = walk
        self.lanes = lanes
        self.reader = reader
        self.connection = connection
        self.params = walk.parameters(connection, kind)
        self.clock = clock
        self.overrides = overrides
        self.abort = abort
        self.stop = threading.Event()
        self.queue: Queue[Fetched | Failed] = Queue(maxsize=QUEUED_PAGES)

    def pages(self) -> Generator[Fetched]:
        """Decoded pages as they come; an empty one after each second without, so that the caller can renew its lease.

        Raises what a lane met, after the pages that came before it were handed out.
        """
        run = context.carry(self._run)
        threads = [
            threading.Thread(target=run, args=(number, dict(lane)), name=f"lane-{number}", daemon=True)
            for number, lane in enumerate(self.lanes)
            if not lane["done"]
        ]
        for thread in threads:
            thread.start()
        complete = False
        try:
            while any(thread.is_alive() for thread in threads) or not self.queue.empty():
                try:
                    got = self.queue.get(timeout=WAIT_SECONDS)
                except Empty:
                    yield Fetched(lane=None)
                    continue
                if isinstance(got, Failed):
                    raise got.error
                yield got
            complete = True
        finally:
            self.stop.set()
            if not complete:
                self.abort.set()
            for thread in threads:
                thread.join()

    def _run(self, number: int, lane: dict[str, Any]) -> None:
        try:
            for fetched in self._read(number, lane):
                if not self._put(fetched):
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised again in the writer's thread
            self._put(Failed(error))

    def _read(self, number: int, lane: dict[str, Any]) -> Iterator[Fetched]:
        bounds = {"gte": lane["from"], "lt": lane["to"]}
        created = {name: value for name, value in bounds.items() if value is not None}
        params = {**self.params, **({"created": created} if created else {})}
        pages = iterate(self.reader, self.walk.path, params, starting_after=lane["after"], last_created=lane["created"])
        after, last_created = lane["after"], lane["created"]
        for page in pages:
            observed_at = self.clock.from_local(self.reader.sent_at)
            batch = self.walk.read_page(
                page,
                batch=Batch(self.overrides),
                reader=self.reader,
                connection=self.connection,
                observed_at=observed_at,
            )
            cursor = cursor_of(page)
            if cursor is not None:
                after, last_created = cursor.id, cursor.created
            yield Fetched(number, batch, after, last_created, done=not page.has_more)

    def _put(self, item: Fetched | Failed) -> bool:
        """Hand over; False when nobody wants it any more."""
        while True:
            try:
                self.queue.put(item, timeout=WAIT_SECONDS)
            except Full:
                if self.stop.is_set():
                    return False
                continue
            return not self.stop.is_set()
