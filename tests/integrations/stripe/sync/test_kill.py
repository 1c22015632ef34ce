"""Killed in mid-run, for real: a worker, a foreground sync, the database connection. It ends as if nothing had been.

Everything here is a process of its own with committed rows, so each test starts and ends with an empty database.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.conf import settings
from django.db import connection as database
from django.db.models.functions import Now
from django_q.models import OrmQ

from integrations.models import RunKind, RunState, SeenId, StripeConnection, SyncRun
from integrations.stripe.sync import disconnecting, housekeeping, runs
from sandbox.testing import Running
from tests.integrations.stripe.sync.brokers import lose_everything, own_redis
from tests.integrations.stripe.sync.conftest import LONG, PAGED
from tests.integrations.stripe.sync.syncing import billing, connect, crm_rows, import_crm, mirror, start, sync
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

MANAGE = str(settings.BASE_DIR / "manage.py")
OPEN = {"status": "open"}
State = tuple[dict[str, Any], dict[str, Any], dict[str, int]]


class Desk:
    """A connected account in the database, and processes that work on it."""

    def __init__(self, stripe: Running, environment: dict[str, str]) -> None:
        self.stripe = stripe
        self.environment = {
            **environment,
            "STRIPE_API_BASE": stripe.url,
            "STRIPE_RATE_LIVE": "0",
            "LOG_LEVEL": "WARNING",
        }
        self.connection = connect(stripe)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """`manage.py …` in a process group of its own, which is killed as a whole at the end if it still lives."""
        process = subprocess.Popen(
            [sys.executable, MANAGE, *arguments],
            env=self.environment,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            kill(process)

    def queue(self, statement: str) -> None:
        """Queue something where this desk's workers look for it; the test's own process knows only PostgreSQL."""
        code = f"from integrations.stripe.sync import housekeeping, runs; {statement}"
        with self.running("shell", "--no-imports", "-c", code) as process:
            _output, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors

    def state(self, run: SyncRun) -> State:
        """What a run left behind: the header fields, the mirror, the counts."""
        numbers = {name: getattr(run, name) for name in (*runs.COUNTED, "read")}
        return billing(), mirror(self.connection), numbers

    def undisturbed(self) -> State:
        """The state after a run nobody disturbs; then the database is as before."""
        run = sync(self.connection)
        assert run.state == RunState.SUCCEEDED
        state = self.state(run)
        disconnecting.disconnect(self.connection, actor=None)
        disconnecting.delete_mirror(self.connection, actor=None)
        self.connection = connect(self.stripe)
        return state

    def hold_up_the_third_page(self, seconds: int = 60) -> None:
        """Let the next walk wait in its middle, behind two pages that are written by then."""
        query = {"status": "all", "limit": "100"}
        self.stripe.fault("slow", "/v1/subscriptions", query=query, nth=3, delay_ms=1000 * seconds)


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9 of a process and everything it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


def half_read() -> SyncRun | None:
    """The run once it has read something, and not all."""
    return SyncRun.objects.filter(state=RunState.RUNNING, read__gt=0, read__lt=PAGED).first()


def let_the_lease_end(run: SyncRun) -> None:
    """Spares the test the half minute after which nobody believes in a killed worker any more."""
    SyncRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(lease_until=Now() - timedelta(seconds=1))


def ended(run: SyncRun) -> bool:
    run.refresh_from_db()
    return not run.is_active


@pytest.fixture
def desk(paged: Running, child_environment: dict[str, str]) -> Desk:
    rows = crm_rows("bulk", PAGED)
    import_crm(rows)
    return Desk(paged, child_environment)


def test_a_worker_killed_in_mid_run_leaves_a_run_that_ends_as_if_nothing_had_been(desk: Desk) -> None:
    expected = desk.undisturbed()
    desk.hold_up_the_third_page()
    run = runs.start(desk.connection, kind=RunKind.FULL, actor=None)
    with desk.running("worker") as worker:
        wait_for(half_read, seconds=60)
        kill(worker)
    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    assert 0 < run.read < PAGED

    let_the_lease_end(run)
    housekeeping.watchdog()  # what the schedule does each minute
    with desk.running("worker"):
        wait_for(lambda: ended(run), seconds=60)

    assert run.state == RunState.SUCCEEDED
    assert desk.state(run) == expected
    assert not SeenId.objects.exists()


def test_a_worker_told_to_end_in_mid_run_ends_and_the_next_goes_on_behind_the_checkpoint(desk: Desk) -> None:
    expected = desk.undisturbed()
    desk.hold_up_the_third_page()
    run = runs.start(desk.connection, kind=RunKind.FULL, actor=None)
    with desk.running("worker") as worker:
        wait_for(half_read, seconds=60)
        cluster = psutil.Process(worker.pid).children(recursive=True)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
        assert psutil.wait_procs(cluster, timeout=10)[1] == []
    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    read = run.read

    let_the_lease_end(run)
    housekeeping.watchdog()
    desk.stripe.reset_requests()
    with desk.running("worker"):
        wait_for(lambda: ended(run), seconds=60)
    asked = [one for one in desk.stripe.requests()["recent"] if one["path"] == "/v1/subscriptions"]

    assert read > 0
    assert len(asked) < 4, "pages behind the checkpoint are not walked again"
    assert desk.state(run) == expected


def test_a_foreground_sync_killed_in_mid_run_is_taken_over_by_the_next(desk: Desk) -> None:
    expected = desk.undisturbed()
    desk.hold_up_the_third_page()
    with desk.running("stripe", "sync", "--mode", "live") as first:
        run = wait_for(half_read, seconds=60)
        assert run is not None
        kill(first)
    desk.stripe.reset_requests()
    with desk.running("stripe", "sync", "--mode", "live", "--json") as second:
        assert second.stderr is not None
        said = second.stderr.readline()
        let_the_lease_end(run)
        output, errors = second.communicate(timeout=60)
    asked = [one for one in desk.stripe.requests()["recent"] if one["path"] == "/v1/subscriptions"]

    assert "waiting" in said
    assert second.returncode == 0, errors
    assert json.loads(output)["run"] == run.pk
    assert len(asked) < 4, "pages behind the checkpoint are not walked again"
    run.refresh_from_db()
    assert desk.state(run) == expected


def test_a_lost_database_connection_only_costs_time(desk: Desk) -> None:
    expected = desk.undisturbed()
    desk.hold_up_the_third_page(seconds=4)
    with desk.running("stripe", "sync", "--mode", "live", "--json") as process:
        run = wait_for(half_read, seconds=60)
        assert run is not None
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            assert cursor.fetchone()[0] >= 1
            assert process.stderr is not None
        said = [process.stderr.readline()]
        while "database is gone" not in said[-1]:
            assert said[-1], said
            said.append(process.stderr.readline())
        let_the_lease_end(run)
        output, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    assert json.loads(output)["state"] == "succeeded"
    run.refresh_from_db()
    assert desk.state(run) == expected


def test_two_foreground_syncs_at_once_share_one_run(desk: Desk) -> None:
    desk.stripe.pace(latency_ms=50)
    command = ("stripe", "sync", "--mode", "live", "--json")
    with desk.running(*command) as first, desk.running(*command) as second:
        outputs = [process.communicate(timeout=90) for process in (first, second)]
    found = [json.loads(output) for output, _errors in outputs]

    assert [process.returncode for process in (first, second)] == [0, 0], outputs
    assert found[0] == found[1]
    assert SyncRun.objects.count() == 1
    assert found[0]["subscriptions"] > 300


def test_a_killed_worker_keeps_nobody_from_starting_over_by_hand(desk: Desk) -> None:
    desk.hold_up_the_third_page()
    with desk.running("stripe", "sync", "--mode", "live") as first:
        run = wait_for(half_read, seconds=60)
        assert run is not None
        kill(first)
    let_the_lease_end(run)
    runs.cancel(run, actor=None)
    run.refresh_from_db()
    again = sync(desk.connection)

    assert run.state == RunState.CANCELLED
    assert again.state == RunState.SUCCEEDED
    assert StripeConnection.objects.get().last_full_sync_at is not None
    assert start(desk.connection).pk > again.pk


def works_on_stripe(worker: subprocess.Popen[str], stripe: Running) -> bool:
    """Whether some process of this worker is connected to the sandbox."""
    port = int(stripe.url.rpartition(":")[2])
    try:
        family = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
        return any(each.raddr and each.raddr.port == port for one in family for each in one.net_connections("tcp"))
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(params=["postgresql", pytest.param("redis", marks=pytest.mark.redis)])
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the queue is: empty for PostgreSQL."""
    if request.param == "postgresql":
        yield ""
        return
    with own_redis() as url:
        yield url


