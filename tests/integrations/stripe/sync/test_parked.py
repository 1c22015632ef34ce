"""A run that loses its access waits, and goes on by itself once the same account is connected again."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks

from integrations.errors import IntegrationError
from integrations.models import ConnectionState, Notice, NoticeKind, RunState, StripeConnection, SyncRun
from integrations.stripe.sync import connections, disconnecting, housekeeping, lease, runs, work
from sandbox.testing import Running
from tests.integrations.stripe.sync.conftest import PAGED
from tests.integrations.stripe.sync.syncing import EIGHT, billing, connect, go_on, mirror, start, sync

pytestmark = pytest.mark.django_db

BACK = "http://127.0.0.1:8000/callback/"


def consent(stripe: Running) -> StripeConnection:
    """Connect as the consent page does."""
    code = parse_qs(urlsplit(stripe.authorize(BACK)).query)["code"][0]
    return connections.connect_by_code("live", code=code, redirect_uri=BACK, actor=None)


def read_a_part(run: SyncRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices until some pages of subscriptions are read, and not all."""
    with monkeypatch.context() as slow:
        slow.setattr(work, "SLICE_SECONDS", 0)
        slow.setattr("integrations.stripe.sync.walking.PAGES_A_BATCH", 1)
        while not run.read:
            runs.continue_run(run.pk, queue=False)
            run.refresh_from_db()
    assert run.read < PAGED


def test_a_run_whose_app_was_uninstalled_goes_on_behind_its_checkpoint_after_consent(
    paged: Running, crm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = consent(paged)
    run = start(connection)
    read_a_part(run, monkeypatch)
    read = run.read
    paged.uninstall()
    run = go_on(run)
    connection.refresh_from_db()

    assert (run.state, run.error_code, run.read) == (RunState.QUEUED, "reauthorize", read)
    assert connection.state == ConnectionState.REAUTHORIZE
    assert connection.last_full_sync_at is None

    paged.reset_requests()
    consent(paged)
    run = go_on(run)
    asked = [dict(one["query"]) for one in paged.requests()["recent"] if one["path"] == "/v1/subscriptions"]
    walked = [query for query in asked if query.get("limit") == "100"]
    assert (run.state, run.read, run.error_code) == (RunState.SUCCEEDED, PAGED, "")
    assert walked
    assert all("starting_after" in query for query in walked), "the walk goes on behind what it had"

    undisturbed = billing(), mirror(connection)
    disconnecting.disconnect(connection, actor=None)
    disconnecting.delete_mirror(connection, actor=None)
    sync(connect(paged))
    assert (billing(), mirror(connection)) == undisturbed


def test_a_revoked_key_parks_the_run_and_the_same_accounts_new_key_takes_it_up(
    stripe: Running, crm: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    connection = connect(stripe, stripe.create_key("rk_live_shortlived", EIGHT))
    stripe.revoke_key("rk_live_shortlived")
    run = sync(connection)
    assert run.state == RunState.QUEUED
    with django_capture_on_commit_callbacks(execute=True):
        connect(stripe, stripe.create_key("rk_live_next", EIGHT))

    (queued,) = OrmQ.objects.all()
    assert queued.task["args"] == (run.pk,)
    assert go_on(run).state == RunState.SUCCEEDED


def test_while_it_waits_nobody_works_on_it_and_nothing_is_due(stripe: Running) -> None:
    run = start(connect(stripe))
    StripeConnection.objects.update(state=ConnectionState.REAUTHORIZE)

    assert lease.claim(run.pk) is None
    assert not runs.work_is_due()
    housekeeping.watchdog()
    assert not OrmQ.objects.exists()
    assert runs.is_parked(run)


def test_waiting_costs_no_attempt(paged: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(paged, paged.create_key("rk_live_shortlived", EIGHT))
    run = start(connection)
    read_a_part(run, monkeypatch)
    paged.revoke_key("rk_live_shortlived")
    for _time in range(runs.CLAIMS_WITHOUT_PROGRESS + 1):
        StripeConnection.objects.update(state=ConnectionState.CONNECTED)
        runs.continue_run(run.pk, queue=False)
        run.refresh_from_db()

    assert (run.state, run.claims) == (RunState.QUEUED, 0)


def test_a_run_that_waits_can_be_cancelled(stripe: Running) -> None:
    run = start(connect(stripe))
    StripeConnection.objects.update(state=ConnectionState.REAUTHORIZE)
    runs.cancel(run, actor=None)
    run.refresh_from_db()

    assert run.state == RunState.CANCELLED


def test_another_account_ends_what_was_begun(stripe: Running) -> None:
    connection = connect(stripe)
    run = start(connection)
    StripeConnection.objects.update(state=ConnectionState.REAUTHORIZE, account_id="acct_another")
    connect(stripe)
    run.refresh_from_db()

    assert run.state == RunState.CANCELLED


def test_losing_access_is_told_once_and_over_when_it_is_back(stripe: Running) -> None:
    connection = connect(stripe, stripe.create_key("rk_live_shortlived", EIGHT))
    stripe.revoke_key("rk_live_shortlived")
    run = sync(connection)
    StripeConnection.objects.update(state=ConnectionState.CONNECTED)
    go_on(run)
    (notice,) = Notice.objects.all()
    assert (notice.kind, notice.over_at) == (NoticeKind.REAUTHORIZE, None)

    connect(stripe)
    notice.refresh_from_db()
    assert notice.over_at is not None


def test_a_new_run_needs_access_and_joins_none_that_waits(stripe: Running) -> None:
    connection = connect(stripe)
    start(connection)
    StripeConnection.objects.update(state=ConnectionState.REAUTHORIZE)
    connection.refresh_from_db()

    with pytest.raises(IntegrationError) as caught:
        start(connection)
    assert caught.value.code == "reauthorize"
