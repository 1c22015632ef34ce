"""A PostgreSQL of a test's own, which it may kill; this process and its children use it instead of the usual one."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from pivotal.embedded_postgres import EmbeddedServer, create_database, socket_folder

MIGRATED = "migrated"
USED = "used"


class OwnServer:
    """The server and a migrated database on it, ``pivotal`` as new."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "postgres"
        self._data.mkdir()
        self._server = EmbeddedServer(self._data)
        self._server.start()
        create_database(self._server.url("postgres"), MIGRATED)
        with self.instead_of_the_usual_one(MIGRATED):
            call_command("migrate", verbosity=0)

    def stop(self) -> None:
        """Stop it for good."""
        self._server.stop_for_all()

    def kill(self) -> None:
        """kill -9 of the server and of everything it has started: whatever was not committed is gone."""
        postmaster = psutil.Process(int((self._data / "postmaster.pid").read_text().splitlines()[0]))
        postmaster.send_signal(signal.SIGSTOP)  # it starts nobody meanwhile
        everybody = [*postmaster.children(recursive=True), postmaster]
        for process in everybody:
            process.send_signal(signal.SIGKILL)
        psutil.wait_procs(everybody, timeout=30)
        connection.close()

    def start(self) -> None:
        """Start it again on the same data; it replays what was committed."""
        self._server.ensure_postgres_running()

    def renew(self) -> None:
        """An empty, migrated database under the name that is used."""
        with psycopg.connect(self._server.url("postgres"), autocommit=True) as maintenance:
            used, migrated = sql.Identifier(USED), sql.Identifier(MIGRATED)
            maintenance.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(used))
            maintenance.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(used, migrated))

    @contextmanager
    def instead_of_the_usual_one(self, database: str = USED) -> Iterator[None]:
        """This process's own connection goes here inside."""
        place: dict[str, Any] = {
            "NAME": database,
            "USER": self._server.postgres_user,
            "PASSWORD": "",
            "HOST": "",
            "PORT": "",
            "OPTIONS": {**connection.settings_dict["OPTIONS"], "host": str(socket_folder(self._data))},
        }
        before = {name: connection.settings_dict[name] for name in place}
        connection.close()
        connection.settings_dict.update(place)
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict.update(before)


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server in a folder of its own, gone at the end.

    Not below pytest's own: that one is closed to everybody else, and root's server runs as another user.
    """
    with tempfile.TemporaryDirectory(prefix="pivotal-") as path:
        server = OwnServer(Path(path))
        try:
            yield server
        finally:
            server.stop()
