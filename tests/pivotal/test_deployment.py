"""The files under deploy/ start what they say, and a web server ends gracefully."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
from cryptography.fernet import Fernet
from django.db import connection

from tests.waiting import wait_for

CHECKOUT = Path(__file__).resolve().parents[2]
DEPLOY = CHECKOUT / "deploy"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> requests.Response | None:
    session = requests.Session()
    session.trust_env = False
    try:
        return session.get(url, timeout=20, headers={"Host": "pivotal.example.com"})
    except requests.ConnectionError:
        return None


@pytest.mark.django_db(transaction=True)
def test_the_web_server_of_the_procfile_answers_and_ends_gracefully(
    child_environment: dict[str, str], tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "access.log"
    environment = {
        **child_environment,
        "DEBUG": "false",
        "SECRET_KEY": "x9" * 30,
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "ALLOWED_HOSTS": "pivotal.example.com",
        "BIND": f"127.0.0.1:{port}",
        "WEB_CONCURRENCY": "1",
        "ACCESS_LOG": str(log),
        "LOG_FORMAT": "json",
    }
    command = re.search(r"^web: gunicorn (.+)$", (CHECKOUT / "Procfile").read_text(), re.MULTILINE)
    assert command is not None
    with (tmp_path / "errors.log").open("wb") as errors:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *command[1].split()], cwd=CHECKOUT, env=environment, stderr=errors
        )
    try:
        base = f"http://127.0.0.1:{port}"
        response = wait_for(lambda: answers(f"{base}/healthz"), seconds=60)
        assert response.json() == {"status": "ok"}
        assert response.headers["X-Request-ID"]
        # A request that waits in the database while the server is told to end is answered all the same.
        slow: list[requests.Response | None] = []
        with connection.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
            thread = threading.Thread(target=lambda: slow.append(answers(f"{base}/readyz?code=ac_secret")))
            thread.start()
            wait_for(lambda: waiting_for_a_lock(cursor), seconds=20)
            server.send_signal(signal.SIGTERM)
            cursor.execute("COMMIT")
        thread.join(30)
        assert server.wait(40) == 0
        assert slow
        assert slow[0] is not None
        assert slow[0].status_code == 200
        written = log.read_text()
        assert "/readyz" in written
        assert "ac_secret" not in written
    finally:
        if server.poll() is None:
            server.kill()
            server.wait(10)


def waiting_for_a_lock(cursor: object) -> bool:
    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")  # type: ignore[attr-defined]
    return bool(cursor.fetchone()[0])  # type: ignore[attr-defined]


def test_the_units_and_the_image_start_the_commands_of_the_procfile() -> None:
    web = "gunicorn pivotal.wsgi --config deploy/gunicorn.conf.py"
    assert f"ExecStart=/srv/pivotal/.venv/bin/{web}" in (DEPLOY / "pivotal-web.service").read_text()
    assert "manage.py worker\n" in (DEPLOY / "pivotal-worker.service").read_text()
    image = (DEPLOY / "Dockerfile").read_text()
    assert f"CMD {web.split()}".replace("'", '"') in image
    assert "--require-hashes" in image
    assert "\nUSER pivotal" in image


def test_the_compose_file_demands_every_secret_and_passes_only_settings_that_exist() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "POSTGRES_PASSWORD", "ALLOWED_HOSTS"):
        assert f"${{{name}:?}}" in text
    example = (CHECKOUT / ".env.example").read_text()
    passed = re.findall(r"^    ([A-Z][A-Z_]+):", text.partition("services:")[0], re.MULTILINE)
    assert len(passed) > 10
    assert [name for name in passed if not re.search(rf"^#?{name}=", example, re.MULTILINE)] == []


def test_no_file_of_the_deployment_holds_a_secret() -> None:
    for path in (*DEPLOY.iterdir(), CHECKOUT / "Procfile"):
        assert not re.search(r"(sk|rk|whsec)_[A-Za-z0-9]{6,}", path.read_text()), path
    assert os.access(CHECKOUT / ".dockerignore", os.R_OK)
    assert ".env\n" in (CHECKOUT / ".dockerignore").read_text()
