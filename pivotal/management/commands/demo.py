"""`manage.py demo`: the whole product on this machine, with a local Stripe sandbox."""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.db.models import Sum

from customers.models import Customer, Environment
from customers.wording import money
from integrations.models import RunState, SyncRun
from pivotal import database
from pivotal.demo import people
from pivotal.demo.errors import DemoError
from pivotal.demo.folder import DemoFolder
from pivotal.demo.story import Demo

DEFAULT_PORT = 8000


class Command(BaseCommand):
    """Starts it, keeps it, ends it."""

    help = "Start the product with a local Stripe, connect and sync it, and stay up until Ctrl-C."
    requires_system_checks = ()  # migrate runs them

    def add_arguments(self, parser: CommandParser) -> None:
        """How long to stay and where."""
        parser.add_argument("--once", action="store_true", help="end after the sync; exit code 0 only if it succeeded")
        parser.add_argument("--reset", action="store_true", help="delete the demo's data and end")
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="default: %(default)s, or the next free one")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the demo, or clear it away. Raises CommandError when it did not go well."""
        if not settings.DEBUG:
            raise CommandError("The demo makes up people and passwords: it is for a checkout with DEBUG on.")
        folder = DemoFolder(settings.PIVOTAL_DIR.resolve())
        try:
            with folder.alone():
                self._reset(folder) if options["reset"] else self._run(folder, options["port"], once=options["once"])
        except DemoError as error:
            raise CommandError(str(error)) from error

    def _reset(self, folder: DemoFolder) -> None:
        if os.environ.get("DATABASE_URL"):
            raise DemoError("DATABASE_URL is set. That database is not the demo's to delete.")
        connections.close_all()
        database.discard(folder.path)
        folder.clear()
        self.stdout.write("The demo's data are gone.")

    def _run(self, folder: DemoFolder, port: int, *, once: bool) -> None:
        url = database.url(os.environ.get("DATABASE_URL", ""), debug=True, folder=folder.path)
        demo = Demo(folder, url, port=port, say=self._say)
        state = ""
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGHUP,
        ):  # Ctrl-C too: ignored when begun in the background
            signal.signal(number, _interrupt)
        try:
            self._say("Starting the demo")
            run = demo.begin()
            state = run.state
            self._summary(demo, run)
            if not once:
                self._say("Ctrl-C stops everything; the data stay. `make demo-reset` deletes them.")
                demo.stay()
        except KeyboardInterrupt:
            self._say("")
        finally:
            troubles = demo.end()
            self._say("Stopped." if not troubles else f"Stopped, but not cleanly: {', '.join(troubles)}")
        if once and (state != RunState.SUCCEEDED or troubles):
            raise DemoError(f"The sync is {state or 'not finished'}; the logs are in {folder.logs}")

    def _summary(self, demo: Demo, run: SyncRun) -> None:
        counts = f"matched {run.matched}, unmatched {run.unmatched}, skipped {run.skipped}, failed {run.failed}"
        self._say(f"  Sync {run.state}: {run.stripe_customers} Stripe customers with {run.subscriptions} subscriptions")
        self._say(f"    {counts}; ambiguous {run.ambiguous}, part of matched; {run.api_requests} requests to Stripe")
        billed = Customer.objects.filter(environment=Environment.PRODUCTION).exclude(stripe_customer_id="")
        mrr = billed.aggregate(sum=Sum("mrr", default=0))["sum"]
        self._say(f"    {money(mrr)} MRR on {billed.count()} customers")
        if run.error_detail:
            self._say(f"    {run.error_detail}")
        self._say(f"\n  {demo.url}/")
        for person in people.PEOPLE:
            self._say(f"    {person.username:<6} {people.PASSWORD}   {person.does}")
        self._say("  Test mode is not connected: press Connect Stripe at Admin > Integrations > Stripe > Test.\n")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
