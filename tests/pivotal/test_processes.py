"""A process group ends with whoever started it, whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pivotal.processes import ProcessGroup
from tests.waiting import wait_for

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('up', file=sys.stderr, flush=True); time.sleep(600)",
]
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, file=sys.stderr, flush=True)
child.wait()
"""
STARTER = """
import pathlib, sys, time
from pivotal.processes import ProcessGroup
group = ProcessGroup([sys.executable, "-c", sys.argv[1]], grace_seconds=5, log=pathlib.Path(sys.argv[2]))
time.sleep(600)
"""


def test_the_exit_code_of_the_command_is_told(tmp_path: Path) -> None:
    group = ProcessGroup([sys.executable, "-c", "raise SystemExit(3)"], grace_seconds=5, log=tmp_path / "log")
    assert group.how_it_ended() == "exit code 3"
    assert not group.is_running()


def test_what_the_command_says_is_in_the_log(tmp_path: Path) -> None:
    ProcessGroup([sys.executable, "-c", "print('hello')"], grace_seconds=5, log=tmp_path / "log").how_it_ended()
    assert (tmp_path / "log").read_text() == "hello\n"


def test_stop_ends_the_command_and_tells_its_signal() -> None:
    assert ProcessGroup(SLEEP, grace_seconds=5).stop() in {"exit code -15", "killed"}


def test_a_command_that_ignores_the_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    group = ProcessGroup(STUBBORN, grace_seconds=0.2, log=tmp_path / "log")
    wait_for(lambda: (tmp_path / "log").read_text() == "up\n")
    assert group.stop() == "killed"


def test_kill_asks_nobody(tmp_path: Path) -> None:
    group = ProcessGroup(STUBBORN, grace_seconds=600, log=tmp_path / "log")
    wait_for(lambda: (tmp_path / "log").read_text() == "up\n")
    group.kill()
    assert group.how_it_ended() == "killed"


def test_descendants_of_the_command_end_with_it(tmp_path: Path) -> None:
    group = ProcessGroup([sys.executable, "-c", PARENT], grace_seconds=5, log=tmp_path / "log")
    grandchild = psutil.Process(int(wait_for((tmp_path / "log").read_text)))
    group.stop()
    wait_for(lambda: not is_alive(grandchild))


def test_a_killed_starter_takes_the_group_along(tmp_path: Path) -> None:
    log = tmp_path / "log"
    starter = subprocess.Popen([sys.executable, "-c", STARTER, PARENT, str(log)])
    grandchild = psutil.Process(int(wait_for(lambda: log.exists() and log.read_text())))
    starter.kill()
    starter.wait(30)
    wait_for(lambda: not is_alive(grandchild))


def test_a_killed_guard_takes_the_group_along(tmp_path: Path) -> None:
    group = ProcessGroup([sys.executable, "-c", PARENT], grace_seconds=5, log=tmp_path / "log")
    grandchild = psutil.Process(int(wait_for((tmp_path / "log").read_text)))
    os.kill(group.pid, 9)
    assert group.how_it_ended() == "killed"
    wait_for(lambda: not is_alive(grandchild))


def test_a_command_that_does_not_exist_is_told_in_the_log(tmp_path: Path) -> None:
    group = ProcessGroup(["/nowhere/to/be/found"], grace_seconds=5, log=tmp_path / "log")
    assert group.how_it_ended() == "killed"
    assert "/nowhere/to/be/found" in (tmp_path / "log").read_text()


def is_alive(process: psutil.Process) -> bool:
    """Still there and not just waiting to be reaped."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
