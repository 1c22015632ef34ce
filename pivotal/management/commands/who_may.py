"""``manage.py who_may``: writes docs/permissions.md from the addresses and what their views ask."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from pivotal import who_may

PATH = settings.BASE_DIR / "docs" / "permissions.md"


class Command(BaseCommand):
    """Write the table, or see whether it is current."""

    help = "Write docs/permissions.md: who may use which page."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """One option, for `make check`."""
        parser.add_argument("--check", action="store_true", help="only say whether it is current")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit with 1 for an address nobody declared, and when --check finds an old table."""
        if unknown := who_may.undeclared():
            raise CommandError(f"Nothing says who may use {', '.join(unknown)}: guard the view or add it to BESIDE.")
        if not options["check"]:
            PATH.write_text(who_may.document())
        elif PATH.read_text() != who_may.document():
            raise CommandError("docs/permissions.md is not current: run manage.py who_may.")
