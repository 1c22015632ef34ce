"""The brokers a queue can be in: PostgreSQL, or a Redis of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import ConnectionError as NotThereYet
from redis import Redis

from tests.waiting import wait_for


@contextmanager
def own_redis() -> Iterator[str]:
    """A Redis that keeps nothing on disk and listens to nobody else; gives its `REDIS_URL`."""
    server = shutil.which("redis-server")
    assert server is not None, "no redis-server: `make redis` installs it"
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        socket = Path(folder) / "socket"
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        process = subprocess.Popen([server, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: answers(socket))
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.wait(30)


def answers(socket: Path) -> bool:
    """Whether the server behind a socket is ready."""
    with Redis(unix_socket_path=str(socket)) as client:
        try:
            return bool(client.ping())
        except NotThereYet:
            return False


def lose_everything(url: str) -> None:
    """What a Redis that died and came back without its data has: nothing."""
    with Redis.from_url(url) as client:
        client.flushall()
