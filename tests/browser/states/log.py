"""The log, a run, drift and the calls."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.utils import timezone
from playwright.sync_api import Page

from integrations.models import DriftEntry, DriftReport, RunState
from tests.browser.states import LONG_NAME, STAFF, state
from tests.browser.states.queue import of
from tests.factories import CustomerFactory
from tests.integrations.stripe.pages.factories import (
    ApiCallFactory,
    AttemptFactory,
    ConnectionFactory,
    IssueFactory,
    RunFactory,
)

LOG, DRIFT, CALLS = "Log", "Drift", "Calls"
ANSWER = json.dumps({"error": {"type": "invalid_request_error", "message": "No such customer: " + "x" * 200}})


def attempts() -> Any:
    """Runs of every state, polls that were quiet, that found something and that failed."""
    connection = ConnectionFactory()
    for run_state in (RunState.SUCCEEDED, RunState.CANCELLED):
        RunFactory(connection=connection, state=run_state, subscriptions=1253)
    RunFactory(
        connection=connection,
        state=RunState.FAILED,
        error_code="stripe_unavailable",
        error_detail="Stripe answered 503 five times. " * 5,
    )
    run = RunFactory(connection=connection, state=RunState.PARTIAL, failed=1)
    IssueFactory(connection=connection, run=run, detail="customer.email: expected str", answer=ANSWER)
    IssueFactory(
        connection=connection,
        run=run,
        severity="warning",
        code="no_exchange_rate",
        object_type="figure",
        object_id="ngn",
    )
    AttemptFactory(connection=connection)
    AttemptFactory(connection=connection, events=0)
    AttemptFactory(
        connection=connection,
        kind="refresh",
        state="failed",
        error_code="record_gone",
        stripe_customer_id="cus_1",
        error_detail="No such customer",
        answer=ANSWER,
    )
    AttemptFactory(connection=connection, kind="webhook", state="failed", error_code="signature_invalid")
    return run


@state(LOG, "empty", "Log")
def empty() -> str:
    ConnectionFactory()
    return of("log")


@state(LOG, "every kind of attempt", "stripe_unavailable")
def log() -> str:
    attempts()
    return of("log")


def open_rows(browser: Page) -> None:
    """Open every row of the log."""
    for row in browser.locator(".log__row > summary").all():
        row.click()


@state(LOG, "errors only, as staff, the rows open", "Retry this record", who=STAFF, act=open_rows)
def errors() -> str:
    attempts()
    return of("log", errors=1)


@state(LOG, "errors only, none", "Nothing matches this filter")
def no_errors() -> str:
    RunFactory(connection=ConnectionFactory())
    return of("log", errors=1)


@state("Run", "partial, with its records", "customer.email")
def run() -> str:
    return of("run_detail", attempts().pk)


@state("Run", "succeeded", "Succeeded")
def run_succeeded() -> str:
    return of("run_detail", RunFactory(connection=ConnectionFactory()).pk)


def night(days: int, *, connection: Any, entries: int = 0) -> None:
    """A concluded report."""
    at = timezone.now() - timedelta(days=days)
    report = DriftReport.objects.create(
        connection=connection,
        run=RunFactory(connection=connection),
        created_at=at,
        concluded_at=at,
        checked=1200,
        different=entries,
        by_field={"mrr": entries} if entries else {},
    )
    for number in range(entries):
        DriftEntry.objects.create(
            report=report,
            kind="different",
            customer=CustomerFactory(name=f"{LONG_NAME} {number}"),
            field="mrr",
            old="900.00",
            new="1400.00",
        )


@state(DRIFT, "before the first night", "No night was compared yet")
def no_night() -> str:
    ConnectionFactory()
    return of("drift")


@state(DRIFT, "zero", "no drift")
def no_drift() -> str:
    connection = ConnectionFactory()
    for days in range(10):
        night(days, connection=connection)
    return of("drift")


@state(DRIFT, "some", "Fernbank Analytics")
def some_drift() -> str:
    connection = ConnectionFactory()
    for days in range(10):
        night(days, connection=connection, entries=days % 3)
    return of("drift")


@state(CALLS, "none", "calls")
def no_calls() -> str:
    ConnectionFactory()
    return of("calls")


@state(CALLS, "some, one refused", "/v1/customers")
def calls() -> str:
    connection = ConnectionFactory()
    ApiCallFactory.create_batch(3, connection=connection)
    ApiCallFactory(
        connection=connection,
        path="/v1/invoices?" + "expand[]=data.payments&" * 8,
        status=429,
        error_code="rate_limited",
    )
    return of("calls")
