"""Walks a list into the mirror: pages in batches, each with its checkpoint in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from threading import Event
from typing import Protocol

from integrations.errors import IntegrationError
from integrations.stripe.sync.fetch import Fetched, Fetcher
from integrations.stripe.sync.lanes import Split, Stored, first_lanes
from integrations.stripe.sync.rows import Batch
from integrations.stripe.sync.threads import StoppedError
from integrations.stripe.sync.walks import Walk
from integrations.stripe.sync.work import Work

PAGES_A_BATCH = 10

Sift = Callable[[Work, Batch], None]
"""Takes out of a batch what the mirror has no use for."""

Page = Fetched | Split
"""What a fetcher hands out."""


class Companion(Protocol):
    """Other lists that are read beside a walk; the walk's thread writes them too."""

    def write_ready(self) -> None:
        """Write what has come by now, without waiting for more."""

    def finish(self) -> None:
        """Write what is under way to its end, or to that of the slice; nothing more is begun."""

    def close(self, *, failed: bool) -> None:
        """Write what was held back, unless the walk failed in a way that forbids it, and end the threads."""


def walk(work: Work, what: Walk, sift: Sift | None = None, beside: Companion | None = None) -> bool:
    """Walk a list from its checkpoint, several pages to a batch; True when every lane is done, or none may be read."""
    if not work.may(what.permission):
        return True
    lanes = work.checkpoint["walks"].setdefault(what.name, first_lanes())
    with work.interruptible(), closing(fetcher_of(work, what, lanes).pages()) as pages:
        if beside is None:
            write_pages(work, what, lanes, pages, sift)
        else:
            with attended(beside) as attend:
                write_pages(work, what, lanes, attend(pages), sift)
    return all(lane["done"] for lane in lanes)


@contextmanager
def attended(beside: Companion) -> Iterator[Callable[[Iterable[Page]], Iterator[Page]]]:
    """Pages one by one, and between them what came beside; ends the companion with the block."""

    def attend(pages: Iterable[Page]) -> Iterator[Page]:
        for page in pages:
            yield page
            beside.write_ready()
        beside.finish()

    failed = True
    try:
        yield attend
        failed = False
    except (IntegrationError, StoppedError):
        failed = False  # what came before the error is good
        raise
    finally:
        beside.close(failed=failed)


def fetcher_of(work: Work, what: Walk, lanes: list[Stored], arrived: Event | None = None) -> Fetcher:
    """Whoever fetches these lanes for a slice; ``arrived`` is set when something has come."""
    return Fetcher(
        what,
        lanes,
        reader=work.reader,
        connection=work.connection,
        kind=work.run.kind,
        clock=work.clock,
        overrides=work.overrides,
        abort=work.stop,
        arrived=arrived,
    )


def write_pages(work: Work, what: Walk, lanes: list[Stored], pages: Iterable[Page], sift: Sift | None) -> None:
    """Write pages as they come, until the last or the end of the slice; what came before an error is written too."""
    held: list[Fetched] = []
    try:
        for fetched in pages:
            if isinstance(fetched, Split):
                fetched.apply(lanes)
                continue
            if fetched.lane is None:
                work.keep_lease()
            else:
                held.append(fetched)
            if work.is_over:
                break
            if len(held) >= PAGES_A_BATCH or fetched.lane is None:
                write_held(work, what, lanes, held, sift)
    except (IntegrationError, StoppedError):
        write_held(work, what, lanes, held, sift)
        raise
    write_held(work, what, lanes, held, sift)


def write_held(
    work: Work, what: Walk, lanes: list[Stored], held: list[Fetched], sift: Sift | None, phase: str = ""
) -> None:
    """Write the pages held back, and move their lanes behind them in the same transaction.

    ``phase`` is what the run is at, where that is another list.
    """
    if not held:
        return
    batch = Batch(work.overrides)
    for fetched in held:
        assert fetched.lane is not None and fetched.batch is not None  # noqa: S101, PT018 - only real pages are held
        batch.merge(fetched.batch)
        lanes[fetched.lane].update(after=fetched.after, created=fetched.created, done=fetched.done)
    held.clear()
    if sift is not None:
        sift(work, batch)
    work.commit(phase or what.name, batch)
