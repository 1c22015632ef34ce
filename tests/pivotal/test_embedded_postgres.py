"""The embedded server survives the people who use it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from pivotal.embedded_postgres import SOCKET_PATH_LIMIT, join, leave, socket_folder

HOLD = """
import pathlib, sys
from pivotal.embedded_postgres import join
print(join(pathlib.Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a server of its own, which is stopped at the end.

    Not below pytest's own: that one is closed to everybody else, and root's server runs as another user.
    """
    with tempfile.TemporaryDirectory(prefix="pivotal-") as path:
        yield Path(path)
        leave(Path(path))


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that has joined the server of `folder` and stays until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://")
    return process


def let_go(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=30)


def postmaster(folder: Path) -> psutil.Process | None:
    """The running server of `folder`."""
    try:
        return psutil.Process(int((folder / "postgres" / "postmaster.pid").read_text().split("\n")[0]))
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def answers(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def test_the_last_to_leave_stops_the_server(folder: Path) -> None:
    join(folder)
    other = hold(folder)
    leave(folder)
    assert postmaster(folder) is not None
    let_go(other)
    assert postmaster(folder) is None


def test_a_killed_process_does_not_keep_the_server_from_stopping(folder: Path) -> None:
    url = join(folder)
    other = hold(folder)
    other.kill()
    other.communicate(timeout=30)
    assert answers(url)
    leave(folder)
    assert postmaster(folder) is None


def test_a_server_whose_only_user_was_killed_is_joined_by_the_next(folder: Path) -> None:
    other = hold(folder)
    other.kill()
    other.communicate(timeout=30)
    before = postmaster(folder)
    assert answers(join(folder))
    assert postmaster(folder) == before


def test_a_killed_server_is_started_again_with_its_data(folder: Path) -> None:
    other = hold(folder)
    url = join(folder)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    leave(folder)
    server = postmaster(folder)
    assert server is not None
    everybody = [server, *server.children(recursive=True)]
    for process in everybody:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(everybody, timeout=30)
    other.kill()
    other.communicate(timeout=30)
    with psycopg.connect(join(folder)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_leftover_process_number_of_somebody_else_does_not_stop_the_start(folder: Path) -> None:
    join(folder)
    leave(folder)
    pid_file = folder / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{folder / 'postgres'}\n{int(time.time())}\n5432\n{folder}\n\n1 1\nready\n")
    assert answers(join(folder))


def test_a_folder_with_spaces_and_a_long_path_works(folder: Path) -> None:
    long = folder / "a folder with spaces" / ("long" * 30)
    try:
        assert answers(join(long))
    finally:
        leave(long)


def test_the_socket_of_a_long_path_lies_in_a_private_folder(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 30) / "postgres"
    assert len(os.fsencode(socket_folder(data) / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT
    assert socket_folder(tmp_path) == tmp_path
