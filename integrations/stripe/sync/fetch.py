"""Fetches the lanes of a walk: threads do HTTP and decode, the caller's thread writes.

The queue between fetchers and writer is bounded, which keeps memory flat. Splits do not travel in it, since threads
that wait for room in it come in any order: the writer hears of every split there is before it is given a page. So it
never takes a lane for done whose older part nobody has begun, nor one lane for another (docs/architecture.md section 4
"Runs").
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from queue import Empty, Full, Queue

from customers.models.domain import Overrides
from integrations import context
from integrations.models import StripeConnection
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.objects import Page
from integrations.stripe.api.pages import cursor_of, iterate, newest_of
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.lanes import AT_ONCE, Lanes, Split, Stored
from integrations.stripe.sync.rows import Batch
from integrations.stripe.sync.walks import Walk

QUEUED_PAGES = 12
WAIT_SECONDS = 1.0


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
    """Reads the unfinished lanes of one walk, and splits them while that pays.

    ``abort`` ends all waiting of the reader's; it is set when the pages are left before the end, and left to the caller
    to clear. ``arrived`` is set when something has come or ended, for a caller that waits for several fetchers at once.
    """

    def __init__(
        self,
        walk: Walk,
        stored: list[Stored],
        *,
        reader: StripeReader,
        connection: StripeConnection,
        kind: str,
        clock: DatabaseClock,
        overrides: Overrides,
        abort: threading.Event,
        arrived: threading.Event | None = None,
    ) -> None:
        self.walk = walk
        self.lanes = Lanes.of(stored, splits=walk.in_lanes)
        self.reader = reader
        self.connection = connection
        self.params = walk.parameters(connection, kind)
        self.clock = clock
        self.overrides = overrides
        self.abort = abort
        self.arrived = arrived or threading.Event()
        self.stop = threading.Event()
        self.queue: Queue[Fetched | Failed] = Queue(maxsize=QUEUED_PAGES)
        self.threads: list[threading.Thread] = []
        self.active = 0
        self._told = 0

    def pages(self) -> Generator[Fetched | Split]:
        """Decoded pages as they come, and splits; an empty page after each second without, to renew a lease.

        Raises what a lane met, after the pages that came before it were handed out.
        """
        self.start()
        complete = False
        try:
            yield from self.coming()
            complete = True
        finally:
            self.close(abort=not complete)

    def coming(self) -> Iterator[Fetched | Split]:
        """What comes, until nothing is under way; an empty page after each second without."""
        while self.is_busy:
            try:
                got = self.queue.get(timeout=WAIT_SECONDS)
            except Empty:
                yield Fetched(lane=None)
                continue
            yield from self._splits()
            if isinstance(got, Failed):
                raise got.error
            yield got

    def start(self) -> None:
        """Set threads to work."""
        self._spread()

    @property
    def is_reading(self) -> bool:
        """Whether something is still to come."""
        with self.lanes.lock:
            return self.active > 0

    @property
    def is_busy(self) -> bool:
        """Whether something is still to come, or waits to be taken."""
        return self.is_reading or not self.queue.empty()

    def ready(self) -> Iterator[Fetched | Split]:
        """What has come by now, not what comes meanwhile: the caller has more to do. Raises what a lane met."""
        for _number in range(self.queue.qsize()):
            got = self.queue.get_nowait()
            yield from self._splits()
            if isinstance(got, Failed):
                raise got.error
            yield got

    def _splits(self) -> Iterator[Split]:
        """The splits nobody was told of yet."""
        made = self.lanes.made_since(self._told)
        self._told += len(made)
        yield from made

    def close(self, *, abort: bool) -> None:
        """End the threads; with ``abort`` also their waiting."""
        self.stop.set()
        if abort:
            self.abort.set()
        with self.lanes.lock:
            threads = list(self.threads)
        for thread in threads:
            thread.join()

    def _spread(self, *, leaving: bool = False) -> None:
        """Put more threads to work while there are lanes for them, or one can be split.

        ``leaving``: the calling thread ends. It is counted out together with those it makes room for, so that nobody
        finds the fetcher idle in between.
        """
        with self.lanes.lock:
            self.active -= leaving
            while self.active < AT_ONCE and not self.stop.is_set():
                number = self.lanes.take()
                if number is None:
                    split = self.lanes.split()
                    if split is None:
                        return
                    number = split.new
                thread = threading.Thread(
                    target=context.carry(self._run), args=(number,), name=f"lane-{number}", daemon=True
                )
                thread.start()
                self.threads.append(thread)
                self.active += 1

    def _run(self, number: int) -> None:
        try:
            for fetched in self._read(number):
                if not self._put(fetched):
                    return
                self._spread()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the writer's thread
            self._put(Failed(error))
        finally:
            self._spread(leaving=True)
            self.arrived.set()

    def _read(self, number: int) -> Iterator[Fetched]:
        lane = self.lanes.lanes[number]
        after, created = lane.after, lane.created
        params = self._params(number)
        for page in iterate(self.reader, self.walk.path, params, starting_after=after, last_created=created):
            batch = self._decode(page)
            cursor = cursor_of(page)
            if cursor is not None:
                after, created = cursor.id, cursor.created
            newest = newest_of(page) or created
            done = self.lanes.advance(number, newest=newest, after=after, created=created, has_more=page.has_more)
            yield Fetched(number, batch, after, created, done)
            if done:
                return

    def _params(self, number: int) -> dict[str, object]:
        """What to ask for; a split moves the bounds of a lane that is being read, so they are always in it."""
        return {**self.params, "created": self.lanes.lanes[number].bounds} if self.walk.in_lanes else self.params

    def _decode(self, page: Page) -> Batch:
        return self.walk.read_page(
            page,
            batch=Batch(self.overrides),
            reader=self.reader,
            connection=self.connection,
            observed_at=self.clock.from_local(self.reader.sent_at),
        )

    def _put(self, item: Fetched | Failed) -> bool:
        """Hand over; False when nobody wants it any more."""
        while True:
            try:
                self.queue.put(item, timeout=WAIT_SECONDS)
            except Full:
                if self.stop.is_set():
                    return False
                continue
            self.arrived.set()
            return not self.stop.is_set()
