"""``manage.py privacy``: what is held about a customer, and forgetting it (docs/operations.md)."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from customers import terminal
from customers.models import Customer
from integrations import audit
from integrations.models import AuditAction, StripeConnection
from integrations.stripe.sync import privacy


class Command(terminal.Command):
    """Export and erase; JSON goes to stdout, all else to stderr."""

    help = "Export everything held about a customer, or delete a customer's or a connection's data completely."
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Three actions; those that delete want to be told twice."""
        actions = parser.add_subparsers(dest="action", required=True)
        export = actions.add_parser("export", help="Everything held about one customer, as JSON.")
        export.add_argument("customer", type=int, metavar="CUSTOMER_ID")
        forget = actions.add_parser("forget", help="Delete one customer and everything mirrored for it.")
        forget.add_argument("customer", type=int, metavar="CUSTOMER_ID")
        forget.add_argument("--mirror-only", action="store_true", help="keep what people entered")
        whole = actions.add_parser("forget-connection", help="Delete a connection and everything read through it.")
        whole.add_argument("--mode", required=True, choices=("live", "test"))
        for deleting in (forget, whole):
            deleting.add_argument("--yes", action="store_true", help="really do it; there is no way back")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Do what was asked for; without --yes only say what would be done."""
        if action == "forget-connection":
            self._forget_connection(options["mode"], sure=options["yes"])
            return
        customer = Customer.objects.filter(pk=options["customer"]).first()
        if customer is None:
            raise CommandError(f"There is no customer {options['customer']}.")
        if action == "export":
            audit.record(AuditAction.EXPORT, actor=None, subject=f"everything about customer {customer.pk}")
            self.stdout.write(json.dumps(privacy.everything_about(customer), cls=DjangoJSONEncoder, indent=2))
        else:
            self._forget(customer, sure=options["yes"], mirror_only=options["mirror_only"])

    def _forget(self, customer: Customer, *, sure: bool, mirror_only: bool) -> None:
        number = customer.pk
        if not sure:
            raise CommandError(f"This deletes customer {number} ({customer.name}) for good. Say --yes.")
        gone = privacy.forget_customer(customer, actor=None, mirror_only=mirror_only)
        self.stderr.write(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in gone.items()) + " deleted.")
        self.stderr.write(
            "What Stripe still has of it comes back with the next sync: delete it there first, or ignore it."
        )

    def _forget_connection(self, mode: str, *, sure: bool) -> None:
        connection = StripeConnection.objects.filter(mode=mode).first()
        if connection is None:
            raise CommandError(f"There is no {mode} connection.")
        if not sure:
            named = connection.account_name or connection.account_id or mode
            raise CommandError(f"This deletes the connection to {named} and everything read from it. Say --yes.")
        privacy.forget_connection(connection, actor=None)
        self.stderr.write(f"The {mode} connection and everything read through it are deleted.")
