"""The inbox under everything that can happen to it, for real: in the end the state is what a full run would leave."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from django.conf import settings
from django.db import close_old_connections, connections
from django.db import connection as database
from django.db.models.functions import Now
from django.urls import reverse
from django_q.models import OrmQ
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer
from stripe import WebhookSignature

from customers.models import Customer
from integrations.models import StripeConnection, StripeCustomer, StripeEvent, StripeSubscription, SyncRun
from integrations.stripe.sync import drain, housekeeping, inbox, inbox_lease, polling
from integrations.stripe.sync.refresh import refresh
from sandbox.testing import Running
from tests.integrations.stripe.sync.syncing import billing, mirror, sync
from tests.integrations.stripe.sync.test_kill import Desk, desk, kill
from tests.waiting import wait_for

__all__ = ["desk"]  # the fixture

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "whsec_survival"


@pytest.fixture
def synced(desk: Desk) -> Desk:
    """A desk whose account was read completely; only reads after that are counted."""
    assert sync(desk.connection).state == "succeeded"
    desk.connection.refresh_from_db()
    desk.stripe.reset_requests()
    return desk


@pytest.fixture
def endpoint(live_server: LiveServer, synced: Desk) -> Iterator[str]:
    """The address of the account's own endpoint on a real server, which has a signing secret.

    Senders keep their connections, and so do the threads that serve them, each with one to the database.
    """
    synced.connection.webhook_secret = SECRET
    synced.connection.save(update_fields=["webhook_secret"])
    yield live_server.url + reverse("stripe:account_webhook", args=["live"])
    end_other_sessions()


def end_other_sessions() -> int:
    """Cut every database connection but this one; returns how many there were."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])


def change(stripe: Running, count: int, *, event: str | None = None) -> list[str]:
    """End every subscription of so many customers and rename them; returns their ids."""
    rows = StripeCustomer.objects.filter(match_state="matched", standing="live", ambiguous_kind="")
    ids = list(rows.order_by("stripe_id").values_list("stripe_id", flat=True)[:count])
    where = {"event": event} if event else {}
    for stripe_id in ids:
        stripe.patch("customers", stripe_id, {"name": f"Renamed {stripe_id}"}, **where)
        for one in StripeSubscription.objects.filter(customer_id=stripe_id, live=True):
            stripe.patch("subscriptions", one.stripe_id, {"status": "past_due"}, **where)
    return ids


def all_done() -> bool:
    return StripeEvent.objects.exists() and not StripeEvent.objects.exclude(state="done").exists()


def assert_as_after_a_full_run(connection: StripeConnection) -> None:
    """A walk of the account finds nothing to write, and nothing in the headers to correct."""
    header, rows = billing(), mirror(connection)
    run = sync(connection)
    assert (run.state, run.rows_written) == ("succeeded", 0)
    assert (billing(), mirror(connection)) == (header, rows)


def let_the_lease_end() -> None:
    """Spares the test the time after which nobody believes in a killed worker, or a lost task, any more."""
    StripeConnection.objects.update(inbox_until=Now() - timedelta(seconds=1))
    StripeEvent.objects.filter(state="waiting").update(retry_at=None)


def reads_by_customer(stripe: Running) -> Counter[str]:
    paths = (each["path"] for each in stripe.requests()["recent"])
    return Counter(path for path in paths if path.startswith("/v1/customers/"))


# --- processes -------------------------------------------------------------------------------------------------------


def test_a_worker_killed_in_a_drain_leaves_everything_to_the_next(synced: Desk) -> None:
    ids = change(synced.stripe, 6)
    synced.stripe.fault("slow", f"/v1/customers/{ids[3]}", delay_ms=60_000)
    new = polling.poll(synced.connection).new
    with synced.running("worker") as worker:
        wait_for(lambda: synced.stripe.requests()["recent"][2:], seconds=60)
        wait_for(lambda: inbox_lease.is_held(synced.connection.pk), seconds=60)
        kill(worker)
    assert StripeEvent.objects.filter(state="waiting").count() == new >= 12

    synced.stripe.clear_faults()
    let_the_lease_end()
    housekeeping.watchdog()  # what the schedule does each minute
    with synced.running("worker"):
        wait_for(all_done, seconds=60)
    assert_as_after_a_full_run(synced.connection)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def web(desk: Desk, port: int) -> Iterator[subprocess.Popen[str]]:
    """The web server as in production, on ``port``, killed with its workers at the end."""
    command = [sys.executable, "-m", "gunicorn", "pivotal.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--no-control-socket"],
        cwd=settings.BASE_DIR,
        env=desk.environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/healthz"), seconds=60)
        yield process
    finally:
        kill(process)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def test_a_web_server_killed_while_it_is_told_of_changes_loses_none_of_them(synced: Desk) -> None:
    synced.connection.webhook_secret = SECRET
    synced.connection.save(update_fields=["webhook_secret"])
    port = free_port()
    address = f"http://127.0.0.1:{port}{reverse('stripe:account_webhook', args=['live'])}"
    synced.stripe.add_webhook(address, SECRET, connect=False, account=synced.connection.account_id)
    with web(synced, port) as server:
        change(synced.stripe, 4)
        wait_for(StripeEvent.objects.exists, seconds=60)
        change(synced.stripe, 8)
        kill(server)
    change(synced.stripe, 12)
    wait_for(lambda: synced.stripe.webhooks()["failed"], seconds=60)  # nobody listens, and Stripe gives up
    delivered = synced.stripe.webhooks()["delivered"]
    with web(synced, port):
        change(synced.stripe, 2)
        wait_for(lambda: synced.stripe.webhooks()["delivered"] > delivered, seconds=60)

    assert polling.poll(synced.connection).new
    inbox.drain_now(synced.connection)
    assert all_done()
    assert_as_after_a_full_run(synced.connection)


