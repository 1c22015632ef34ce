"""A run on the integration page, from queued to its end."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from integrations.models import (
    ConnectionState,
    RunKind,
    RunState,
    SyncRun,
    WorkerHeartbeat,
)
from tests.browser.states import LIVE, state
from tests.browser.states.integration import synced
from tests.integrations.stripe.pages.factories import (
    ConnectionFactory,
    IssueFactory,
    RunFactory,
)

RUN = "Integration, run"
BUSY = {"state": RunState.RUNNING, "finished_at": None}


def running(**fields: Any) -> str:
    """A run under way."""
    run: SyncRun = RunFactory(connection=synced(), **{**BUSY, "read": 71_200, "expected": 100_000, **fields})
    WorkerHeartbeat.objects.beat("worker")
    return reverse("stripe:integration", args=[run.connection.mode])


@state(RUN, "queued", "Waiting for the worker", swaps=1)
def queued() -> str:
    return running(state=RunState.QUEUED, started_at=None, read=0, expected=0)


def go_on(browser: Page) -> None:
    """The run reads more, and a screen reader is told once it is worth it."""
    SyncRun.objects.update(read=88_000)
    expect(browser.locator("#said")).to_have_text(re.compile(r"^Sync running, \d0 %$"))


@state(RUN, "running", "88,000 of ~100,000 subscriptions", act=go_on, swaps=2)
def under_way() -> str:
    return running(throttled_at=None)


@state(RUN, "running, length unknown", "Sync running")
def unknown_length() -> str:
    return running(read=120, expected=0)


@state(RUN, "slowed down by Stripe", "Stripe is slowing us down", swaps=1)
def slow() -> str:
    return running(throttled_at=timezone.now())


@state(RUN, "asked to stop", "The run stops at its next step.")
def stopping() -> str:
    return running(cancel_requested=True)


@state(RUN, "the worker is silent", "The worker has not reported since")
def silent() -> str:
    path = running(created_at=timezone.now() - timedelta(minutes=20))
    WorkerHeartbeat.objects.update(at=timezone.now() - timedelta(minutes=10))
    return path


@state(RUN, "waits for access", "Waiting for Stripe to be connected again")
def parked() -> str:
    connection = synced(state=ConnectionState.REAUTHORIZE)
    RunFactory(connection=connection, state=RunState.QUEUED, finished_at=None)
    return LIVE


@state(RUN, "the first one", "the first one is running")
def first_run() -> str:
    RunFactory(connection=ConnectionFactory(fresh=True), kind=RunKind.INITIAL, **BUSY, read=10, expected=100)
    return LIVE


@state(RUN, "the preview", "Preview running")
def preview_run() -> str:
    RunFactory(connection=ConnectionFactory(fresh=True), kind=RunKind.PREVIEW, **BUSY, read=10, expected=100)
    return LIVE


@state(RUN, "failed", "stripe_unavailable")
def failed() -> str:
    RunFactory(connection=synced(), state=RunState.FAILED, error_code="stripe_unavailable")
    return LIVE


@state(RUN, "partial", "2")
def partial() -> str:
    run = RunFactory(connection=synced(), state=RunState.PARTIAL, failed=2)
    IssueFactory.create_batch(2, connection=run.connection, run=run)
    return LIVE


@state(RUN, "cancelled", "cancelled")
def cancelled() -> str:
    RunFactory(connection=synced(), state=RunState.CANCELLED)
    return LIVE
