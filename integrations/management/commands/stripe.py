"""``manage.py stripe``: the operator's way to everything the pages do (docs/architecture.md section 7).

Names, options, JSON keys and exit codes are a contract that others script against. JSON goes to stdout alone,
everything else to stderr.
"""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from customers import terminal
from integrations.errors import IntegrationError
from integrations.management import stripe_actions as actions
from integrations.management.stripe_actions.syncing import one_line


class Command(terminal.Command):
    """Connect, scope, sync and question the Stripe integration."""

    help = "Connects Stripe read-only, syncs it, and explains every figure. See `manage.py stripe ACTION --help`."
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        """One sub-command per action."""
        subparsers = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

        def action(name: str, run: Any, text: str, *, mode: bool = True) -> argparse.ArgumentParser:
            sub: argparse.ArgumentParser = subparsers.add_parser(name, help=text, description=text)
            sub.set_defaults(run=run)
            if mode:
                sub.add_argument("--mode", required=True, choices=("live", "test"), help="which connection")
            return sub

        connect = action("connect", actions.connect, "Connect with a restricted key read from stdin.")
        connect.add_argument("--restricted-key-stdin", action="store_true", required=True, help="never as an argument")
        connect.add_argument("--account", default="", metavar="acct_x", help="the account the key must belong to")

        scope = action("scope", actions.scope, "Choose which subscriptions are in scope.")
        scope.add_argument("--all", action="store_true", help="all active subscriptions")
        scope.add_argument("--product", nargs="+", action="extend", default=[], metavar="prod_x")
        scope.add_argument("--lookup-key", nargs="+", action="extend", default=[], metavar="KEY")

        options = action("set", actions.set_options, "Switch the two toggles.")
        options.add_argument("--match-personal-emails", choices=("on", "off"))
        options.add_argument("--billing-signal-only", choices=("on", "off"))

        sync = action("sync", actions.sync, "Run a full sync in the foreground; no worker is needed.")
        sync.add_argument("--json", action="store_true")
        status = action("status", actions.status, "State, timestamps, last run, backlog.")
        status.add_argument("--json", action="store_true")

        refresh = action("refresh", actions.refresh, "Read Stripe customers fresh.")
        refresh.add_argument("stripe_customer", nargs="+", metavar="cus_x")

        action("poll", actions.poll, "Ask for what changed since the last poll, and read it.")

        explain = action("explain", actions.explain, "The receipt of a customer.", mode=False)
        explain.add_argument("customer", type=int, metavar="CUSTOMER_ID")
        explain.add_argument("--json", action="store_true")

        calls = action("calls", actions.calls, "The last calls made to Stripe.")
        calls.add_argument("--json", action="store_true")
        mrr = action("mrr", actions.mrr, "How MRR adds up: matched + unmatched + skipped + outside scope = all.")
        mrr.add_argument("--json", action="store_true")
        action("disconnect", actions.disconnect, "Delete our access; values stay.")

    def execute(self, *args: Any, **options: Any) -> str | None:
        """A database that is away is one line too, also when Django looks for its migrations first."""
        try:
            return super().execute(*args, **options)
        except (OperationalError, InterfaceError) as error:
            raise CommandError(f"The database does not answer ({one_line(error)}). Try again later.") from error

    def handle(self, *args: Any, run: Any, **options: Any) -> None:
        """Run the action; an error of the integration is one line and exit code 1."""
        try:
            run(self, options)
        except IntegrationError as error:
            raise CommandError(f"{error.message} [{error.code}]") from error
