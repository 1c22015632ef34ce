"""The demo's child processes: the sandbox, the web server, the worker."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import requests

from pivotal.demo.errors import DemoError
from pivotal.demo.folder import DemoFolder
from pivotal.processes import ProcessGroup

CHECKOUT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
UP_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.1
GRACE_SECONDS = {"sandbox": 5.0, "web": 8.0, "worker": 15.0}  # the worker gives its own cluster 8 s
LAST_LINES = 15
MOST_RESTARTS = 3


class Service:
    """One child process that is started again when it dies, a few times."""

    def __init__(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._command, self._environment, self._log = command, environment, log
        self._restarts = 0
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.unlink(missing_ok=True)
        self._group = self._start()

    def _start(self) -> ProcessGroup:
        return ProcessGroup(
            self._command,
            grace_seconds=GRACE_SECONDS[self.name],
            environment=self._environment,
            folder=CHECKOUT,
            log=self._log,
        )

    def require_running(self) -> None:
        """Raise DemoError with its last lines when it has ended."""
        if not self._group.is_running():
            raise DemoError(f"{self.name} ended ({self._group.how_it_ended()}). {self._last_lines()}")

    def keep_running(self) -> str:
        """Start it again when it has ended and say so in one line, else say nothing.

        Raises DemoError with its last lines when it keeps dying.
        """
        if self._group.is_running():
            return ""
        if self._restarts == MOST_RESTARTS:
            self.require_running()
        self._restarts += 1
        how = self._group.how_it_ended()
        self._group = self._start()
        return f"{self.name} ended ({how}) and was started again; its log is {self._log}"

    def wait_until(self, is_up: Callable[[], bool]) -> None:
        """Wait until `is_up`; raise DemoError when it ends before or takes longer than a minute."""
        deadline = time.monotonic() + UP_SECONDS
        while not is_up():
            self.require_running()
            if time.monotonic() > deadline:
                raise DemoError(f"{self.name} did not come up within {UP_SECONDS:.0f} s. {self._last_lines()}")
            time.sleep(LOOK_EVERY_SECONDS)

    def ask_to_stop(self) -> None:
        """Begin its end without waiting for it."""
        self._group.ask_to_stop()

    def stop(self) -> str:
        """End it; say nothing when that went cleanly, else how it ended."""
        how = self._group.stop()
        return "" if how == "exit code 0" else f"{self.name}: {how}"

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "\n".join([f"The end of {self._log}:", *(f"    {line}" for line in lines)])


def free_port(wanted: int) -> int:
    """`wanted`, or the next one that nobody listens on; any free one when all of the next hundred are taken."""
    for port in range(wanted, min(wanted + 100, 65536)):
        if _is_free(port):
            return port
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as visitor:
        visitor.settimeout(1)
        if (
            visitor.connect_ex((HOST, port)) == 0
        ):  # somebody who listens on all addresses does not stop a bind everywhere
            return False
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def start_sandbox(folder: DemoFolder, environment: Mapping[str, str]) -> tuple[Service, str]:
    """The local Stripe on any free port, and its address."""
    folder.sandbox_port.unlink(missing_ok=True)
    files: list[str | Path] = ["--port-file", folder.sandbox_port, "--state-file", folder.sandbox_state]
    command = [sys.executable, "-m", "sandbox", "serve", "--profile", "demo", "--host", HOST, "--port", "0", *files]
    service = Service("sandbox", command, environment, folder.logs / "sandbox.log")
    service.wait_until(folder.sandbox_port.exists)
    return service, f"http://{HOST}:{folder.sandbox_port.read_text().strip()}"


def start_web(folder: DemoFolder, environment: Mapping[str, str], wanted_port: int) -> tuple[Service, str]:
    """The web server on `wanted_port` or the next free one, and its address."""
    port = free_port(wanted_port)
    command = [sys.executable, "-m", "gunicorn", "pivotal.wsgi", "--bind", f"{HOST}:{port}"]
    options = ["--workers", "2", "--threads", "4", "--graceful-timeout", "5", "--access-logfile", "-"]
    service = Service("web", [*command, *options], environment, folder.logs / "web.log")
    url = f"http://{HOST}:{port}"
    service.wait_until(lambda: _answers(f"{url}/healthz"))
    return service, url


def start_worker(folder: DemoFolder, environment: Mapping[str, str]) -> Service:
    """The worker."""
    return Service("worker", [sys.executable, "manage.py", "worker"], environment, folder.logs / "worker.log")


def environment(database_url: str, folder: DemoFolder, sandbox_url: str) -> dict[str, str]:
    """The children's environment: whatever the checkout's own says, this database and the sandbox as Stripe.

    PUBLIC_BASE_URL stays empty, so that the consent screen leads back to the address the person came from, be it
    127.0.0.1 or localhost: a login at one is none at the other.
    """
    return {
        **os.environ,
        "DEBUG": "true",
        "PIVOTAL_DIR": str(folder.path),
        "DATABASE_URL": database_url,
        "REDIS_URL": "",
        "PUBLIC_BASE_URL": "",
        "SECURE_SSL_REDIRECT": "false",
        "WORKSPACE_NAME": "Fieldnote",
        "STRIPE_OAUTH_PRESET": "stripe_app",
        "STRIPE_API_BASE": sandbox_url,
        "STRIPE_CONNECT_BASE": sandbox_url,
        **{f"STRIPE_AUTHORIZE_URL_{mode}": f"{sandbox_url}/oauth/v2/authorize" for mode in ("LIVE", "TEST")},
        **{f"STRIPE_CLIENT_ID_{mode}": f"ca_sandbox_{mode.lower()}" for mode in ("LIVE", "TEST")},
        **{f"STRIPE_SECRET_KEY_{mode}": f"sk_{mode.lower()}_sandbox" for mode in ("LIVE", "TEST")},
        "PYTHONUNBUFFERED": "1",
    }


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
