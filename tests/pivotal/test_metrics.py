"""`/metrics` says what is in the database, to those who may know."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries

from integrations.models import DriftReport, MonthlyReads, StripeEvent, WorkerHeartbeat
from tests.factories import AdminFactory, StaffFactory, UserFactory
from tests.integrations.stripe.pages.factories import ApiCallFactory, ConnectionFactory, IssueFactory, RunFactory

pytestmark = pytest.mark.django_db
TOKEN = "a-token-for-the-scraper"


def scrape(client: Client) -> dict[str, float]:
    """Every sample by its name and the values of its labels, in the order of the labels' names."""
    response = client.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        " ".join([sample.name, *(value for _label, value in sorted(sample.labels.items()))]): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


@pytest.fixture(autouse=True)
def _token(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN


def test_an_empty_database_has_figures_too(client: Client) -> None:
    assert scrape(client)["pivotal_queue_depth"] == 0


def test_every_figure_comes_from_the_rows(client: Client) -> None:
    now = timezone.now()
    live = ConnectionFactory()
    run = RunFactory(connection=live, api_requests=12)
    RunFactory(connection=live, state="failed")
    IssueFactory(connection=live)
    for status in (200, 200, 429):
        ApiCallFactory(connection=live, status=status)
    MonthlyReads.objects.create(connection=live, month=now.date().replace(day=1), reads=1234)
    DriftReport.objects.create(connection=live, run=run, missing=1, different=3)
    event = {"connection": live, "type": "invoice.paid", "source": "webhook", "created": now}
    StripeEvent.objects.create(event_id="evt_1", received_at=now - timedelta(minutes=9), **event)
    done = {"received_at": now - timedelta(minutes=9), "done_at": now - timedelta(minutes=8), "state": "done"}
    StripeEvent.objects.create(event_id="evt_2", **done, **event)
    WorkerHeartbeat.objects.beat("host:1")
    OrmQ.objects.create(key="pivotal", payload="x", lock=now)
    found = scrape(client)
    assert found["pivotal_connection_state live connected"] == 1
    assert found["pivotal_connection_state live reauthorize"] == 0
    assert found["pivotal_runs full live failed"] == 1
    assert found["pivotal_run_duration_seconds full live"] == 52
    assert found["pivotal_events_waiting live"] == 1
    assert found["pivotal_events_oldest_waiting_seconds live"] == pytest.approx(540, abs=60)
    assert found["pivotal_refresh_lag_max_seconds live webhook"] == pytest.approx(60, abs=1)
    assert found["pivotal_last_calls live 429"] == 1
    assert found["pivotal_reads_this_month live"] == 1234
    assert found["pivotal_drift different live"] == 3
    assert found["pivotal_issues_open invalid_response live error"] == 1
    assert found["pivotal_worker_heartbeat_age_seconds host:1"] < 60
    assert found["pivotal_queue_depth"] == 1
    assert found["pivotal_last_full_sync_timestamp_seconds live"] == pytest.approx(now.timestamp(), abs=60)


def test_it_takes_the_same_few_queries_whatever_there_is(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    live = ConnectionFactory()
    for _number in range(20):
        RunFactory(connection=live)
        IssueFactory(connection=live)
    with django_assert_max_num_queries(12):
        scrape(client)


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}é"])
def test_without_the_token_nobody_reads_it(client: Client, header: str) -> None:
    assert client.get("/metrics", HTTP_AUTHORIZATION=header).status_code == 403


def test_an_empty_setting_is_no_token(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer ").status_code == 403


@pytest.mark.parametrize(("who", "status"), [(AdminFactory, 200), (StaffFactory, 403), (UserFactory, 403)])
def test_people_who_may_connect_may_look(client: Client, who: Any, status: int) -> None:
    client.force_login(who())
    assert client.get("/metrics").status_code == status


def test_it_names_no_person_and_no_account(client: Client) -> None:
    ConnectionFactory(account_name="Fieldnote Inc", account_id="acct_1Fieldnote")
    text = client.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {TOKEN}").content.decode()
    assert "Fieldnote" not in text
