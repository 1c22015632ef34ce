"""Where the bench works: a database and a folder of its own, and child processes that know of nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".pivotal" / "bench"


class ChildError(Exception):
    """A measured process failed; what it said is above."""


class Place:
    """Runs the tasks of :mod:`bench.tasks` one by one, each in a process of its own.

    The database is BENCH_DATABASE_URL, whose content is deleted, or an embedded one under ``.pivotal/bench``.
    """

    def __init__(self) -> None:
        self.environment = {
            **os.environ,
            "DEBUG": "true",
            "DATABASE_URL": os.environ.get("BENCH_DATABASE_URL", ""),
            "PIVOTAL_DIR": str(FOLDER),
            "REDIS_URL": "",
            "LOG_LEVEL": "ERROR",
            "STRIPE_RETRY_BASE_SECONDS": "0.1",
        }

    def stripe(self, url: str, *, rate: float) -> None:
        """Call the sandbox at ``url`` from now on, at most ``rate`` times a second and endpoint; 0 is no limit."""
        self.environment |= {"STRIPE_API_BASE": url, "STRIPE_CONNECT_BASE": url, "STRIPE_RATE_LIVE": str(rate)}

    def run(self, task: str, **options: Any) -> dict[str, Any]:
        """Do one task and return its figures. Raises ChildError when it fails."""
        command = [sys.executable, "-m", "bench.child", task, json.dumps(options)]
        done = subprocess.run(  # noqa: S603 - our own module
            command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            raise ChildError(f"{task} ended with {done.returncode}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found
