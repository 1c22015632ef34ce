"""The night: when it begins, that it begins once, and that it reports what nobody told us and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone
from pytest_django.fixtures import Settings

from customers.models import Customer
from integrations.models import (
    DriftKind,
    DriftReport,
    Notice,
    NoticeKind,
    RateSource,
    RunKind,
    RunState,
    StripeConnection,
    StripeCustomer,
    StripeEvent,
    StripeSubscription,
    SyncRun,
)
from integrations.stripe import tasks
from integrations.stripe.sync import derive, disconnecting, housekeeping, inbox, nightly
from sandbox.testing import Running, running
from tests.factories import AdminRateFactory, ExchangeRate, StripeConnectionFactory
from tests.integrations.stripe.sync.conftest import as_after_a_start
from tests.integrations.stripe.sync.syncing import connect, crm_rows, go_on, import_crm, sync

pytestmark = pytest.mark.django_db

AFTER_THREE = datetime(2026, 11, 24, 3, 5, tzinfo=UTC)


def yesterday(connection: StripeConnection) -> None:
    """Whatever was read so far was read before tonight."""
    SyncRun.objects.filter(connection=connection).update(created_at=timezone.now() - timedelta(days=1))


def night(connection: StripeConnection) -> DriftReport:
    """One whole night: catch up, walk, conclude."""
    yesterday(connection)
    StripeConnection.objects.update(nightly_on=None)
    run = nightly.start(connection, queue=False)
    assert run is not None
    go_on(run)
    nightly.conclude(DriftReport.objects.select_related("connection", "run").get(run=run))
    return DriftReport.objects.select_related("run").get(run=run)


@pytest.fixture
def connection(stripe: Running, crm: None) -> StripeConnection:
    """The demo account, synced."""
    connection = connect(stripe)
    assert sync(connection).state == RunState.SUCCEEDED
    return connection


def paying(connection: StripeConnection) -> StripeSubscription:
    """A subscription in dollars that makes up the whole MRR of its customer, with nothing taken off."""
    for row in StripeSubscription.objects.filter(connection=connection, status="active", currency="usd", mrr__gt=0):
        owner = Customer.objects.filter(stripe_customer_id=row.customer_id, mrr=row.mrr, billing_flags=[]).first()
        if owner is not None and len(row.receipt["lines"]) == 1:
            return row
    raise AssertionError("the demo account has one")


# --- when ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "at"),
    [
        ("UTC", datetime(2026, 11, 24, 12, tzinfo=UTC), datetime(2026, 11, 24, 3, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 24, 12, tzinfo=UTC), datetime(2026, 11, 24, 8, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 25, 12, tzinfo=UTC), datetime(2026, 10, 25, 2, tzinfo=UTC)),
        ("Europe/Helsinki", datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("Europe/Helsinki", datetime(2026, 10, 25, 12, tzinfo=UTC), datetime(2026, 10, 25, 0, tzinfo=UTC)),
    ],
    ids=["utc", "west", "spring", "autumn", "the hour is skipped", "the hour comes twice"],
)
def test_three_oclock_is_the_workspaces_also_when_clocks_change(
    settings: Settings, zone: str, day: datetime, at: datetime
) -> None:
    settings.TIME_ZONE = zone
    assert nightly.tonight(day)[1].astimezone(UTC) == at


@pytest.fixture
def synced() -> StripeConnection:
    """A connection that was synced on the day before."""
    return StripeConnectionFactory(last_full_sync_at=AFTER_THREE - timedelta(hours=12))


def run_of(connection: StripeConnection, **fields: Any) -> SyncRun:
    values = {"kind": RunKind.FULL, "state": RunState.SUCCEEDED, **fields}
    return SyncRun.objects.create(connection=connection, **values)


def test_it_is_due_from_three_on_and_once_a_day(synced: StripeConnection) -> None:
    assert not nightly.is_due(synced, AFTER_THREE - timedelta(minutes=10))
    assert nightly.is_due(synced, AFTER_THREE)
    synced.nightly_on = AFTER_THREE.date()
    assert not nightly.is_due(synced, AFTER_THREE)
    assert nightly.is_due(synced, AFTER_THREE + timedelta(days=1))


def test_a_worker_that_was_away_at_three_makes_up_for_it(synced: StripeConnection) -> None:
    assert nightly.is_due(synced, AFTER_THREE + timedelta(hours=7))


def test_what_was_walked_since_three_is_not_walked_again(synced: StripeConnection) -> None:
    run_of(synced, created_at=AFTER_THREE)
    assert not nightly.is_due(synced, AFTER_THREE + timedelta(hours=1))


def test_it_waits_for_a_run_that_is_under_way(synced: StripeConnection) -> None:
    run_of(synced, created_at=AFTER_THREE - timedelta(hours=1), state=RunState.RUNNING)
    assert not nightly.is_due(synced, AFTER_THREE)


@pytest.mark.parametrize("state", ["disconnected", "reauthorize"])
def test_without_access_there_is_no_night(synced: StripeConnection, state: str) -> None:
    synced.state = state
    assert not nightly.is_due(synced, AFTER_THREE)


def test_an_account_that_was_never_synced_waits_for_its_admin() -> None:
    assert not nightly.is_due(StripeConnectionFactory(last_full_sync_at=None), AFTER_THREE)


@pytest.mark.parametrize(("days", "kind"), [(1, RunKind.NIGHTLY), (6, RunKind.NIGHTLY), (7, RunKind.FULL)])
def test_one_night_a_week_is_a_full_one(synced: StripeConnection, days: int, kind: str) -> None:
    _day, at = nightly.tonight(AFTER_THREE)
    run_of(synced, created_at=at - timedelta(days=days) + timedelta(minutes=1))
    assert nightly.kind_of_night(synced, at) == kind


@pytest.mark.django_db(transaction=True)
def test_several_workers_start_one_run(stripe: Running) -> None:
    connection = connect(stripe)
    assert sync(connection).state == RunState.SUCCEEDED
    yesterday(connection)

    def start(_number: int) -> SyncRun | None:
        try:
            return nightly.start(StripeConnection.objects.get(), queue=False)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        started = [run for run in pool.map(start, range(4)) if run is not None]
    assert len(started) == 1
    assert DriftReport.objects.get().run == started[0]


# --- what it reports -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bulk_bench() -> Iterator[Running]:
    with running("bulk", subscriptions=600) as started:
        yield started


@pytest.fixture
def bulk(bulk_bench: Running, settings: Settings) -> Iterator[Running]:
    with as_after_a_start(bulk_bench, settings) as bench:
        yield bench


@pytest.mark.parametrize("kind", [RunKind.NIGHTLY, RunKind.FULL])
def test_a_healthy_account_shows_no_drift_and_nothing_is_written(bulk: Running, kind: str) -> None:
    import_crm(crm_rows("bulk", 600))
    connection = connect(bulk)
    sync(connection)
    if kind == RunKind.FULL:
        SyncRun.objects.update(state=RunState.PARTIAL)
    report = night(connection)

    assert report.run is not None
    assert (report.run.kind, report.run.state) == (kind, RunState.SUCCEEDED)
    assert report.run.rows_written == 0
    assert (report.total, report.has_events, report.by_field) == (0, True, {})
    assert report.checked >= 400
    assert not Notice.objects.exists()


def test_what_nobody_told_is_reported_by_field_with_the_customer(stripe: Running, connection: StripeConnection) -> None:
    row = paying(connection)
    item = row.data["items"]["data"][0]
    more = {"items": {"data": [{**item, "quantity": (item.get("quantity") or 1) * 2}]}}
    change_silently(connection, row, more)
    report = night(connection)

    entry = report.entries.get(field="mrr")
    customer = Customer.objects.get(stripe_customer_id=row.customer_id)
    assert (report.missing, report.extra, report.different) == (0, 0, 1)
    assert report.by_field["mrr"] == 1
    assert (entry.kind, entry.customer, Decimal(entry.new)) == (DriftKind.DIFFERENT, customer, customer.mrr)
    assert Decimal(entry.old) == 2 * customer.mrr
    (notice,) = Notice.objects.all()
    assert (notice.kind, notice.over_at) == (NoticeKind.DRIFT, None)

    assert night(connection).total == 0
    notice.refresh_from_db()
    assert notice.over_at is not None


def change_silently(connection: StripeConnection, row: StripeSubscription, changes: dict[str, Any]) -> None:
    """Let our mirror differ from Stripe as if an event had been lost: Stripe is right, we are not."""
    row.data = {**row.data, **changes}
    row.save()
    derive.rematch_all(connection)
    derive.refreshed(connection, [row.customer_id], as_of=None)


def test_a_subscription_we_never_heard_of_is_missing(stripe: Running, connection: StripeConnection) -> None:
    row = paying(connection)
    customer = Customer.objects.get(stripe_customer_id=row.customer_id)
    row.delete()
    derive.refreshed(connection, [row.customer_id], as_of=None)
    report = night(connection)

    entry = report.entries.get(kind=DriftKind.MISSING)
    assert (report.missing, report.extra) == (1, 0)
    assert (entry.object_id, entry.customer, entry.old, entry.new) == (row.stripe_id, customer, "", "active")


def test_a_subscription_that_ended_untold_is_extra(stripe: Running, connection: StripeConnection) -> None:
    row = paying(connection)
    StripeSubscription.objects.create(
        connection=connection,
        stripe_id="sub_gone",
        customer_id=row.customer_id,
        status="active",
        live=True,
        created=row.created,
        start_date=row.start_date,
        currency="usd",
        data={**row.data, "id": "sub_gone"},
        observed_at=row.observed_at,
    )
    report = night(connection)

    assert report.extra == 1
    assert report.entries.get(kind=DriftKind.EXTRA).object_id == "sub_gone"


@pytest.fixture
def nobodys(connection: StripeConnection) -> StripeSubscription:
    """A subscription of a Stripe customer that no customer of ours stands for, in a mirror that says something else."""
    owner = StripeCustomer.objects.filter(standing="live", match_state="unmatched").order_by("pk")[0]
    row = StripeSubscription.objects.filter(customer_id=owner.stripe_id, live=True)[0]
    row.data = {**row.data, "cancel_at_period_end": not row.data.get("cancel_at_period_end")}
    row.save()
    StripeCustomer.objects.filter(pk=owner.pk).update(name="An older name", email="old@older.example")
    return row


def test_what_nobody_told_about_somebody_unmatched_is_reported_with_the_stripe_id(
    stripe: Running, nobodys: StripeSubscription, connection: StripeConnection
) -> None:
    report = night(connection)

    found = report.entries.values_list("stripe_customer_id", "customer", "object_id", "field", "old", "new")
    who = nobodys.customer_id
    assert sorted(found, key=lambda row: row[3]) == [
        (who, None, "", "email", "", ""),
        (who, None, "", "name", "", ""),
        (who, None, nobodys.stripe_id, "subscription", "", "cancel_at_period_end"),
    ]
    assert (report.missing, report.extra, report.different) == (0, 0, 1)
    assert report.by_field == {"email": 1, "name": 1, "subscription": 1}
    assert Notice.objects.get().kind == NoticeKind.DRIFT

    nightly.conclude(report)
    report.refresh_from_db()
    assert (report.different, report.entries.count()) == (1, 3), "said again, not twice"
    assert night(connection).total == 0


def test_somebody_unmatched_whom_an_event_tells_of_is_no_drift(
    stripe: Running, nobodys: StripeSubscription, connection: StripeConnection
) -> None:
    yesterday(connection)
    run = nightly.start(connection, queue=False)
    assert run is not None
    stripe.patch("customers", nobodys.customer_id, {"name": "Another name"})
    go_on(run)
    report = DriftReport.objects.get(run=run)
    nightly.conclude(report)
    report.refresh_from_db()

    assert (report.total, report.has_events) == (0, True)


def test_missing_and_extra_count_whoever_they_belong_to(stripe: Running, nobodys: StripeSubscription) -> None:
    owner = StripeCustomer.objects.get(stripe_id=nobodys.customer_id)
    StripeCustomer.objects.filter(pk=owner.pk).delete()
    nobodys.delete()
    report = night(owner.connection)

    entry = report.entries.get(kind=DriftKind.MISSING)
    assert (entry.stripe_customer_id, entry.object_id) == (owner.stripe_id, nobodys.stripe_id)


def test_a_change_that_an_event_tells_of_is_no_drift(
    stripe: Running, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = paying(connection)
    yesterday(connection)
    run = nightly.start(connection, queue=False)
    assert run is not None
    # While the run waits for its turn, the subscription changes in Stripe.
    stripe.patch("subscriptions", row.stripe_id, {"status": "past_due"}, event="customer.subscription.updated")
    stripe.patch("subscriptions", row.stripe_id, {"cancel_at_period_end": True})
    go_on(run)
    report = DriftReport.objects.get(run=run)
    nightly.conclude(report)
    report.refresh_from_db()

    assert StripeEvent.objects.filter(stripe_customer_id=row.customer_id).exists()
    assert (report.total, report.has_events) == (0, True)


def test_without_events_it_speaks_of_changes_and_of_no_drift(stripe: Running, crm: None) -> None:
    connection = connect(stripe, "rk_live_four")
    sync(connection)
    row = paying(connection)
    row.delete()
    derive.refreshed(connection, [row.customer_id], as_of=None)
    report = night(connection)

    assert (report.has_events, report.missing) == (False, 1)
    assert not Notice.objects.filter(kind=NoticeKind.DRIFT).exists()


def test_a_new_exchange_rate_alone_is_no_drift(connection: StripeConnection) -> None:
    assert StripeSubscription.objects.filter(currency="eur", mrr__gt=0).exists()
    before = dict(Customer.objects.values_list("pk", "mrr"))
    # Committed, but not followed yet: as if the worker had not come to it.
    ExchangeRate.objects.bulk_create([AdminRateFactory.build(currency="eur", usd_per_unit=2, source=RateSource.ADMIN)])
    report = night(connection)

    assert dict(Customer.objects.values_list("pk", "mrr")) != before
    assert report.total == 0


def test_what_the_clock_changes_is_no_drift(connection: StripeConnection) -> None:
    due = Customer.objects.exclude(next_change_at=None).order_by("pk")[0]
    Customer.objects.filter(pk=due.pk).update(next_change_at=timezone.now() - timedelta(minutes=1), mrr=1)
    report = night(connection)

    due.refresh_from_db()
    assert due.mrr != 1
    assert report.total == 0


def test_a_night_that_fails_is_told_and_leaves_no_report(stripe: Running, connection: StripeConnection) -> None:
    yesterday(connection)
    run = nightly.start(connection, queue=False)
    assert run is not None
    SyncRun.objects.filter(pk=run.pk).update(state=RunState.FAILED, error_code="stripe_unavailable")
    nightly.tick()

    assert not DriftReport.objects.exists()
    assert Notice.objects.get().kind == NoticeKind.NIGHTLY_FAILED
    sync(connection)
    assert Notice.objects.get().over_at is not None


def test_a_report_waits_until_stripe_can_say_what_happened(
    stripe: Running, connection: StripeConnection, settings: Settings
) -> None:
    settings.STRIPE_RETRY_TRIES = 1
    yesterday(connection)
    run = nightly.start(connection, queue=False)
    assert run is not None
    go_on(run)
    stripe.fault("500", "/v1/events")
    nightly.tick()
    assert DriftReport.objects.get().concluded_at is None

    stripe.clear_faults()
    nightly.tick()
    assert DriftReport.objects.get().concluded_at is not None


def test_other_runs_write_no_report(connection: StripeConnection) -> None:
    paying(connection).delete()
    sync(connection)
    assert not DriftReport.objects.exists()


def test_what_waits_in_the_inbox_is_followed_before_the_walk(stripe: Running, connection: StripeConnection) -> None:
    row = paying(connection)
    stripe.patch("subscriptions", row.stripe_id, {"status": "unpaid"}, event="customer.subscription.updated")
    assert night(connection).total == 0
    row.refresh_from_db()
    assert row.status == "unpaid"
    assert not inbox.backlog(connection).events


def test_old_reports_and_notices_are_forgotten(connection: StripeConnection) -> None:
    night(connection)
    long_ago = timezone.now() - timedelta(days=31)
    DriftReport.objects.update(created_at=long_ago)
    Notice.objects.create(connection=connection, kind="drift", about="x", created_at=long_ago, over_at=long_ago)
    housekeeping.prune()
    assert not DriftReport.objects.exists()
    assert not Notice.objects.exists()


def test_a_disconnect_ends_the_night_without_a_report(connection: StripeConnection) -> None:
    yesterday(connection)
    nightly.start(connection, queue=False)
    disconnecting.disconnect(connection, actor=None)
    nightly.tick()
    assert not DriftReport.objects.exists()


def test_a_deleted_mirror_takes_its_reports_and_notices_along(connection: StripeConnection) -> None:
    paying(connection).delete()
    assert night(connection).total
    disconnecting.disconnect(connection, actor=None)
    disconnecting.delete_mirror(connection, actor=None)
    assert not DriftReport.objects.exists()
    assert not Notice.objects.exists()


def test_the_schedule_starts_the_night_and_concludes_it(
    connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "AT", time(0, 0))
    yesterday(connection)
    tasks.night()
    tasks.night()
    run = SyncRun.objects.get(kind=RunKind.NIGHTLY)
    assert go_on(run).state == RunState.SUCCEEDED
    tasks.night()
    assert DriftReport.objects.get().concluded_at is not None
