"""The demo's folder, `.pivotal/`: one demo at a time, and how to be rid of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path

from pivotal.demo.errors import DemoError


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """Where everything lies that the demo keeps from one start to the next."""

    path: Path

    @property
    def logs(self) -> Path:
        """One file per child process, begun anew with every start."""
        return self.path / "logs"

    @property
    def sandbox_state(self) -> Path:
        """The sandbox's tokens, so that a second start goes on with those of the first."""
        return self.path / "sandbox.json"

    @property
    def sandbox_port(self) -> Path:
        """Written by the sandbox once it listens."""
        return self.path / "sandbox.port"

    @property
    def is_begun(self) -> bool:
        """Whether a demo has filled the database that belongs to this folder, or begun to."""
        return self._begun.exists()

    def begin(self) -> None:
        """Remember that a demo fills the database."""
        self._begun.touch()

    def publish(self, environment: Mapping[str, str]) -> None:
        """Write down how to reach the sandbox, for commands beside the demo (`settings` reads it while one runs)."""
        lines = [f"{name}={value}\n" for name, value in environment.items() if name.startswith("STRIPE_")]
        self._environment.write_text("".join(lines))

    @property
    def environment(self) -> Path | None:
        """What a running demo published; None when none runs, for a killed one leaves its file behind."""
        if not (self._environment.exists() and self._lock.exists()):
            return None
        with self._lock.open() as file:
            try:
                flock(file, LOCK_SH | LOCK_NB)
            except BlockingIOError:
                return self._environment
        return None

    @property
    def _environment(self) -> Path:
        return self.path / "demo.env"

    @property
    def _begun(self) -> Path:
        return self.path / "demo.begun"

    @property
    def _lock(self) -> Path:
        return self.path / "demo.lock"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder; the system lets go of it however this process ends.

        Raises DemoError when another demo holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+") as file:
            try:
                flock(file, LOCK_EX | LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise DemoError(f"A demo is running already (process {holder}). Stop it with Ctrl-C first.") from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def clear(self) -> None:
        """Delete what the demo and the embedded PostgreSQL made, and nothing else that may lie here."""
        for folder in (self.path / "postgres", self.logs):
            shutil.rmtree(folder, ignore_errors=True)
        ours = (self.sandbox_state, self.sandbox_port, self._begun, self._lock, self._environment)
        for file in (self.path / "postgres.lock", self.path / "secrets.json", *ours):
            file.unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()