def test_a_database_connection_lost_in_a_drain_only_costs_time(synced: Desk) -> None:
    ids = change(synced.stripe, 6)
    synced.stripe.fault("slow", f"/v1/customers/{ids[3]}", delay_ms=3_000)
    polling.poll(synced.connection)
    with synced.running("worker"):
        wait_for(lambda: inbox_lease.is_held(synced.connection.pk), seconds=60)
        assert end_other_sessions() >= 1
        let_the_lease_end()
        housekeeping.watchdog()
        wait_for(all_done, seconds=90)
    assert_as_after_a_full_run(synced.connection)


def test_two_workers_on_one_connection_read_nobody_twice(synced: Desk) -> None:
    ids = change(synced.stripe, 20)
    synced.stripe.pace(latency_ms=20)
    with synced.running("worker"), synced.running("worker"):
        polling.poll(synced.connection)
        for _time in range(5):
            inbox_lease.execute(
                "UPDATE integrations_stripeconnection SET inbox_until = NULL WHERE id = %(connection)s"
                " AND inbox_token IS NULL RETURNING id",
                synced.connection.pk,
            )
            inbox_lease.wake(synced.connection.pk)
        wait_for(all_done, seconds=60)

    read = reads_by_customer(synced.stripe)
    assert {path.rpartition("/")[2] for path in read} == set(ids)
    assert set(read.values()) == {1}
    assert_as_after_a_full_run(synced.connection)


def test_a_day_with_more_changes_than_a_walk_costs_is_one_walk(synced: Desk) -> None:
    ids = change(synced.stripe, drain.FEWEST_FOR_A_RUN + 5)
    before = SyncRun.objects.count()
    polling.poll(synced.connection, wake=False)
    inbox_lease.wake(synced.connection.pk)
    with synced.running("worker"):
        wait_for(all_done, seconds=90)

    assert SyncRun.objects.count() == before + 1
    assert SyncRun.objects.latest("pk").kind == "full"
    assert not reads_by_customer(synced.stripe), "nobody was read alone"
    assert StripeCustomer.objects.filter(name__startswith="Renamed").count() == len(ids)
    assert_as_after_a_full_run(synced.connection)


def test_a_change_in_stripe_reaches_the_header_by_webhook(synced: Desk, endpoint: str) -> None:
    synced.stripe.add_webhook(endpoint, SECRET, connect=False)
    with synced.running("worker"):
        ids = change(synced.stripe, 5)
        wait_for(lambda: StripeCustomer.objects.filter(name__startswith="Renamed").count() == 5, seconds=60)
        wait_for(all_done, seconds=60)

    assert synced.stripe.webhooks()["failed"] == 0
    assert StripeEvent.objects.filter(source="webhook").count() >= 2 * len(ids)
    assert_as_after_a_full_run(synced.connection)


