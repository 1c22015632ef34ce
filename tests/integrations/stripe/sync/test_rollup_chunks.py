"""A roll-up by several at a time: its figures and its checkpoint are those of one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection as database

from customers.models import Activity, MrrPoint
from integrations.models import BillingSummary, RunState, StripeConnection, StripeCustomer, SyncRun
from integrations.stripe.sync import chunked, derive, rollup_chunks, runs
from sandbox.testing import Running
from tests.integrations.stripe.sync.conftest import PAGED
from tests.integrations.stripe.sync.syncing import billing, connect, crm_rows, go_on, import_crm, start
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

PIECE = 20


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account of a few hundred is rolled up in as many chunks as one of many thousands."""
    import_crm(crm_rows("bulk", PAGED))
    monkeypatch.setattr(chunked, "CHUNK", PIECE)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """Which thread rolled up whom, as they began."""
    seen: list[tuple[str, list[int]]] = []
    original = derive.roll_up_moved

    def noted(connection: StripeConnection, ids: list[int], **rest: Any) -> None:
        seen.append((threading.current_thread().name, ids))
        original(connection, ids, **rest)

    monkeypatch.setattr(derive, "roll_up_moved", noted)
    return seen


def history() -> tuple[list[Any], ...]:
    """What a roll-up wrote beside the five fields, without moments."""
    points = MrrPoint.objects.order_by("customer_id").values_list("customer_id", "mrr", "cause")
    entries = Activity.objects.order_by("customer_id", "field").values_list("customer_id", "event_type", "field", "new")
    summaries = BillingSummary.objects.order_by("pk").values_list("pk", "mrr_exact", "payment_reason")
    return list(points), list(entries), list(summaries)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[int]]:
    """Whom each chunk has, by its number, of the run that began last."""
    chunks: dict[int, list[int]] = {}
    original = rollup_chunks.Chunks._begin

    def noted(self: rollup_chunks.Chunks) -> tuple[int, list[int]] | None:
        found = original(self)
        if found is not None:
            chunks[found[0]] = found[1]
        return found

    monkeypatch.setattr(rollup_chunks.Chunks, "_begin", noted)
    return chunks


def test_several_work_at_a_time_and_write_what_one_would(
    paged: Running,
    threads: list[tuple[str, list[int]]],
    begun: dict[int, list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = connect(paged)
    run = go_on(start(connection))
    found, names = (billing(), history()), {name for name, _ids in threads}
    everybody = [number for chunk in sorted(begun) for number in begun[chunk]]

    assert run.state == RunState.SUCCEEDED
    assert names == {"MainThread", rollup_chunks.NAME}
    assert everybody == sorted(set(everybody)), "each customer once, in the order of the chunks"
    assert sorted(ids for _name, ids in threads) == [begun[chunk] for chunk in sorted(begun)]
    assert run.checkpoint["cursors"][rollup_chunks.NAME] == everybody[-1]

    for model in (MrrPoint, Activity, BillingSummary):
        model.objects.all().delete()
    monkeypatch.setattr(rollup_chunks, "AT_ONCE", 1)
    go_on(start(connection))
    assert (billing(), history()[0]) == (found[0], found[1][0])


def test_a_chunk_that_fails_takes_those_behind_it_along_and_none_before(
    paged: Running, begun: dict[int, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = connect(paged)
    go_on(start(undisturbed))
    expected = billing()
    for model in (MrrPoint, Activity, BillingSummary):
        model.objects.all().delete()

    original, waiting = derive.roll_up_moved, threading.Event()
    begun.clear()

    def failing(connection: StripeConnection, ids: list[int], **rest: Any) -> None:
        original(connection, ids, **rest)
        if ids == begun.get(2):
            assert waiting.wait(30), "the chunk behind is worked out meanwhile"
            raise RuntimeError("out of order")
        if ids == begun.get(3):
            waiting.set()

    monkeypatch.setattr(derive, "roll_up_moved", failing)
    run = start(undisturbed)
    with pytest.raises(RuntimeError, match="out of order"):
        runs.continue_run(run.pk, queue=False)

    run.refresh_from_db()
    assert run.checkpoint["cursors"][rollup_chunks.NAME] == begun[1][-1]
    assert not BillingSummary.objects.filter(pk__gt=begun[1][-1]).exists()

    monkeypatch.setattr(derive, "roll_up_moved", original)
    SyncRun.objects.filter(pk=run.pk).update(state=RunState.QUEUED, lease_until=None, lease_token=None)
    assert go_on(run).state == RunState.SUCCEEDED
    assert billing() == expected


@pytest.fixture
def refreshing() -> Iterator[list[int]]:
    """Somebody else who derives for the same connection all the time; the number of times so far."""
    done: list[int] = []
    stop = threading.Event()

    def refresh() -> None:
        try:
            while not stop.is_set():
                connection = StripeConnection.objects.first()
                ids = StripeCustomer.objects.order_by("?").values_list("stripe_id", flat=True)[:5]
                if connection is not None and ids:
                    derive.refreshed(connection, list(ids), as_of=None)
                    done.append(len(done))
        finally:
            database.close()

    thread = threading.Thread(target=refresh)
    thread.start()
    yield done
    is_alive = thread.is_alive()
    stop.set()
    thread.join()
    assert is_alive, "no refresh met an error"


def test_refreshes_in_between_wait_their_turn_and_nobody_waits_for_ever(paged: Running, refreshing: list[int]) -> None:
    connection = connect(paged)
    run = go_on(start(connection))
    wait_for(lambda: refreshing)
    disturbed = billing()

    assert run.state == RunState.SUCCEEDED
    go_on(start(connection))
    assert billing() == disturbed
