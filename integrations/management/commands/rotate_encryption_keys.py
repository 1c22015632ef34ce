"""``manage.py rotate_encryption_keys``: writes every stored secret anew under the first key (docs/operations.md)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from customers import terminal
from integrations import key_rotation


class Command(terminal.Command):
    """Online, in batches, and as often as one likes: what is under the first key already is left alone."""

    help = "Encrypt every stored secret with the first of FIELD_ENCRYPTION_KEYS; afterwards the others may go."
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        """One option, for those who want to look first."""
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say how many; exit with 1 when some could not be read with any key."""
        result = key_rotation.rotate(dry_run=options["dry_run"])
        would = "would be written" if options["dry_run"] else "written"
        self.stderr.write(
            f"{result.rotated} secrets {would} under the first key, {result.current} were already,"
            f" {result.unreadable} cannot be read with any key."
        )
        if result.unreadable:
            raise CommandError(
                "Put the key they were written with back into FIELD_ENCRYPTION_KEYS, or connect Stripe again."
            )
