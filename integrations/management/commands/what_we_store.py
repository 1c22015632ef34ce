"""``manage.py what_we_store``: writes docs/what-we-store.md from the code that reads and keeps."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from integrations.holdings import document

PATH = settings.BASE_DIR / "docs" / "what-we-store.md"


class Command(BaseCommand):
    """Write the document, or see whether it is current."""

    help = "Write docs/what-we-store.md from the decoded objects and the tables."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """One option, for `make check`."""
        parser.add_argument("--check", action="store_true", help="only say whether it is current")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit with 1 when --check finds an old one."""
        if not options["check"]:
            PATH.write_text(document())
        elif PATH.read_text() != document():
            raise CommandError("docs/what-we-store.md is not current: run manage.py what_we_store.")
