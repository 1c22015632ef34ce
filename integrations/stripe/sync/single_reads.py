"""Reads records on their own, several at once, behind a cursor of the run's checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from typing import TypeGuard, TypeVar

from integrations.errors import IntegrationError
from integrations.stripe.api.factory import IN_A_SLICE, reader_for
from integrations.stripe.sync import tokens
from integrations.stripe.sync.lease import LEASE_SECONDS
from integrations.stripe.sync.rows import Batch, Problem
from integrations.stripe.sync.threads import StoppedError, read_in_threads
from integrations.stripe.sync.work import Work

GIVEN_UP_AT_MOST = 20  # more single records without an answer than that: it is Stripe
SOMETHING_ELSE = "/v1/subscriptions"

Item = TypeVar("Item")


def read_each(
    work: Work,
    phase: str,
    items: Sequence[tuple[str, Item]],
    read: Callable[[Item], Batch],
    *,
    last: str,
    about: Callable[[Item], Problem],
) -> bool:
    """Read items on their own, write what came, and move the phase's cursor behind it.

    ``items`` come with the cursor that stands for each, in its order; ``last`` is the cursor behind all of them.
    One that Stripe cannot answer while it answers anything else becomes the problem ``about`` it. False when the
    slice is over: the next one begins behind the last item that was read. Raises what ``read`` raises otherwise,
    after what came before it was written.
    """
    batch, done, error = Batch(work.overrides), 0, None
    for (_cursor, item), future in zip(
        items, read_at_once(work, [item for _cursor, item in items], read), strict=False
    ):
        error = future.exception()
        if error is None:
            batch.merge(future.result())
        elif only_this_fails(error, work):
            problem = about(item)
            batch.problems.append(replace(problem, code=error.code, detail=error.detail, answer=error.answer))
            error = None
        else:
            break
        done += 1
    through = done == len(items)
    if done or through:
        work.checkpoint["cursors"][phase] = last if through else items[done - 1][0]
        work.commit(phase, batch, own_reads=done)
    if error is not None and not isinstance(error, StoppedError):
        raise error
    return through and not work.is_over


def only_this_fails(error: BaseException, work: Work) -> TypeGuard[IntegrationError]:
    """Whether Stripe has no answer for one record although it answers; a few in a run at most."""
    if not isinstance(error, IntegrationError) or error.code not in ("stripe_unavailable", "invalid_response"):
        return False
    given_up = work.checkpoint.get("given_up", 0)
    if given_up >= GIVEN_UP_AT_MOST:
        return False
    work.keep_lease(LEASE_SECONDS)
    brief = reader_for(
        tokens.mode_of(work.connection),
        work.token,
        governor=work.reader.governor,
        on_call=work.called,
        sleep=work.sleep,
        patience=IN_A_SLICE,
    )
    try:
        with closing(brief):
            brief.get_page(SOMETHING_ELSE, {"limit": 1})
    except IntegrationError:
        return False
    work.checkpoint["given_up"] = given_up + 1
    return True


def read_at_once(work: Work, items: Sequence[Item], read: Callable[[Item], Batch]) -> list[Future[Batch]]:
    """Start reading items in order, a few at once, until all are or the slice is over; returns the ended futures.

    Renews the lease meanwhile. One that fails ends it, and so does the end of the slice: nothing waits any longer.
    """

    def tick(ended: set[Future[Batch]]) -> None:
        work.keep_lease()
        if work.is_over or any(future.exception() for future in ended):
            work.stop.set()

    with work.interruptible():
        return read_in_threads(items, read, stop=work.stop, tick=tick)
