"""The whole demo for real: its own PostgreSQL, sandbox, web server and worker, from nothing to a synced account."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from pivotal.demo.services import HOST

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own folder, which is closed to the user root's PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="pivotal-") as path:
        yield Path(path) / "pivotal"


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, CHECKOUT / "manage.py", "demo", *arguments],
        env={**os.environ, "DEBUG": "true", "DATABASE_URL": "", "PIVOTAL_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_it_syncs_beside_a_taken_port_keeps_its_data_and_can_be_cleared(folder: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        first = demo(folder, "--once", "--port", port)
    assert first.returncode == 0, first.stdout + first.stderr
    assert f"Port {port} is taken" in first.stdout
    assert "through the consent screen" in first.stdout
    assert "Stopped.\n" in first.stdout

    second = demo(folder, "--once", "--port", port)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "through the consent screen" not in second.stdout
    counts = re.compile(r"Sync succeeded: .*\n.*\n.*MRR on \d+ customers")
    assert counts.findall(second.stdout) == counts.findall(first.stdout) != []

    assert demo(folder, "--reset").returncode == 0
    assert not folder.exists()


def test_it_is_refused_outside_debug(folder: Path) -> None:
    production = {
        "SECRET_KEY": "x" * 60,
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATABASE_URL": "postgresql://nowhere/pivotal",
    }
    result = subprocess.run(
        [sys.executable, CHECKOUT / "manage.py", "demo"],
        env={**os.environ, **production, "DEBUG": "false", "PIVOTAL_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "DEBUG" in result.stderr
