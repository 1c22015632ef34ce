"""Runs the application under uvicorn: binds, says where it listens, and ends cleanly on a signal."""

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from sandbox.app import Application
from sandbox.connections import CuttableProtocol
from sandbox.state import write_atomically
from sandbox.world import World

KEEP_ALIVE_SECONDS = 75
GRACE_SECONDS = 1


class Server(uvicorn.Server):
    """A uvicorn server that announces its port and takes a signal as an ordinary end."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, port_file: Path | None) -> None:
        super().__init__(config)
        self._listener = listener
        self._port_file = port_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start accepting, then say so on stdout and in the port file."""
        await super().startup(sockets)
        host, port = self._listener.getsockname()[:2]
        if self._port_file is not None:
            write_atomically(self._port_file, str(port).encode())
        sys.stdout.write(f"sandbox listening on http://{host}:{port}\n")
        sys.stdout.flush()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGINT and SIGTERM without raising them again, so that the exit code is 0."""

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def serve(world: World, host: str, port: int, port_file: Path | None) -> None:
    """Serve `world` until a signal ends it. Raises `OSError` when the port is taken."""
    # asyncio turns Nagle's delay off only for sockets that say they are TCP; with it every answer waits 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    config = uvicorn.Config(
        Application(world),
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    try:
        Server(config, listener, port_file).run(sockets=[listener])
    finally:
        world.webhooks.close()
        listener.close()
