"""The events poll: one request, nothing missed, nothing twice, and a cursor that only moves behind what was read."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django.fixtures import Settings

from customers.models import Customer
from integrations.errors import IntegrationError
from integrations.models import (
    Attempt,
    ConnectionState,
    MonthlyReads,
    RunKind,
    StripeConnection,
    StripeCustomer,
    StripeEvent,
    SyncIssue,
    SyncRun,
)
from integrations.stripe.api.calls import Call
from integrations.stripe.api.events import POLLED, read_hint
from integrations.stripe.sync import calls, inbox, polling, probing
from sandbox.testing import Running
from tests.integrations.stripe.sync.syncing import EIGHT, FOUR, connect, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(stripe: Running, crm: None) -> StripeConnection:
    """A connection whose mirror is complete."""
    connection = connect(stripe)
    sync(connection)
    connection.refresh_from_db()
    stripe.reset_requests()
    return connection


def somebody(index: int = 0) -> StripeCustomer:
    return StripeCustomer.objects.filter(match_state="matched", standing="live").order_by("stripe_id")[index]


def rename(stripe: Running, one: StripeCustomer, name: str = "Renamed") -> None:
    stripe.patch("customers", one.stripe_id, {"name": name})


def set_back(**times: timedelta) -> None:
    """Let what happened at these moments have happened so much earlier."""
    StripeConnection.objects.update(**{name: Now() - age for name, age in times.items()})


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_a_poll_is_one_request_and_brings_the_change_into_the_header(
    stripe: Running, connection: StripeConnection
) -> None:
    rename(stripe, somebody())
    result = polling.poll(connection, wake=False)
    (asked,) = [each for each in stripe.requests()["recent"] if each["path"] == "/v1/events"]
    inbox.drain_now(connection)

    assert (result.polled, result.new, result.requests) == (True, 1, 1)
    assert [value for name, value in asked["query"] if name == "types[]"] == list(POLLED)
    assert somebody().name == "Renamed"


TROUBLE = {"status": "open", "currency": "usd", "total": 5000, "attempt_count": 1}


@pytest.mark.parametrize(
    ("event", "invoice", "payment", "shown"),
    [
        ("invoice.payment_failed", TROUBLE, "requires_payment_method", "failing"),
        ("invoice.updated", TROUBLE, "requires_payment_method", "failing"),
        ("invoice.payment_action_required", TROUBLE, "requires_action", "past_due"),
        ("payment_intent.processing", {**TROUBLE, "attempt_count": 2}, "processing", "failing"),
        ("invoice.marked_uncollectible", {**TROUBLE, "status": "uncollectible"}, "canceled", "failing"),
        ("invoice.finalized", {**TROUBLE, "attempt_count": 0}, "requires_action", "past_due"),
    ],
)
def test_each_way_a_payment_fails_is_seen_by_a_poll_on_its_own(
    stripe: Running,
    connection: StripeConnection,
    event: str,
    invoice: dict[str, object],
    payment: str,
    shown: str,
) -> None:
    owner = StripeCustomer.objects.filter(standing="live", ambiguous_kind="", customer__payment_status="paid")[0]
    changes = {**invoice, "customer": owner.stripe_id, "payment_intent_status": payment}
    stripe.put("invoices", "in_trouble", changes, event="none")
    kind, identifier = ("payment_intent", "pi_x") if event.startswith("payment_intent") else ("invoice", "in_trouble")
    stripe.event(event, {"id": identifier, "object": kind, "customer": owner.stripe_id})
    assert polling.poll(connection, wake=False).new == 1
    inbox.drain_now(connection)

    assert Customer.objects.get(pk=owner.customer_id).payment_status == shown


def test_the_next_poll_begins_before_the_last_and_takes_nothing_twice(
    stripe: Running, connection: StripeConnection
) -> None:
    rename(stripe, somebody())
    first = polling.poll(connection, wake=False)
    again = polling.poll(connection, wake=False)

    assert (first.new, again.events, again.new) == (1, 1, 0)
    assert StripeEvent.objects.count() == 1


def test_an_event_that_came_by_webhook_is_not_taken_again(stripe: Running, connection: StripeConnection) -> None:
    rename(stripe, somebody())
    event = stripe.get("/v1/events").json()["data"][0]
    inbox.receive(connection, [read_hint(json.dumps(event).encode())], source="webhook")
    inbox.drain_now(connection)
    result = polling.poll(connection)

    kept = StripeEvent.objects.get()
    assert (result.events, result.new, kept.source, kept.state) == (1, 0, "webhook", "done")


def test_every_page_is_read_before_the_cursor_moves(stripe: Running, connection: StripeConnection) -> None:
    for number in range(230):
        rename(stripe, somebody(number % 3), f"Renamed {number}")
    stripe.fault("500", "/v1/events", nth=3, times=0)
    with pytest.raises(IntegrationError):
        polling.poll(connection, wake=False)

    connection.refresh_from_db()
    assert connection.events_polled_at is None
    assert StripeEvent.objects.count() == 200, "what was read is kept"
    assert Attempt.objects.get(kind="poll").state == "failed"

    stripe.clear_faults()
    result = polling.poll(connection, wake=False)
    assert (result.events, result.new, result.requests) == (230, 30, 3)


def test_what_happens_during_a_poll_is_in_the_next(stripe: Running, connection: StripeConnection) -> None:
    one = somebody()
    mutation = {"kind": "customers", "id": one.stripe_id, "object": {"name": "During"}}
    for number in range(120):
        rename(stripe, somebody(1), f"Renamed {number}")
    stripe.fault("mutation", "/v1/events", nth=2, mutation=mutation)
    polling.poll(connection, wake=False)
    polling.poll(connection, wake=False)
    inbox.drain_now(connection)

    one.refresh_from_db()
    assert one.name == "During"


@pytest.mark.parametrize("ahead", [timedelta(minutes=20), timedelta(minutes=-20)])
def test_a_database_whose_clock_differs_from_stripes_misses_nothing(
    stripe: Running, connection: StripeConnection, ahead: timedelta
) -> None:
    """Moves what was noted in database time, as if that clock were ahead of Stripe's, or behind."""
    rename(stripe, somebody())
    polling.poll(connection, wake=False)
    StripeConnection.objects.update(
        events_polled_at=F("events_polled_at") + ahead, last_look_at=F("last_look_at") + ahead
    )
    rename(stripe, somebody(1))
    result = polling.poll(connection, wake=False)

    assert result.new == 1


