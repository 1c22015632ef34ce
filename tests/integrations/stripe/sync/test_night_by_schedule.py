"""The night from its schedule: at three by the workspace's clock, whatever that clock does, and by a real worker."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from django.utils import timezone
from django_q.models import Schedule
from pytest_django.fixtures import Settings

from integrations.models import DriftReport, RunKind, RunState, StripeConnection, StripeSubscription, SyncRun
from integrations.stripe.sync import derive, nightly
from tests.factories import StripeConnectionFactory
from tests.integrations.stripe.sync.syncing import mirror, sync
from tests.integrations.stripe.sync.test_kill import Desk, desk
from tests.waiting import wait_for

__all__ = ["desk"]  # the fixture

TICK = timedelta(minutes=10)  # of the schedule, which in truth is each minute


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", date(2026, 3, 29)),
        ("Europe/Berlin", date(2026, 10, 25)),
        ("Europe/Helsinki", date(2026, 3, 29)),  # there is no three o'clock
        ("Europe/Helsinki", date(2026, 10, 25)),  # there are two
        ("America/New_York", date(2026, 11, 1)),
        ("Australia/Lord_Howe", date(2026, 10, 4)),  # by half an hour
        ("UTC", date(2026, 10, 25)),
    ],
)
def test_each_day_has_one_night_that_begins_at_three_also_when_clocks_change(
    settings: Settings, zone: str, change: date
) -> None:
    settings.TIME_ZONE = zone
    first = datetime(change.year, change.month, change.day, tzinfo=UTC) - timedelta(days=1)
    connection = StripeConnectionFactory(last_full_sync_at=first, nightly_on=timezone.localtime(first).date())
    began: list[datetime] = []
    for number in range(3 * timedelta(days=1) // TICK):
        now = first + number * TICK
        if nightly.is_due(connection, now):
            connection.nightly_on = nightly.tonight(now)[0]
            began.append(now)

    local = [timezone.localtime(moment) for moment in began]
    nights = [moment.date() for moment in local]
    assert len(nights) == len(set(nights)) >= 2
    assert change in nights
    skipped = (zone, change) == ("Europe/Helsinki", date(2026, 3, 29))
    assert {(moment.hour, moment.minute) for moment in local if moment.date() == change} == {(4 if skipped else 3, 0)}
    assert {(moment.hour, moment.minute) for moment in local if moment.date() != change} == {(3, 0)}
    gaps = [later - earlier for earlier, later in pairwise(began)]
    assert all(timedelta(hours=22) < gap < timedelta(hours=26) for gap in gaps)


def zone_after_three() -> str:
    """A time zone where three o'clock is behind us by less than an hour."""
    ahead = 3 - datetime.now(UTC).hour
    ahead = ahead + 24 if ahead < -12 else ahead
    return f"Etc/GMT{-ahead:+d}"


@pytest.mark.django_db(transaction=True)
def test_a_worker_whose_schedule_is_due_walks_at_night_and_stores_the_report(desk: Desk) -> None:
    assert sync(desk.connection).state == RunState.SUCCEEDED
    SyncRun.objects.update(created_at=timezone.now() - timedelta(days=1))
    rows = mirror(desk.connection)
    wrong = StripeSubscription.objects.filter(status="active", mrr__gt=0).order_by("pk")[0]
    gone = StripeSubscription.objects.filter(status="active").order_by("pk")[1]
    wrong.data = {**wrong.data, "status": "trialing"}
    wrong.status = "trialing"
    wrong.save()
    gone.delete()
    derive.refreshed(desk.connection, [wrong.customer_id, gone.customer_id], as_of=None)
    desk.environment["TIME_ZONE"] = zone_after_three()
    with desk.running("worker"):
        run = wait_for(lambda: SyncRun.objects.filter(kind=RunKind.NIGHTLY).first(), seconds=60)
        wait_for(lambda: SyncRun.objects.filter(pk=run.pk, state=RunState.SUCCEEDED).exists(), seconds=90)
        # Spares the test the rest of the minute until the schedule is due again.
        Schedule.objects.filter(name="pivotal: night").update(next_run=timezone.now() - timedelta(seconds=1))
        wait_for(lambda: DriftReport.objects.filter(concluded_at__isnull=False).exists(), seconds=60)

    report = DriftReport.objects.get()
    assert (report.run_id, report.missing, report.extra, report.has_events) == (run.pk, 1, 0, True)
    assert report.different >= 1
    assert mirror(desk.connection) == rows
    assert StripeConnection.objects.get().nightly_on is not None
    assert SyncRun.objects.count() == 2, "once a night"
