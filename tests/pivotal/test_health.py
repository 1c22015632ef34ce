"""`/healthz` says what works and nothing else."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import OperationalError
from django.db.models import F
from django.test import Client

from integrations.models import WorkerHeartbeat

pytestmark = pytest.mark.django_db


def test_a_fresh_start_is_healthy_and_has_no_worker_yet(client: Client) -> None:
    response = client.get("/healthz")
    assert response.status_code == HTTPStatus.OK
    assert response.json() == {"database": "ok", "migrations": "applied", "worker": "never reported"}


def test_a_worker_that_has_just_reported_is_ok(client: Client) -> None:
    WorkerHeartbeat.objects.beat()
    assert client.get("/healthz").json()["worker"] == "ok"


def test_a_silent_worker_is_said_and_takes_no_pages_away(client: Client) -> None:
    WorkerHeartbeat.objects.beat()
    WorkerHeartbeat.objects.update(at=F("at") - timedelta(minutes=10))
    response = client.get("/healthz")
    assert response.status_code == HTTPStatus.OK
    assert response.json()["worker"].startswith("silent for 60")


def test_pending_migrations_are_unavailable(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pivotal.health._pending_migrations", lambda: 2)
    response = client.get("/healthz")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.json()["migrations"] == "2 pending"


def test_an_unreachable_database_is_unavailable_and_tells_no_address(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise OperationalError("connection to secret-host failed")

    monkeypatch.setattr("pivotal.health._pending_migrations", fail)
    response = client.get("/healthz")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert b"secret-host" not in response.content


def test_it_is_not_cached(client: Client) -> None:
    assert "no-store" in client.get("/healthz")["Cache-Control"]
