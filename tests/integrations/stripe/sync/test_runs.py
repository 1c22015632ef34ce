"""Runs from their start to their end: joined, sliced, cancelled, taken over, and honest about what they are worth."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks

from customers.models import Customer
from integrations.errors import IntegrationError
from integrations.models import RunKind, RunState, SeenId, StripeConnection, StripeSubscription, SyncIssue, SyncRun
from integrations.stripe.sync import counts, disconnecting, housekeeping, lease, runs, work
from integrations.stripe.sync.fetch import QUEUED_PAGES
from sandbox.testing import Running
from tests.factories import UserFactory
from tests.integrations.stripe.sync.conftest import PAGED
from tests.integrations.stripe.sync.syncing import billing, connect, go_on, mirror, start, sync

pytestmark = pytest.mark.django_db

FOUR_PAGES = 4


# --- starting --------------------------------------------------------------------------------------------------------


def test_a_second_start_joins_the_run_that_is_active(stripe: Running) -> None:
    connection = connect(stripe)

    assert start(connection) == start(connection, RunKind.NIGHTLY)


def test_live_and_test_mode_have_a_run_each(stripe: Running) -> None:
    live, test = connect(stripe), connect(stripe, "rk_test_all", mode="test")

    assert start(live) != start(test)


def test_a_run_takes_the_place_of_a_preview_nobody_works_on(stripe: Running) -> None:
    connection = connect(stripe)
    preview = start(connection, RunKind.PREVIEW)
    run = start(connection)
    preview.refresh_from_db()

    assert (preview.state, run.kind) == (RunState.CANCELLED, RunKind.INITIAL)
    assert start(connection, RunKind.PREVIEW) == run


def test_a_preview_at_work_is_asked_to_stop_first(stripe: Running) -> None:
    connection = connect(stripe)
    preview = start(connection, RunKind.PREVIEW)
    assert lease.claim(preview.pk) is not None
    with pytest.raises(IntegrationError) as caught:
        start(connection)
    preview.refresh_from_db()

    assert caught.value.code == "busy"
    assert preview.cancel_requested


@pytest.mark.parametrize("state", ["disconnected", "reauthorize"])
def test_a_connection_without_access_starts_no_run(state: str) -> None:
    connection = StripeConnection.objects.create(mode="live", state=state)

    with pytest.raises(IntegrationError) as caught:
        start(connection)
    assert caught.value.code == "reauthorize"
    assert not SyncRun.objects.exists()


def test_a_full_run_is_the_initial_one_until_one_has_finished(stripe: Running) -> None:
    connection = connect(stripe)

    assert [sync(connection).kind for _time in range(2)] == [RunKind.INITIAL, RunKind.FULL]


def test_starting_a_run_tells_the_worker_once_it_is_committed(
    stripe: Running, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    connection = connect(stripe)
    with django_capture_on_commit_callbacks(execute=True):
        run = runs.start(connection, kind=RunKind.FULL, actor=UserFactory.create())

    (queued,) = OrmQ.objects.all()
    assert (queued.task["func"], queued.task["args"]) == (runs.CONTINUE, (run.pk,))


def test_a_slice_that_leaves_work_queues_the_next_one(
    stripe: Running, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    monkeypatch.setattr(work, "SLICE_SECONDS", 0)
    run = start(connect(stripe))
    with django_capture_on_commit_callbacks(execute=True):
        assert runs.continue_run(run.pk)

    assert OrmQ.objects.count() == 1


def test_the_watchdog_queues_what_nobody_works_on(
    stripe: Running, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    run = start(connect(stripe))
    lease.claim(run.pk)
    with django_capture_on_commit_callbacks(execute=True):
        housekeeping.watchdog()
    assert not OrmQ.objects.exists()
    assert not runs.work_is_due()

    SyncRun.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))
    assert runs.work_is_due()
    with django_capture_on_commit_callbacks(execute=True):
        housekeeping.watchdog()
    assert OrmQ.objects.count() == 1


# --- going on --------------------------------------------------------------------------------------------------------


def test_a_run_in_many_slices_ends_like_one_in_a_single_slice(
    stripe: Running, crm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(stripe)
    sync(connection)
    at_once, rows = billing(), mirror(connection)
    disconnecting.disconnect(connection, actor=None)
    disconnecting.delete_mirror(connection, actor=None)

    connection = connect(stripe)
    monkeypatch.setattr(work, "SLICE_SECONDS", 0)
    run = start(connection)
    slices = 0
    while run.is_active:
        runs.continue_run(run.pk, queue=False)
        run.refresh_from_db()
        slices += 1

    assert slices > 10
    assert run.state == RunState.SUCCEEDED
    assert billing() == at_once
    assert mirror(connection) == rows


def test_pages_are_not_walked_twice_beyond_the_queue(paged: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(paged)
    monkeypatch.setattr(work, "SLICE_SECONDS", 0)
    monkeypatch.setattr("integrations.stripe.sync.walking.PAGES_A_BATCH", 1)
    paged.reset_requests()
    run = sync(connection)

    asked = [one for one in paged.requests()["recent"] if one["path"] == "/v1/subscriptions"]
    assert run.read == PAGED
    assert FOUR_PAGES <= len(asked) <= FOUR_PAGES * (1 + QUEUED_PAGES)
    assert StripeSubscription.objects.count() == PAGED


def test_a_run_taken_over_goes_on_behind_its_checkpoint(paged: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(paged)
    run = start(connection)
    monkeypatch.setattr(work, "SLICE_SECONDS", 0)
    monkeypatch.setattr("integrations.stripe.sync.walking.PAGES_A_BATCH", 1)
    while not run.read:
        runs.continue_run(run.pk, queue=False)
        run.refresh_from_db()
    # Somebody claims it and is never seen again.
    lease.claim(run.pk)
    SyncRun.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))
    read_before = run.read
    monkeypatch.undo()
    paged.reset_requests()
    run = go_on(run)

    asked = [one for one in paged.requests()["recent"] if one["path"] == "/v1/subscriptions"]
    assert 0 < read_before < PAGED
    assert len(asked) < FOUR_PAGES
    assert (run.state, run.read) == (RunState.SUCCEEDED, PAGED)


def test_a_checkpoint_that_is_too_old_is_walked_again(paged: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(connect(paged))
    monkeypatch.setattr(work, "SLICE_SECONDS", 0)
    while not run.read:
        runs.continue_run(run.pk, queue=False)
        run.refresh_from_db()
    monkeypatch.undo()
    SyncRun.objects.filter(pk=run.pk).update(checkpoint_at=Now() - timedelta(hours=7))
    paged.reset_requests()
    run = go_on(run)

    asked = [one for one in paged.requests()["recent"] if one["path"] == "/v1/subscriptions"]
    assert len(asked) == FOUR_PAGES
    assert (run.state, run.read) == (RunState.SUCCEEDED, PAGED)


@pytest.mark.parametrize(
    ("trouble", "code"),
    [("", "stalled"), ("rate_limited", "rate_limited"), ("stripe_unavailable", "stripe_unavailable")],
)
def test_a_run_that_does_not_move_fails_with_what_is_known_about_it(stripe: Running, trouble: str, code: str) -> None:
    run = start(connect(stripe))
    for _attempt in range(runs.CLAIMS_WITHOUT_PROGRESS):
        held = lease.claim(run.pk)
        assert held is not None
        held.release(trouble=trouble)
    run = go_on(run)

    assert (run.state, run.error_code) == (RunState.FAILED, code)
    assert "3 attempts" in run.error_detail


# --- cancelling ------------------------------------------------------------------------------------------------------


def test_a_run_nobody_works_on_is_cancelled_at_once(stripe: Running) -> None:
    run = start(connect(stripe))
    runs.cancel(run, actor=None)
    run.refresh_from_db()

    assert run.state == RunState.CANCELLED
    assert run.finished_at is not None


def test_a_run_at_work_stops_at_its_next_batch_and_keeps_what_it_read(
    paged: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.stripe.sync.walking.PAGES_A_BATCH", 1)
    connection = connect(paged)
    run = start(connection)

    def cancel_in_mid_walk() -> None:
        run.refresh_from_db()
        if run.read:
            runs.cancel(run, actor=None)

    assert not runs.continue_run(run.pk, queue=False, on_commit=cancel_in_mid_walk)
    run.refresh_from_db()

    assert run.state == RunState.CANCELLED
    assert StripeSubscription.objects.count() == run.read < PAGED
    assert not SeenId.objects.exists()
    assert lease.claim(run.pk) is None


def test_a_run_that_has_ended_stays_as_it_is_when_somebody_cancels_it(stripe: Running) -> None:
    run = sync(connect(stripe))
    runs.cancel(run, actor=None)
    run.refresh_from_db()

    assert (run.state, run.cancel_requested) == (RunState.SUCCEEDED, False)


# --- how it ends -----------------------------------------------------------------------------------------------------


def test_a_run_that_succeeded_keeps_the_counts_of_its_day(stripe: Running, crm: None) -> None:
    connection = connect(stripe)
    run = sync(connection)
    found = counts.count(connection)

    assert {name: getattr(run, name) for name in runs.COUNTED} == {name: getattr(found, name) for name in runs.COUNTED}
    assert run.matched + run.unmatched + run.skipped + run.failed == run.stripe_customers
    assert run.matched > 30
    assert not SeenId.objects.exists()


def test_a_run_that_succeeded_is_a_look_from_its_beginning(stripe: Running) -> None:
    connection = connect(stripe)
    run = sync(connection)
    connection.refresh_from_db()

    assert connection.last_full_sync_at is not None
    assert connection.last_look_at is not None
    assert run.started_at is not None
    assert run.started_at <= connection.last_look_at < connection.last_full_sync_at


@pytest.mark.parametrize(("unreadable_id", "is_a_look"), [(False, True), (True, False)])
def test_a_partial_run_is_no_full_sync_and_a_look_only_if_its_walk_was_whole(
    stripe: Running, unreadable_id: bool, is_a_look: bool
) -> None:
    query = {"status": "all", "limit": "100"}
    stripe.fault("broken_object", "/v1/subscriptions", query=query, index=5, unreadable_id=unreadable_id)
    connection = connect(stripe)
    run = sync(connection)
    connection.refresh_from_db()

    assert run.state == RunState.PARTIAL
    assert connection.last_full_sync_at is None
    assert (connection.last_look_at is not None) is is_a_look


def test_what_a_run_complained_about_resolves_when_a_complete_one_does_not(stripe: Running) -> None:
    stripe.fault("broken_object", "/v1/subscriptions", query={"status": "all", "limit": "100"}, index=5)
    connection = connect(stripe)
    sync(connection)
    (issue,) = SyncIssue.objects.filter(severity="error", state="open")

    assert sync(connection).state == RunState.SUCCEEDED
    issue.refresh_from_db()
    assert issue.state == "resolved"


def test_an_empty_account_succeeds_with_zeros(empty: Running, crm: None) -> None:
    run = sync(connect(empty))

    assert run.state == RunState.SUCCEEDED
    assert {name: getattr(run, name) for name in runs.COUNTED} == dict.fromkeys(runs.COUNTED, 0)
    assert (run.read, run.rows_written) == (0, 0)


def test_a_preview_fills_the_mirror_and_writes_no_customer(stripe: Running, crm: None) -> None:
    before = list(Customer.objects.order_by("pk").values())
    connection = connect(stripe)
    run = sync(connection, RunKind.PREVIEW)
    connection.refresh_from_db()

    assert run.state == RunState.SUCCEEDED
    assert run.matched > 30
    assert StripeSubscription.objects.filter(connection=connection, mrr__gt=0).exists()
    assert list(Customer.objects.order_by("pk").values()) == before
    assert connection.last_full_sync_at is None


def test_a_full_run_after_a_preview_ends_like_one_without(stripe: Running, crm: None) -> None:
    connection = connect(stripe)
    sync(connection, RunKind.PREVIEW)
    run = sync(connection)
    after_preview = billing()
    disconnecting.disconnect(connection, actor=None)
    disconnecting.delete_mirror(connection, actor=None)
    sync(connect(stripe))

    assert run.kind == RunKind.INITIAL
    assert billing() == after_preview


def test_a_preview_that_met_a_broken_record_is_partial(stripe: Running) -> None:
    stripe.fault("broken_object", "/v1/subscriptions", query={"status": "all", "limit": "100"}, index=5)

    assert sync(connect(stripe), RunKind.PREVIEW).state == RunState.PARTIAL


def test_a_nightly_run_leaves_the_ended_ones_out_and_ends_the_same(stripe: Running, crm: None) -> None:
    connection = connect(stripe)
    sync(connection)
    full, rows = billing(), mirror(connection)
    stripe.reset_requests()
    run = sync(connection, RunKind.NIGHTLY)

    asked = [one["query"] for one in stripe.requests()["recent"] if one["path"] == "/v1/subscriptions"]
    assert run.state == RunState.SUCCEEDED
    assert not any("status" in str(query) for query in asked)
    assert billing() == full
    assert mirror(connection) == rows
    assert run.rows_written == 0


def test_a_run_makes_customers_for_unmatched_companies_when_that_is_chosen(stripe: Running, crm: None) -> None:
    connection = connect(stripe)
    StripeConnection.objects.update(billing_signal_only=False)
    before = Customer.objects.count()
    run = sync(connection)

    made = Customer.objects.filter(created_by_source="stripe")
    assert made.count() == Customer.objects.count() - before > 0
    assert run.unmatched == 0 or not set(made.values_list("domain", flat=True)) & {""}


def test_options_changed_while_a_run_is_at_work_count_when_it_matches(stripe: Running, crm: None) -> None:
    connection = connect(stripe)
    run = start(connection)

    def switch() -> None:
        StripeConnection.objects.update(match_personal_emails=True)

    runs.continue_run(run.pk, queue=False, on_commit=switch)
    run = go_on(run)

    assert run.state == RunState.SUCCEEDED
    assert not counts.count(connection).skipped_by_reason.get("personal_email")
