"""Starting, watching and cancelling a run."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import ConnectionState, RunKind, RunState, SyncRun
from integrations.stripe.pages.presenters.runs import present_active
from tests.factories import AdminFactory, StaffFactory
from tests.integrations.stripe.pages.factories import ConnectionFactory, RunFactory

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory(first_name="Priya", last_name="Raman"))
    return client


def start(client: Client, **data: str) -> str:
    return client.post(reverse("stripe:run_start", args=["live"]), data, follow=True).content.decode()


def test_running_the_initial_sync_queues_one_run(admin: Client) -> None:
    ConnectionFactory(fresh=True)
    start(admin, kind="full")
    assert SyncRun.objects.get().kind == RunKind.INITIAL


def test_a_preview_is_a_run_of_its_own_kind(admin: Client) -> None:
    ConnectionFactory(fresh=True)
    start(admin, kind="preview")
    assert SyncRun.objects.get().kind == RunKind.PREVIEW


def test_a_kind_nobody_may_start_becomes_a_full_run(admin: Client) -> None:
    ConnectionFactory()
    start(admin, kind="nightly")
    assert SyncRun.objects.get().kind == RunKind.FULL


def test_a_second_start_joins_the_first_and_says_so(admin: Client) -> None:
    ConnectionFactory()
    start(admin)
    assert "A run was under way already" in start(admin)
    assert SyncRun.objects.count() == 1


def test_without_a_connection_nothing_starts(admin: Client) -> None:
    ConnectionFactory(state=ConnectionState.DISCONNECTED)
    assert "reauthorize" in start(admin)
    assert not SyncRun.objects.exists()


def test_the_bar_asks_again_every_second_while_the_run_goes_on(admin: Client) -> None:
    RunFactory(connection=ConnectionFactory(), state=RunState.RUNNING, finished_at=None, read=71200, expected=100000)
    fragment = admin.get(reverse("stripe:run_progress", args=["live"]), headers=HTMX).content.decode()
    assert 'hx-trigger="every 1s"' in fragment
    assert "71,200 of ~100,000 subscriptions" in fragment
    assert "<html" not in fragment


def test_the_bar_is_read_out_only_when_there_is_news(admin: Client) -> None:
    run = RunFactory(connection=ConnectionFactory(), state=RunState.RUNNING, finished_at=None, read=71, expected=100)
    address = reverse("stripe:run_progress", args=["live"])
    said = present_active(run.connection).said
    assert said == f"Sync running, {present_active(run.connection).progress.percent // 10 * 10} %"
    assert 'role="status"' not in admin.get(address, {"said": said}, headers=HTMX).content.decode()
    assert f">{said}</p>" in admin.get(address, {"said": "Sync running, 0 %"}, headers=HTMX).content.decode()


def test_the_fragment_keeps_the_cancel_button_for_those_who_may(admin: Client) -> None:
    run = RunFactory(connection=ConnectionFactory(), state=RunState.RUNNING, finished_at=None)
    address = reverse("stripe:run_progress", args=["live"])
    cancel = reverse("stripe:run_cancel", args=["live", run.pk])
    assert cancel in admin.get(address, headers=HTMX).content.decode()
    staff = Client()
    staff.force_login(StaffFactory())
    assert cancel not in staff.get(address, headers=HTMX).content.decode()


def test_when_the_run_has_ended_the_page_is_loaded_once_more(admin: Client) -> None:
    RunFactory(connection=ConnectionFactory())
    response = admin.get(reverse("stripe:run_progress", args=["live"]), headers=HTMX)
    assert response["HX-Refresh"] == "true"


def test_without_script_the_address_of_the_bar_leads_to_the_page(admin: Client) -> None:
    ConnectionFactory()
    response = admin.get(reverse("stripe:run_progress", args=["live"]))
    assert response["Location"] == reverse("stripe:integration", args=["live"])


def test_the_bar_costs_few_queries(admin: Client, django_assert_max_num_queries: object) -> None:
    RunFactory(connection=ConnectionFactory(), state=RunState.RUNNING, finished_at=None)
    with django_assert_max_num_queries(8):  # type: ignore[operator]  # untyped fixture
        admin.get(reverse("stripe:run_progress", args=["live"]), headers=HTMX)


def test_cancelling_asks_the_run_to_stop(admin: Client) -> None:
    run = RunFactory(connection=ConnectionFactory(), state=RunState.RUNNING, finished_at=None)
    admin.post(reverse("stripe:run_cancel", args=["live", run.pk]))
    run.refresh_from_db()
    assert run.cancel_requested or run.state == RunState.CANCELLED


def test_cancelling_a_run_that_has_ended_changes_nothing(admin: Client) -> None:
    run = RunFactory(connection=ConnectionFactory())
    admin.post(reverse("stripe:run_cancel", args=["live", run.pk]))
    run.refresh_from_db()
    assert (run.state, run.cancel_requested) == (RunState.SUCCEEDED, False)