def test_of_two_machines_the_other_goes_on_when_one_is_lost(desk: Desk, redis_url: str) -> None:
    """With either broker; a Redis loses what is in it as well, as it may: the rows are the truth."""
    expected = desk.undisturbed()
    desk.hold_up_the_third_page()
    desk.environment["REDIS_URL"] = redis_url
    with desk.running("worker") as first, desk.running("worker") as second:
        run = start(desk.connection)
        desk.queue(f"runs.enqueue({run.pk})")
        wait_for(half_read, seconds=60)
        [lost] = [worker for worker in (first, second) if works_on_stripe(worker, desk.stripe)]
        kill(lost)
        if redis_url:
            lose_everything(redis_url)
        let_the_lease_end(run)
        desk.queue("housekeeping.watchdog()")  # what the schedule of either does each minute
        wait_for(lambda: ended(run), seconds=60)

    assert not (redis_url and OrmQ.objects.exists()), "the queue was not in Redis"
    assert run.state == RunState.SUCCEEDED
    assert desk.state(run) == expected


# --- beside the subscriptions ----------------------------------------------------------------------------------------


def asked_for(stripe: Running, path: str, **query: str) -> list[dict[str, str]]:
    """What a list was asked for, request by request."""
    found = [dict(each["query"]) for each in stripe.requests()["recent"] if each["path"] == path]
    return [each for each in found if each.items() >= query.items()]


