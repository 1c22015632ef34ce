"""`manage.py worker`: does the background work; runs until it gets SIGTERM or Ctrl-C."""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from pivotal import checks, schedules
from pivotal.worker import STALLED_AFTER, Supervisor, sign_off


class Command(BaseCommand):
    """The supervisor of one cluster. Start it on as many machines as you like."""

    requires_system_checks = (checks.OWN,)  # those of the pages are the web server's business
    help = "Run the task cluster under a supervisor that replaces it when it ends or stands still."

    def add_arguments(self, parser: CommandParser) -> None:
        """One option, for tests and for the impatient."""
        parser.add_argument(
            "--stalled-after",
            type=float,
            default=STALLED_AFTER.total_seconds(),
            metavar="SECONDS",
            help="replace a cluster that finished nothing for so long while work is due (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the schedules, then supervise."""
        supervisor = Supervisor(stalled_after=timedelta(seconds=options["stalled_after"]))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        schedules.ensure()
        try:
            supervisor.run()
        finally:
            sign_off()
