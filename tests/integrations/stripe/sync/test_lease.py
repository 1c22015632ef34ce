"""Who may work on a run, and that nobody else writes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.db import connection as database
from django.db.models import F
from django.db.models.functions import Now

from integrations.models import RunKind, RunState, StripeConnection, StripeProduct, SyncRun
from integrations.stripe.api.objects import Product
from integrations.stripe.sync import lease
from integrations.stripe.sync.lease import Lease, LeaseLostError
from integrations.stripe.sync.rows import Batch
from integrations.stripe.sync.work import Work

pytestmark = pytest.mark.django_db


def queued_run() -> SyncRun:
    connection, _made = StripeConnection.objects.get_or_create(
        mode="live", defaults={"state": "connected", "access_token": "rk_live_x", "permissions": []}
    )
    return SyncRun.objects.create(connection=connection, kind=RunKind.FULL)


def claimed(run: SyncRun) -> Lease:
    held = lease.claim(run.pk)
    assert held is not None
    return held


def end_lease(run: SyncRun) -> None:
    """As if half a minute had passed without a sign of life."""
    SyncRun.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))


def advance(held: Lease, **counts: int) -> None:
    held.advance(phase="products", checkpoint={"done": []}, slowed=False, **counts)


def test_a_queued_run_can_be_claimed_once() -> None:
    run = queued_run()

    assert lease.claim(run.pk) is not None
    assert lease.claim(run.pk) is None
    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    assert run.started_at is not None


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.PARTIAL, RunState.FAILED, RunState.CANCELLED])
def test_a_run_that_has_ended_cannot_be_claimed(state: str) -> None:
    run = queued_run()
    SyncRun.objects.filter(pk=run.pk).update(state=state)

    assert lease.claim(run.pk) is None


def test_a_run_whose_lease_is_over_goes_to_the_next_who_asks() -> None:
    run = queued_run()
    first = claimed(run)
    end_lease(run)
    second = claimed(run)

    assert second.token != first.token
    assert second.claims == 2


@pytest.mark.parametrize(
    "write", [advance, Lease.renew, Lease.release], ids=["advance the checkpoint", "renew", "give it back"]
)
def test_who_lost_the_lease_can_write_nothing(write: Callable[[Lease], None]) -> None:
    run = queued_run()
    first = claimed(run)
    end_lease(run)
    second = claimed(run)

    with pytest.raises(LeaseLostError):
        write(first)
    advance(second, read=3)
    run.refresh_from_db()
    assert run.read == 3


def test_a_batch_of_a_slice_that_lost_the_lease_is_not_stored() -> None:
    run = queued_run()
    work = Work(claimed(run))
    end_lease(run)
    claimed(run)
    batch = Batch.empty()
    batch.add_product(Product(id="prod_1", name="Growth"), datetime.now(UTC))

    with pytest.raises(LeaseLostError):
        work.commit("products", batch)
    work.close()
    assert not StripeProduct.objects.exists()


def test_what_is_derived_by_a_slice_that_lost_the_lease_is_undone() -> None:
    run = queued_run()
    work = Work(claimed(run))
    end_lease(run)
    claimed(run)

    with pytest.raises(LeaseLostError), work.fenced():
        StripeConnection.objects.update(account_name="written by nobody")
    work.close()
    assert not StripeConnection.objects.filter(account_name="written by nobody").exists()


def test_a_run_that_was_given_back_can_be_claimed_at_once() -> None:
    run = queued_run()
    claimed(run).release(requests=7)

    assert lease.is_over(run)
    assert claimed(run).run.api_requests == 7


def test_renewing_tells_that_somebody_wants_the_run_to_stop() -> None:
    run = queued_run()
    held = claimed(run)
    SyncRun.objects.filter(pk=run.pk).update(cancel_requested=True)
    held.renew()

    assert held.cancel_requested


def test_claims_are_counted_until_something_moves() -> None:
    run = queued_run()
    for expected in (1, 2, 3):
        held = claimed(run)
        assert held.claims == expected
        end_lease(run)
    held = claimed(run)
    advance(held)
    held.release()

    assert claimed(run).claims == 1


def test_what_kept_a_slice_from_moving_is_remembered_until_something_moves() -> None:
    run = queued_run()
    claimed(run).release(trouble="rate_limited")
    run.refresh_from_db()
    assert run.error_code == "rate_limited"

    held = claimed(run)
    advance(held)
    held.release(trouble="rate_limited")
    run.refresh_from_db()
    assert run.error_code == ""


@pytest.mark.parametrize(("hours", "kept"), [(5, True), (7, False)])
def test_a_checkpoint_is_good_for_six_hours(hours: int, kept: bool) -> None:
    run = queued_run()
    advance(claimed(run))
    end_lease(run)
    SyncRun.objects.filter(pk=run.pk).update(checkpoint_at=F("checkpoint_at") - timedelta(hours=hours))

    assert bool(claimed(run).run.checkpoint) is kept


def test_a_lease_is_over_only_for_runs_that_are_active() -> None:
    run = queued_run()
    assert lease.is_over(run)
    claimed(run)
    assert not lease.is_over(run)
    end_lease(run)
    assert lease.is_over(run)
    SyncRun.objects.filter(pk=run.pk).update(state=RunState.FAILED)
    assert not lease.is_over(run)


@pytest.mark.django_db(transaction=True)
def test_of_several_workers_at_once_exactly_one_gets_the_run() -> None:
    run = queued_run()
    together = Barrier(6)

    def try_to_claim(_number: int) -> bool:
        try:
            together.wait(timeout=30)
            return lease.claim(run.pk) is not None
        finally:
            database.close()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(try_to_claim, range(6))) == 1