def beside_and_in_the_middle() -> SyncRun | None:
    """The run once open payments are through and some pages of subscriptions are written, but not the last."""
    return SyncRun.objects.filter(checkpoint__walks__payments__0__done=True, read__gt=500, read__lt=LONG).first()


def test_a_run_killed_while_invoices_are_read_beside_the_subscriptions_goes_on_behind_its_checkpoint(
    long: Running, child_environment: dict[str, str]
) -> None:
    import_crm(crm_rows("bulk", LONG))
    desk = Desk(long, child_environment)
    expected = desk.undisturbed()
    for path, query, nth in (("subscriptions", {"status": "all", "limit": "100"}, 13), ("invoices", OPEN, 2)):
        long.fault("slow", f"/v1/{path}", query=query, nth=nth, delay_ms=60_000)
    with desk.running("stripe", "sync", "--mode", "live") as first:
        wait_for(lambda: all(rule["fired"] for rule in long.faults()), seconds=60)
        run = wait_for(beside_and_in_the_middle, seconds=60)
        assert run is not None
        kill(first)
    run.refresh_from_db()
    lanes = run.checkpoint["walks"]["subscriptions"]
    unfinished = {lane["after"] for lane in lanes if not lane["done"]}
    pages_left = -(-(LONG - run.read) // 100)
    let_the_lease_end(run)
    long.clear_faults()
    long.reset_requests()
    with desk.running("stripe", "sync", "--mode", "live", "--json") as second:
        output, errors = second.communicate(timeout=60)
    subscriptions = asked_for(long, "/v1/subscriptions", status="all", limit="100")

    assert run.phase == "subscriptions"
    assert second.returncode == 0, errors
    assert json.loads(output)["run"] == run.pk
    assert asked_for(long, "/v1/invoice_payments", status="open") == []
    assert len(asked_for(long, "/v1/invoices", **OPEN)) == 2
    assert unfinished <= {each.get("starting_after", "") for each in subscriptions}
    assert len(subscriptions) <= pages_left + len(lanes), "pages behind the checkpoint are not walked again"
    run.refresh_from_db()
    assert desk.state(run) == expected
