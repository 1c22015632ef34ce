"""Threads that fetch: nobody leaves before the last lane is read, and no list waits for another's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pytest_django.fixtures import Settings

from integrations.models import RunKind, StripeConnection, StripeInvoice, SyncRun
from integrations.stripe.sync import beside, fetch, lease
from integrations.stripe.sync.beside import Beside
from integrations.stripe.sync.fetch import Fetcher
from integrations.stripe.sync.lanes import Lanes, Split, stored_lane
from integrations.stripe.sync.walking import fetcher_of
from integrations.stripe.sync.walks import OPEN_INVOICES
from integrations.stripe.sync.work import Work
from tests.integrations.stripe.api.listing import Listing, Object
from tests.integrations.stripe.api.server import Answer, Request, page, serving
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db


@contextmanager
def working() -> Iterator[Work]:
    """A slice of a full run that may read invoices."""
    connection = StripeConnection.objects.create(
        mode="live", state="connected", access_token="rk_live_x", permissions=["invoice_read"]
    )
    held = lease.claim(SyncRun.objects.create(connection=connection, kind=RunKind.FULL).pk)
    assert held is not None
    work = Work(held)
    try:
        yield work
    finally:
        work.close()


def invoices(number: int) -> list[Object]:
    """Invoices of one second: there is nothing to split."""
    return [
        {"id": f"in_{each}", "created": 1_700_000_000, "currency": "usd", "customer": "cus_1", "status": "open"}
        for each in range(number)
    ]


def test_a_fetcher_about_to_read_another_lane_is_busy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked at the moment at which the only thread ends and the next lane is chosen."""
    monkeypatch.setattr(fetch, "AT_ONCE", 1)
    answers: list[bool] = []
    take = Lanes.take

    def take_and_ask(lanes: Lanes) -> int | None:
        number = take(lanes)
        if number == 1:
            wait_for(fetcher.queue.empty)
            asker = threading.Thread(target=lambda: answers.append(fetcher.is_busy))
            asker.start()
            asker.join(0.5)  # whoever has to wait for the decision hears of what was decided
        return number

    monkeypatch.setattr(Lanes, "take", take_and_ask)
    with serving([page(*invoices(1))]) as server:
        settings.STRIPE_API_BASE = server.url
        with working() as work:
            lanes = [stored_lane(1_600_000_000, None), stored_lane(None, 1_600_000_000)]
            fetcher = fetcher_of(work, OPEN_INVOICES, lanes)
            fetcher.start()
            fetcher.queue.get()
            wait_for(lambda: answers)
            rest = list(fetcher.coming())

    assert answers == [True]
    assert len(rest) == 1


def test_the_writer_hears_of_splits_in_their_order_before_any_page(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever thread comes first: that of the first new lane comes when a page of the second was handed out."""
    second_came = threading.Event()
    run = Fetcher._run

    def late(fetcher: Fetcher, number: int) -> None:
        if number == 1:
            second_came.wait(30)
        run(fetcher, number)

    monkeypatch.setattr(Fetcher, "_run", late)
    monkeypatch.setattr("integrations.stripe.api.pages.LARGEST_PAGE", 1)
    spread: list[Object] = [
        {"id": f"in_{each}", "created": 1_700_000_000 - each, "currency": "usd", "customer": "cus_1", "status": "open"}
        for each in range(60)
    ]
    with serving(Listing(spread)) as server:
        settings.STRIPE_API_BASE = server.url
        with working() as work:
            lanes = [stored_lane(1_700_000_000 - 100, None)]
            fetcher = fetcher_of(work, OPEN_INVOICES, lanes)
            met: set[str] = set()
            for got in fetcher.pages():
                if isinstance(got, Split):
                    assert got.new == len(lanes), "the first split first"
                    got.apply(lanes)
                elif got.lane is not None and got.batch is not None:
                    assert got.lane < len(lanes), "no page of a lane nobody was told of"
                    lanes[got.lane].update(after=got.after, created=got.created, done=got.done)
                    met.update(got.batch.tables.get("invoice", {}))
                    if got.lane == 2:
                        second_came.set()

    assert len(lanes) > 2
    assert second_came.is_set()
    assert all(lane["done"] for lane in lanes)
    assert len(met) == len(spread)


def test_lists_beside_a_walk_are_written_to_their_ends_side_by_side(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Payments that come late hold up no invoices: more of these than wait in a queue are asked for meanwhile."""
    monkeypatch.setattr("integrations.stripe.api.pages.LARGEST_PAGE", 1)
    found = invoices(2 * fetch.QUEUED_PAGES)
    asked_for_all = threading.Event()
    listing = Listing(found, before=lambda number: asked_for_all.set() if number == len(found) else None)

    def respond(request: Request) -> Answer:
        if request.path == "/v1/invoices":
            return listing(request)
        in_time.append(asked_for_all.wait(10))
        return page()

    in_time: list[bool] = []
    with serving(respond) as server:
        settings.STRIPE_API_BASE = server.url
        with working() as work:
            work.read = beside.LONG
            lists = Beside(work, "subscriptions")
            lists.write_ready()
            lists.finish()
            lists.close(failed=False)

    assert in_time == [True]
    assert StripeInvoice.objects.count() == len(found)
