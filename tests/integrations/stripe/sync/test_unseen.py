"""Unseen is not ended: what a walk did not meet is read by id, and only a walk to be trusted concludes anything."""

from __future__ import annotations

import pytest
from django.db.models.functions import Now

from integrations.models import RunKind, RunState, StripeConnection, StripeSubscription, SyncIssue
from integrations.stripe.sync import runs
from sandbox.testing import Running
from tests.integrations.stripe.sync.syncing import connect, start, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(stripe: Running) -> StripeConnection:
    """A connection whose mirror is complete."""
    connection = connect(stripe)
    sync(connection)
    stripe.reset_requests()
    return connection


def a_live_one(number: int = 0) -> StripeSubscription:
    return StripeSubscription.objects.filter(status="active").order_by("stripe_id")[number]


def hide(stripe: Running, subscription: StripeSubscription) -> None:
    """Let Stripe's list leave it out although it can be read: subscriptions on a test clock are like that."""
    stripe.patch("subscriptions", subscription.stripe_id, {"test_clock": "clock_1"}, event="none")


def read_by_id(stripe: Running) -> list[str]:
    paths = [one["path"] for one in stripe.requests()["recent"]]
    return [path.rpartition("/")[2] for path in paths if path.startswith("/v1/subscriptions/")]


def test_a_subscription_the_list_left_out_is_read_by_id_and_stays_live(
    stripe: Running, connection: StripeConnection
) -> None:
    row = a_live_one()
    hide(stripe, row)
    run = sync(connection)

    row.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert read_by_id(stripe) == [row.stripe_id]
    assert (row.live, row.data["test_clock"]) == (True, "clock_1")
    assert run.own_reads >= 1


def test_a_subscription_on_a_test_clock_is_left_alone(stripe: Running, connection: StripeConnection) -> None:
    row = a_live_one()
    hide(stripe, row)
    sync(connection)
    stripe.reset_requests()
    run = sync(connection)

    row.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert read_by_id(stripe) == []
    assert row.live


def test_a_subscription_stripe_no_longer_has_ends_and_keeps_its_last_values(
    stripe: Running, connection: StripeConnection
) -> None:
    row = a_live_one()
    stripe.delete("subscriptions", row.stripe_id, event="none")
    run = sync(connection)

    before = row.data
    row.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert (row.status, row.live) == ("canceled", False)
    assert row.data == {**before, "status": "canceled"}


def test_a_subscription_that_ended_is_found_by_a_nightly_run_too(stripe: Running, connection: StripeConnection) -> None:
    row = a_live_one()
    stripe.patch("subscriptions", row.stripe_id, {"status": "canceled", "ended_at": row.data["created"]}, event="none")
    run = sync(connection, RunKind.NIGHTLY)

    row.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert read_by_id(stripe) == [row.stripe_id]
    assert (row.status, row.live) == ("canceled", False)


def test_a_broken_subscription_with_a_readable_id_counts_as_seen(stripe: Running, connection: StripeConnection) -> None:
    stripe.fault("broken_object", "/v1/subscriptions", query={"status": "all", "limit": "100"}, index=5)
    run = sync(connection)

    assert run.state == RunState.PARTIAL
    assert read_by_id(stripe) == []
    assert not StripeSubscription.objects.filter(status="canceled", live=True).exists()


def test_one_object_without_a_readable_id_and_nothing_is_marked(stripe: Running, connection: StripeConnection) -> None:
    row = a_live_one()
    stripe.delete("subscriptions", row.stripe_id, event="none")
    stripe.fault(
        "broken_object", "/v1/subscriptions", query={"status": "all", "limit": "100"}, index=5, unreadable_id=True
    )
    run = sync(connection)

    row.refresh_from_db()
    assert run.state == RunState.PARTIAL
    assert "nothing was marked as ended" in run.error_detail
    assert read_by_id(stripe) == []
    assert row.live
    assert SyncIssue.objects.filter(state="open", object_id="(no id)").count() == 1


def test_what_was_seen_after_the_walk_began_is_no_candidate(stripe: Running, connection: StripeConnection) -> None:
    row = a_live_one()
    hide(stripe, row)
    run = start(connection)
    looked: list[int] = []

    def somebody_looks_at_it_meanwhile() -> None:
        if not looked:
            looked.append(StripeSubscription.objects.filter(pk=row.pk).update(observed_at=Now()))

    runs.continue_run(run.pk, queue=False, on_commit=somebody_looks_at_it_meanwhile)

    assert looked == [1]
    assert read_by_id(stripe) == []


def test_too_many_missing_ones_and_nothing_is_marked(paged: Running) -> None:
    connection = connect(paged)
    sync(connection)
    missing = list(StripeSubscription.objects.filter(live=True).order_by("stripe_id")[:51])
    for row in missing:
        paged.delete("subscriptions", row.stripe_id, event="none")
    paged.reset_requests()
    run = sync(connection)

    assert run.state == RunState.PARTIAL
    assert "More than 50" in run.error_detail
    assert read_by_id(paged) == []
    assert StripeSubscription.objects.filter(pk__in=[row.pk for row in missing], live=True).count() == 51


def test_fifty_missing_ones_are_read_one_by_one(paged: Running) -> None:
    connection = connect(paged)
    sync(connection)
    missing = list(StripeSubscription.objects.filter(live=True).order_by("stripe_id")[:50])
    for row in missing:
        paged.delete("subscriptions", row.stripe_id, event="none")
    run = sync(connection)

    assert run.state == RunState.SUCCEEDED
    assert not StripeSubscription.objects.filter(pk__in=[row.pk for row in missing], live=True).exists()


@pytest.mark.parametrize(("ending", "state"), [("cancelled", "cancelled"), ("without access", "queued")])
def test_a_walk_that_was_not_completed_marks_nothing(
    paged: Running, ending: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(paged)
    sync(connection)
    row = a_live_one()
    paged.delete("subscriptions", row.stripe_id, event="none")
    paged.reset_requests()
    if ending == "without access":
        paged.fault("revoked", "/v1/subscriptions", nth=3, query={"status": "all"})
    monkeypatch.setattr("integrations.stripe.sync.walking.PAGES_A_BATCH", 1)
    run = start(connection)

    def stop_in_mid_walk() -> None:
        run.refresh_from_db()
        if ending == "cancelled" and run.read:
            runs.cancel(run, actor=None)

    runs.continue_run(run.pk, queue=False, on_commit=stop_in_mid_walk)
    run.refresh_from_db()

    row.refresh_from_db()
    assert run.state == state
    assert row.live
    assert read_by_id(paged) == []
