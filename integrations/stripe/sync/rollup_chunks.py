"""A run's roll-up, in chunks of customers: a few are worked out at a time, and they are committed in order.

Half of a chunk is PostgreSQL's work and half is ours, so one alone keeps either waiting for the other. Chunks share no
rows but the checkpoint, which each moves when those before it are committed; a slice that dies leaves a checkpoint that
stands for everything behind it. Chunks also begin in order: whoever waits for another must not hold a lock that this
one still has to get.
"""

from __future__ import annotations

import threading

from django.db import connection as database
from django.db import transaction

from integrations import context
from integrations.stripe.sync import derive, kept, rates
from integrations.stripe.sync.threads import StoppedError
from integrations.stripe.sync.work import Work

AT_ONCE = 3
NAME = "roll_up"


def roll_up(work: Work) -> bool:
    """Contributions and roll-up of everybody, from the checkpoint to the end of the slice; True when that is all."""
    return Chunks(work).work_off()


class Chunks:
    """The chunks of one slice."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.rates = rates.frozen(work.checkpoint)
        self.after: int = work.checkpoint["cursors"].get(NAME, 0)
        self.begun = 0
        self.committed = 0
        self.complete = False
        self.error: BaseException | None = None
        self._beginning = threading.Lock()
        self._moved = threading.Condition()

    def work_off(self) -> bool:
        """Work off chunks until the end of the slice, or of them; True for the latter. Raises what a chunk met.

        Inside a transaction there is one connection that sees what it did, and so one thread.
        """
        others = 0 if database.in_atomic_block else AT_ONCE - 1
        threads = [threading.Thread(target=context.carry(self._help), name=NAME, daemon=True) for _ in range(others)]
        for thread in threads:
            thread.start()
        self._go_on()
        for thread in threads:
            thread.join()
        if self.error is not None:
            raise self.error
        return self.complete

    def _help(self) -> None:
        try:
            self._go_on()
        finally:
            database.close()

    def _go_on(self) -> None:
        try:
            while self._next():
                pass
        except BaseException as error:  # noqa: BLE001 - it is raised again in the slice's thread
            with self._moved:
                self.error = self.error or error
                self._moved.notify_all()

    def _next(self) -> bool:
        """Work off the next chunk; False when there is none for this slice."""
        connection = self.work.connection
        with transaction.atomic():
            begun = self._begin()
            if begun is None:
                return False
            number, ids = begun
            derive.roll_up_moved(connection, ids, rates=self.rates, now=self.work.began)
            self._wait_for(number)
            kept.age(connection)
            self.work.checkpoint["cursors"][NAME] = ids[-1]
            self.work.commit(NAME)
        with self._moved:
            self.committed = number + 1
            self._moved.notify_all()
        return True

    def _begin(self) -> tuple[int, list[int]] | None:
        """The number of the next chunk and whom it has, locked."""
        with self._beginning:
            if self.complete or self.error is not None or (self.begun and self.work.is_over):
                return None
            derive.lock_with_others(self.work.connection)
            ids = derive.next_customers(self.work.connection, after=self.after)
            if not ids:
                self.complete = True
                return None
            number, self.after = self.begun, ids[-1]
            self.begun += 1
            return number, ids

    def _wait_for(self, number: int) -> None:
        """Wait until all chunks before this one are committed. Raises StoppedError when one of them never will be."""
        with self._moved:
            self._moved.wait_for(lambda: self.committed == number or self.error is not None)
        if self.committed != number:
            raise StoppedError
