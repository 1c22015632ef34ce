"""Child processes of the worker's supervisor and of the demo, each with all its descendants."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")


class ProcessGroup:
    """A command and everything it starts. It ends with the process that started it, however that one ends."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        grace_seconds: float,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        log: Path | None = None,
        passed: Sequence[int] = (),
    ) -> None:
        """Start `command` in a session of its own.

        `grace_seconds` is how long it may take to end after SIGTERM, `environment` and `folder` replace this
        process's own, and its output is appended to `log` or, without one, goes where this process's errors go.
        `passed` are open descriptors that the command finds under the same numbers.
        """
        self.grace_seconds = grace_seconds
        self._how = ""
        with log.open("ab") if log else contextlib.nullcontext() as output:
            self._guard = subprocess.Popen(  # noqa: S603 (our own commands)
                [sys.executable, "-I", GUARD, str(grace_seconds), *command],  # -I: `logging` is not our logging.py
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=environment,
                cwd=folder,
                pass_fds=passed,
                start_new_session=True,
                text=True,
            )

    @property
    def pid(self) -> int:
        """The group's number."""
        return self._guard.pid

    def is_running(self) -> bool:
        """Whether the command has not ended."""
        return self._guard.poll() is None

    def how_it_ended(self) -> str:
        """`exit code N`, or `killed` when it did not end in time or was killed from outside. Waits for the end."""
        if not self._how:
            self._guard.wait()  # not communicate(): closing its input would end it
            code = self._guard.communicate()[0].strip()
            self._how = f"exit code {code}" if code.lstrip("-").isdigit() else "killed"
            self._kill_the_rest()
        return self._how

    def ask_to_stop(self) -> None:
        """Begin its end without waiting for it."""
        if self.is_running():
            self._guard.terminate()

    def stop(self) -> str:
        """End it, by SIGKILL when it does not within its grace; say how it ended. Does nothing when it has ended."""
        if self.is_running():
            self.ask_to_stop()
            try:
                self._guard.wait(self.grace_seconds + 5)
            except subprocess.TimeoutExpired:
                self._kill_the_rest()
        return self.how_it_ended()

    def kill(self) -> None:
        """End it at once, and wait until it has ended."""
        if self.is_running():
            self._kill_the_rest()
        self.how_it_ended()

    def _kill_the_rest(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left (macOS says it the second way)
            os.killpg(self.pid, signal.SIGKILL)