# --- what Stripe does ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("429", {"retry_after": 0.01, "times": 12}),
        ("429", {"retry_after": 90, "times": 2}),
        ("500", {"times": 12}),
        ("503", {"times": 5}),
        ("timeout", {"times": 6}),
        ("reset", {"times": 12}),
        ("truncate", {"times": 12}),
        ("html", {"times": 12}),
        ("slow", {"times": 6, "delay_ms": 300}),
    ],
)
def test_a_stripe_in_trouble_delays_and_loses_nothing(
    synced: Desk, settings: Settings, kind: str, options: dict[str, Any]
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.5
    change(synced.stripe, 6)
    polling.poll(synced.connection, wake=False)
    for path in ("/v1/customers/*", "/v1/subscriptions", "/v1/invoices"):
        synced.stripe.fault(kind, path, **options)
    for _slice in range(drain.dirty.MOST_ATTEMPTS):
        let_the_lease_end()
        inbox.drain(synced.connection.pk, queue=False)
        if all_done():
            break

    fired = sum(rule["fired"] for rule in synced.stripe.faults())
    assert fired > 2
    assert all_done()
    synced.stripe.clear_faults()
    assert_as_after_a_full_run(synced.connection)


# --- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(hours=-2)])
def test_the_clock_of_this_machine_does_not_matter(
    synced: Desk, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    class Skewed(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + ahead

    for module in ("sync.clock", "api.client"):
        monkeypatch.setattr(f"integrations.stripe.{module}.datetime", Skewed)
    ids = change(synced.stripe, 3)
    polling.poll(synced.connection, wake=False)
    inbox.drain_now(synced.connection)
    monkeypatch.undo()

    observed = StripeCustomer.objects.filter(stripe_id__in=ids).values_list("observed_at", flat=True)
    assert all(abs(moment - datetime.now(UTC)) < timedelta(minutes=1) for moment in observed)
    assert_as_after_a_full_run(synced.connection)


# --- senders and readers at once -------------------------------------------------------------------------------------


def test_the_same_events_ten_times_by_two_senders_in_any_order_count_once(synced: Desk, endpoint: str) -> None:
    ids = change(synced.stripe, 5)
    events = synced.stripe.get("/v1/events", limit=100).json()["data"]

    def send(seed: int) -> set[int]:
        deliveries = [json.dumps(event) for event in events] * 10
        random.Random(seed).shuffle(deliveries)  # noqa: S311 - any order will do, as long as it is the same again
        with requests.Session() as session:
            session.trust_env = False
            return {
                session.post(
                    endpoint,
                    data=body.encode(),
                    headers={"Stripe-Signature": WebhookSignature.generate_signature_header(body, SECRET)},
                    timeout=30,
                ).status_code
                for body in deliveries
            }

    with ThreadPoolExecutor(2) as senders:
        answers = set().union(*senders.map(send, (1, 2)))
    assert answers == {200}
    assert StripeEvent.objects.count() == len(events) >= 10
    assert OrmQ.objects.count() == 1

    StripeConnection.objects.update(inbox_until=None)
    inbox.drain_now(synced.connection)
    assert set(reads_by_customer(synced.stripe)) == {f"/v1/customers/{stripe_id}" for stripe_id in ids}
    assert_as_after_a_full_run(synced.connection)


def test_two_refreshes_of_one_merged_customer_at_once_lose_nothing(synced: Desk) -> None:
    first, second = StripeCustomer.objects.filter(standing="live", match_state="matched").order_by("stripe_id")[:2]
    synced.stripe.patch("customers", second.stripe_id, {"email": first.email}, event="none")
    refresh(synced.connection, second.stripe_id)
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.customer_id == second.customer_id

    def look(stripe_id: str) -> None:
        try:
            refresh(synced.connection, stripe_id)
        finally:
            connections.close_all()

    for quantity in (3, 7, 2):
        for one in StripeSubscription.objects.filter(customer_id__in=[first.stripe_id, second.stripe_id], live=True):
            items = [{"price": each["price"]["id"], "quantity": quantity} for each in one.data["items"]["data"]]
            synced.stripe.patch("subscriptions", one.stripe_id, {"items": items, "status": "active"}, event="none")
        with ThreadPoolExecutor(4) as readers:
            list(readers.map(look, [first.stripe_id, second.stripe_id] * 2))
        close_old_connections()
        parts = StripeSubscription.objects.filter(
            customer_id__in=StripeCustomer.objects.filter(customer=first.customer_id).values("stripe_id")
        )
        shown = Customer.objects.get(pk=first.customer_id).mrr
        assert abs(shown - sum(one.mrr for one in parts)) < 1
        assert shown > 0
    assert_as_after_a_full_run(synced.connection)


def test_a_run_and_a_drain_at_the_same_time_end_as_one_after_the_other(synced: Desk) -> None:
    change(synced.stripe, 10)
    synced.stripe.pace(latency_ms=20)
    with synced.running("stripe", "sync", "--mode", "live", "--json") as process:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            polling.poll(synced.connection, wake=False)
            inbox.drain(synced.connection.pk, queue=False)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert json.loads(output)["state"] == "succeeded"
    polling.poll(synced.connection, wake=False)
    inbox.drain_now(synced.connection)

    assert all_done()
    assert_as_after_a_full_run(synced.connection)
