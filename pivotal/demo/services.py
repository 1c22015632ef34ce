"""The demo's child processes: the sandbox, the web server, the worker."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import requests
from django.urls import reverse

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
WEBHOOK_SECRET = "whsec_demo_{mode}"  # noqa: S105 (the demo's own, known to everybody)
CLEAN = ("exit code 0", "exit code -15")  # the second is SIGTERM met before it was up


class Service:
    """One child process that is started again when it dies, a few times."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        log: Path,
        listener: socket.socket | None = None,
    ) -> None:
        """Start it; `listener` is the socket it serves, kept for the next one should this one die."""
        self.name = name
        self._command, self._environment, self._log, self._listener = command, environment, log, listener
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
            passed=[self._listener.fileno()] if self._listener else (),
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
        """End it; say nothing when it went as it was asked to, else how it ended."""
        how = self._group.stop()
        if self._listener:
            self._listener.close()
        return "" if how in CLEAN else f"{self.name}: {how}"

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "\n".join([f"The end of {self._log}:", *(f"    {line}" for line in lines)])


def listen(wanted: int) -> socket.socket:
    """Listen on port `wanted`, or on the next one that nobody has; on any when all of the next hundred are taken.

    Bound here and passed on, so that nobody can take the port in between or while the web server is started again.
    """
    for port in range(wanted, min(wanted + 100, 65536)):
        listener = _listen(port)
        if listener:
            return listener
    return socket.create_server((HOST, 0))


def _listen(port: int) -> socket.socket | None:
    with socket.socket() as visitor:
        visitor.settimeout(1)
        if visitor.connect_ex((HOST, port)) == 0:  # where somebody listens on all addresses, binding one may still work
            return None
    try:
        return socket.create_server((HOST, port))
    except OSError:
        return None


def start_sandbox(folder: DemoFolder, environment: Mapping[str, str]) -> tuple[Service, str]:
    """The local Stripe on any free port, and its address."""
    folder.sandbox_port.unlink(missing_ok=True)
    files: list[str | Path] = ["--port-file", folder.sandbox_port, "--state-file", folder.sandbox_state]
    command = [sys.executable, "-m", "sandbox", "serve", "--profile", "demo", "--host", HOST, "--port", "0", *files]
    service = Service("sandbox", command, environment, folder.logs / "sandbox.log")
    service.wait_until(folder.sandbox_port.exists)
    return service, f"http://{HOST}:{folder.sandbox_port.read_text().strip()}"


def deliver_events(sandbox_url: str, web_url: str) -> None:
    """Have the sandbox deliver its events to the web server, each mode to its own endpoint."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the environment is none of this machine's business
        address = f"{sandbox_url}/_sandbox/webhooks"
        session.delete(address, timeout=5).raise_for_status()  # those of an earlier start had another port
        for mode in ("live", "test"):
            url = web_url + reverse("stripe:webhook", args=[mode])
            endpoint = {"url": url, "secret": WEBHOOK_SECRET.format(mode=mode), "mode": mode}
            session.post(address, json=endpoint, timeout=5).raise_for_status()


def start_web(folder: DemoFolder, environment: Mapping[str, str], wanted_port: int) -> tuple[Service, str]:
    """The web server on `wanted_port` or the next free one, and its address, where it will answer soon."""
    listener = listen(wanted_port)
    command = [sys.executable, "-m", "gunicorn", "pivotal.wsgi", "--bind", f"fd://{listener.fileno()}"]
    options = ["--preload", "--workers", "2", "--threads", "4", "--graceful-timeout", "5", "--no-control-socket"]
    # Without the query: Stripe's answer carries its code there.
    log = ["--access-logfile", "-", "--access-logformat", '%(t)s "%(m)s %(U)s" %(s)s %(M)sms']
    service = Service("web", [*command, *options, *log], environment, folder.logs / "web.log", listener)
    return service, f"http://{HOST}:{listener.getsockname()[1]}"


def wait_for_web(service: Service, url: str) -> None:
    """Wait until the web server at `url` answers."""
    service.wait_until(lambda: _answers(f"{url}/healthz"))


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
        **{f"STRIPE_WEBHOOK_SECRET_{mode}": WEBHOOK_SECRET.format(mode=mode.lower()) for mode in ("LIVE", "TEST")},
        "PYTHONUNBUFFERED": "1",
    }


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