def test_an_event_that_cannot_be_read_does_not_hold_up_the_others(
    stripe: Running, connection: StripeConnection
) -> None:
    rename(stripe, somebody())
    rename(stripe, somebody(1))
    stripe.fault("broken_object", "/v1/events", index=0, field="created")
    result = polling.poll(connection, wake=False)

    assert (result.polled, result.events, result.new) == (True, 2, 1)


# --- when ------------------------------------------------------------------------------------------------------------


def polled(connection: StripeConnection) -> int:
    """How many polls there were."""
    return Attempt.objects.filter(connection=connection, kind="poll").count()


def minutes_until_next(connection: StripeConnection) -> int:
    connection.refresh_from_db()
    assert connection.next_poll_at is not None
    return round((connection.next_poll_at - timezone.now()).total_seconds() / 60)


def test_it_is_time_each_minute(connection: StripeConnection) -> None:
    polling.poll_due()
    polling.poll_due()

    assert (polled(connection), minutes_until_next(connection)) == (1, 1)
    StripeConnection.objects.update(next_poll_at=Now() + timedelta(seconds=5))
    polling.poll_due()
    assert polled(connection) == 2, "a schedule that is a little early does not skip a minute"


def test_a_quiet_account_is_asked_less_often_until_something_happens(
    stripe: Running, connection: StripeConnection
) -> None:
    pauses = []
    for _poll in range(16):
        StripeConnection.objects.update(next_poll_at=None)
        polling.poll_due()
        pauses.append(minutes_until_next(connection))
    rename(stripe, somebody())
    for _poll in range(2):
        StripeConnection.objects.update(next_poll_at=None)
        polling.poll_due()

    assert pauses == [*[1] * 10, 2, 3, 4, 5, 5, 5]
    assert minutes_until_next(connection) == 1


def test_webhooks_that_arrive_make_it_rarer(connection: StripeConnection) -> None:
    set_back(webhook_at=timedelta(minutes=3))
    polling.poll_due()
    assert minutes_until_next(connection) == 10

    set_back(webhook_at=timedelta(minutes=11), next_poll_at=timedelta(0))
    polling.poll_due()
    assert minutes_until_next(connection) == 1


def test_one_that_fails_is_tried_again_a_minute_later(stripe: Running, connection: StripeConnection) -> None:
    stripe.fault("500", "/v1/events", times=0)
    polling.poll_due()

    assert minutes_until_next(connection) == 1
    assert Attempt.objects.get(kind="poll").error_code == "stripe_unavailable"


@pytest.mark.parametrize("state", [ConnectionState.DISCONNECTED, ConnectionState.REAUTHORIZE])
def test_nobody_is_asked_without_access(stripe: Running, connection: StripeConnection, state: str) -> None:
    StripeConnection.objects.update(state=state)
    polling.poll_due()

    assert not polling.poll(connection).polled
    assert stripe.requests()["recent"] == []


def test_nothing_is_polled_before_the_first_run(stripe: Running) -> None:
    connection = connect(stripe)

    assert not polling.poll(connection).polled


def test_access_that_is_over_asks_for_reauthorisation(stripe: Running, crm: None) -> None:
    stripe.create_key("rk_live_soon_gone", EIGHT)
    connection = connect(stripe, "rk_live_soon_gone")
    sync(connection)
    stripe.revoke_key("rk_live_soon_gone")
    with pytest.raises(IntegrationError, match="no longer accepts"):
        polling.poll(connection)

    connection.refresh_from_db()
    assert connection.state == ConnectionState.REAUTHORIZE


# --- gaps and permissions --------------------------------------------------------------------------------------------


