"""The demo from start to end: what a newcomer watches."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import close_old_connections

from customers.models import Customer
from integrations.models import Mode, RunState, StripeConnection, SyncRun
from integrations.stripe.sync.progress import progress
from pivotal.demo import people, services
from pivotal.demo.errors import DemoError
from pivotal.demo.folder import DemoFolder
from pivotal.demo.services import Service
from pivotal.demo.visitor import Visitor

Say = Callable[[str], None]

MODE = Mode.LIVE  # test mode stays unconnected, so that a person can press Connect Stripe
SYNC_SECONDS = 300.0
LOOK_EVERY_SECONDS = 0.5


class Demo:
    """One start of the demo. `say` prints a line."""

    def __init__(self, folder: DemoFolder, database_url: str, *, port: int, say: Say) -> None:
        self._folder, self._database_url, self._port, self._say = folder, database_url, port, say
        self._services: list[Service] = []
        self.url = ""

    def begin(self) -> SyncRun:
        """Everything up to the finished sync, which is returned whatever its state. Raises DemoError."""
        with self._step("database"):
            call_command("migrate", verbosity=0, interactive=False)
            self._require_own_data()
        with self._step("sandbox (a local Stripe)"):
            environment = services.environment(self._database_url, self._folder, "")
            sandbox, sandbox_url = services.start_sandbox(self._folder, environment)
            self._services.append(sandbox)
            environment = services.environment(self._database_url, self._folder, sandbox_url)
            self._folder.publish(environment)
        web, self.url = services.start_web(self._folder, environment, self._port)
        self._services += [web, services.start_worker(self._folder, environment)]
        with self._step("people and customers"):
            people.ensure()
            _import_customers()
        with self._step("web server and worker"):
            services.wait_for_web(web, self.url)
            services.deliver_events(sandbox_url, self.url)
        if not self.url.endswith(f":{self._port}"):
            self._say(f"    Port {self._port} is taken, so it is at {self.url}")
        return self._connect_and_sync()

    def _require_own_data(self) -> None:
        if Customer.objects.exists() and not self._folder.is_begun:
            raise DemoError(
                "This database has customers that no demo made. Leave DATABASE_URL unset, or name an empty database; "
                "`make demo-reset` empties the embedded one."
            )
        self._folder.begin()

    def _connect_and_sync(self) -> SyncRun:
        visitor = Visitor(self.url)
        if not StripeConnection.objects.filter(mode=MODE, access_token__gt="").exists():
            with self._step("connecting Stripe, live mode, through the consent screen"):
                visitor.log_in(people.ADMIN_PERSON.username, people.PASSWORD)
                visitor.connect_stripe(MODE)
                if not StripeConnection.objects.filter(mode=MODE, access_token__gt="").exists():
                    raise DemoError(f"Stripe is not connected; {self.url}/admin/integrations/stripe/ says why")
        run = newest_run()
        if run is None or not (run.is_active or run.state == RunState.SUCCEEDED):
            with self._step("starting the initial sync"):
                visitor.log_in(people.ADMIN_PERSON.username, people.PASSWORD)
                visitor.run_sync(MODE)
        return self._watch()

    def _watch(self) -> SyncRun:
        """Follow the run until the worker has finished it."""
        deadline = time.monotonic() + SYNC_SECONDS
        told = ""
        while (run := newest_run()) is None or run.is_active:
            if run and (now := _how_far(run)) != told:
                told = now
                self._say(now)
            if time.monotonic() > deadline:
                raise DemoError(f"The sync did not finish within {SYNC_SECONDS:.0f} s; see {self._folder.logs}")
            self._look_after_services()
            time.sleep(LOOK_EVERY_SECONDS)
        return run

    def stay(self) -> None:
        """Stay up until somebody interrupts. Raises DemoError when a child process keeps dying."""
        while True:
            self._look_after_services()
            time.sleep(LOOK_EVERY_SECONDS)

    def _look_after_services(self) -> None:
        close_old_connections()
        for service in self._services:
            news = service.keep_running()
            if news:
                self._say(news)

    def end(self) -> list[str]:
        """Stop everything; say what did not end cleanly."""
        for service in self._services:
            service.ask_to_stop()
        return [trouble for service in reversed(self._services) if (trouble := service.stop())]

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._say(f"  {what} {'.' * (58 - len(what))} {time.monotonic() - started:.1f} s")


def _how_far(run: SyncRun) -> str:
    now = progress(run)
    share = "" if now.percent is None else f"{now.percent} %"
    read = f", {now.read:,} subscriptions read" if now.read else ""
    return f"    {share:>5} {now.phase_label}{read}"


def newest_run() -> SyncRun | None:
    """The newest run of the demo's connection."""
    return SyncRun.objects.filter(connection__mode=MODE).order_by("-pk").first()


def _import_customers() -> None:
    """Bring in the sandbox's customers by the product's own import, once."""
    if Customer.objects.exists():
        return
    command = [sys.executable, "-m", "sandbox", "customers", "--profile", "demo"]
    table = subprocess.run(command, cwd=services.CHECKOUT, check=True, capture_output=True, text=True).stdout  # noqa: S603 (our own command)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.csv"
        path.write_text(table)
        call_command("customers", "import", str(path), verbosity=0)
