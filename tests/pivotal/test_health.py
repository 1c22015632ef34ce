"""`/healthz` says that the process lives, `/readyz` what works behind it, and neither anything else."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import OperationalError
from django.db.models import F
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from integrations.models import StripeConnection, WorkerHeartbeat
from tests.integrations.stripe.pages.factories import ConnectionFactory

pytestmark = pytest.mark.django_db
FINE = {"status": "ok", "database": "ok", "migrations": "applied", "worker": "ok", "broker": "ok", "stripe": "ok"}


def ready(client: Client, query: str = "") -> tuple[int, dict[str, str]]:
    response = client.get(f"/readyz{query}")
    return response.status_code, response.json()


def grow_old(name: str, **ago: int) -> None:
    WorkerHeartbeat.objects.beat(name)
    WorkerHeartbeat.objects.filter(name=name).update(at=F("at") - timedelta(**ago))


def test_a_living_process_answers_without_the_database(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        response = client.get("/healthz")
    assert (response.status_code, response.json()) == (HTTPStatus.OK, {"status": "ok"})


def test_a_fresh_start_is_ready_and_has_no_worker_yet(client: Client) -> None:
    assert ready(client) == (HTTPStatus.OK, {**FINE, "status": "degraded", "worker": "never reported"})


def test_everything_that_works_is_ok(client: Client) -> None:
    WorkerHeartbeat.objects.beat()
    ConnectionFactory()
    assert ready(client) == (HTTPStatus.OK, FINE)
    assert ready(client, "?strict") == (HTTPStatus.OK, FINE)


def test_a_silent_worker_is_said_and_takes_no_pages_away(client: Client) -> None:
    grow_old("worker", minutes=10)
    status, said = ready(client)
    assert (status, said["status"]) == (HTTPStatus.OK, "degraded")
    assert said["worker"].startswith("silent for 60")
    assert ready(client, "?strict")[0] == HTTPStatus.SERVICE_UNAVAILABLE


def test_a_silent_worker_does_not_hide_behind_another(client: Client) -> None:
    WorkerHeartbeat.objects.beat("host-a:1")
    grow_old("host-b:7", minutes=10)
    assert ready(client)[1]["worker"].startswith("1 of 2 silent for 60")


def test_a_machine_that_was_taken_away_is_forgotten_after_a_day(client: Client) -> None:
    WorkerHeartbeat.objects.beat("host-a:1")
    grow_old("host-b:7", hours=25)
    assert ready(client)[1]["worker"] == "ok"


def test_when_all_are_gone_for_a_day_that_is_said(client: Client) -> None:
    grow_old("host-b:7", hours=25)
    assert ready(client)[1]["worker"] == "silent for more than a day"


def test_pending_migrations_are_unavailable(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pivotal.health._pending_migrations", lambda: 2)
    status, said = ready(client)
    assert (status, said["status"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "unavailable")
    assert said["migrations"] == "2 pending"


def test_an_unreachable_database_is_unavailable_and_tells_no_address(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise OperationalError("connection to secret-host failed")

    monkeypatch.setattr("pivotal.health._pending_migrations", fail)
    response = client.get("/readyz")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert b"secret-host" not in response.content


def test_an_unreachable_broker_is_said_without_its_address(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ConnectionError("redis://:password@secret-host")

    monkeypatch.setattr("pivotal.health.get_broker", fail)
    status, said = ready(client)
    assert (status, said["broker"]) == (HTTPStatus.OK, "unreachable")
    assert "secret-host" not in str(said)


def test_connections_that_need_somebody_are_named_by_mode(client: Client, settings: Any) -> None:
    ConnectionFactory(state="reauthorize")
    ConnectionFactory(mode="test", account_id="acct_2")
    StripeConnection.objects.filter(mode="test").update(last_look_at=F("last_look_at") - timedelta(days=3))
    said = ready(client)[1]["stripe"]
    assert said.startswith("live: reauthorize, test: last look 2592")
    assert "acct_" not in said
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert "live: stored under another encryption key" in ready(client)[1]["stripe"]


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
def test_they_are_not_cached_and_not_redirected_to_https(client: Client, settings: Any, address: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = client.get(address)
    assert response.status_code != HTTPStatus.MOVED_PERMANENTLY
    if address != "/metrics":
        assert "no-store" in response["Cache-Control"]