def test_a_gap_longer_than_stripe_keeps_events_starts_a_full_run(stripe: Running, connection: StripeConnection) -> None:
    polling.poll(connection)
    month = timedelta(days=31)
    set_back(events_polled_at=month, last_look_at=month)
    SyncRun.objects.update(created_at=Now() - month)
    result = polling.poll(connection)
    joined = polling.poll(connection)

    run = SyncRun.objects.get(pk=result.run)
    assert (result.polled, joined.run, run.kind) == (False, run.pk, RunKind.FULL)
    sync(connection)
    assert polling.poll(connection).polled


def test_a_run_for_a_gap_that_failed_is_not_started_again_each_minute(
    stripe: Running, connection: StripeConnection, settings: Settings
) -> None:
    settings.STRIPE_RETRY_TRIES = 1
    month = timedelta(days=31)
    set_back(events_polled_at=month, last_look_at=month)
    SyncRun.objects.update(created_at=Now() - month)
    stripe.fault("500", "/v1/products", times=0)
    run = polling.poll(connection).run
    assert run is not None
    sync(connection)

    assert polling.poll(connection).run is None


def test_a_walk_since_then_leaves_no_gap(connection: StripeConnection) -> None:
    set_back(events_polled_at=timedelta(days=40))

    assert polling.poll(connection).polled


def test_a_missing_permission_is_said_once_and_nothing_is_asked(stripe: Running, crm: None) -> None:
    connection = connect(stripe, stripe.create_key("rk_live_no_events", EIGHT[:-1]))
    sync(connection)
    stripe.reset_requests()
    for _minute in range(3):
        StripeConnection.objects.update(next_poll_at=None)
        polling.poll_due()

    issue = SyncIssue.objects.get(object_id="event_read")
    assert (issue.code, issue.severity, issue.state) == ("permission_missing", "warning", "open")
    assert stripe.requests()["recent"] == []
    assert not Attempt.objects.filter(kind="poll").exists()
    assert sync(connection).state == "succeeded"
    issue.refresh_from_db()
    assert issue.state == "open", "a run cannot know better"


def test_a_permission_taken_away_is_noticed_and_one_given_is_used(stripe: Running, crm: None) -> None:
    connection = connect(stripe, stripe.create_key("rk_live_events", EIGHT))
    sync(connection)
    stripe.create_key("rk_live_events", EIGHT[:-1])
    assert not polling.poll(connection).polled
    connection.refresh_from_db()
    assert "event_read" not in connection.permissions

    stripe.create_key("rk_live_events", EIGHT)
    probing.recheck_permissions(connection)
    assert polling.poll(connection).polled
    assert SyncIssue.objects.get(object_id="event_read").state == "resolved"


def test_checking_permissions_with_access_that_is_over_asks_to_reauthorize(stripe: Running) -> None:
    connection = connect(stripe, stripe.create_key("rk_live_soon_gone", FOUR))
    stripe.revoke_key("rk_live_soon_gone")
    with pytest.raises(IntegrationError, match="no longer accepts"):
        probing.recheck_permissions(connection)

    connection.refresh_from_db()
    assert connection.state == ConnectionState.REAUTHORIZE


# --- freshness and reads ---------------------------------------------------------------------------------------------


def test_a_poll_with_nothing_waiting_makes_everybody_as_fresh_as_itself(connection: StripeConnection) -> None:
    set_back(last_look_at=timedelta(hours=3))
    polling.poll(connection)

    connection.refresh_from_db()
    assert connection.last_look_at == connection.events_polled_at
    assert connection.last_incremental_update_at is None


def test_while_something_waits_nobody_is_fresh_yet(stripe: Running, connection: StripeConnection) -> None:
    set_back(last_look_at=timedelta(hours=3))
    rename(stripe, somebody())
    polling.poll(connection, wake=False)
    connection.refresh_from_db()
    assert timezone.now() - connection.last_look_at > timedelta(hours=2)  # type: ignore[operator]

    inbox.drain_now(connection)
    connection.refresh_from_db()
    assert connection.last_look_at == connection.events_polled_at


def test_one_that_keeps_failing_does_not_make_everybody_old(stripe: Running, connection: StripeConnection) -> None:
    one = somebody()
    rename(stripe, one)
    stripe.fault("500", f"/v1/customers/{one.stripe_id}", times=0)
    polling.poll(connection, wake=False)
    inbox.drain_now(connection)

    connection.refresh_from_db()
    assert connection.last_look_at == connection.events_polled_at


def test_reads_are_counted_by_month_where_calls_are_listed(stripe: Running, connection: StripeConnection) -> None:
    before = calls.reads_this_month(connection)
    polling.poll(connection)
    assert calls.reads_this_month(connection) == before + 1

    december, january = datetime(2025, 12, 31, 23, 59, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    made = [Call(moment, "GET", "/v1/events", 200, 5, "", "") for moment in (december, january, january)]
    calls.record(connection, [*made, Call(january, "POST", "/v1/oauth/token", 200, 5, "", "")])

    found = dict(MonthlyReads.objects.values_list("month", "reads"))
    assert (found[date(2025, 12, 1)], found[date(2026, 1, 1)]) == (1, 2)
