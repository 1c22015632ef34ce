"""`manage.py screenshots`: a demo of its own, synced, and a picture of each page the guides show."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from integrations.models import RunState
from pivotal import database
from pivotal.demo.errors import DemoError
from pivotal.demo.folder import DemoFolder
from pivotal.demo.story import Demo

PORT = 8300


class Command(BaseCommand):
    """Takes the pictures; PIVOTAL_DIR should name an empty folder, so that they show a fresh demo."""

    help = "Take the pictures of the guides from a demo of its own."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Where the pictures go."""
        parser.add_argument("--folder", type=Path, default=settings.BASE_DIR / "docs" / "images")

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the demo, take the pictures, end it. Raises CommandError when something is missing or went wrong."""
        if not settings.DEBUG or importlib.util.find_spec("playwright") is None:
            raise CommandError("Pictures are taken in a checkout with DEBUG on and the development dependencies.")
        if not Path(settings.BROWSER_PATH).exists():
            raise CommandError(f"No browser at {settings.BROWSER_PATH}: `make browser` installs it.")
        folder = DemoFolder(settings.PIVOTAL_DIR.resolve())
        try:
            with folder.alone():
                self._take(folder, options["folder"])
        except DemoError as error:
            raise CommandError(str(error)) from error

    def _take(self, folder: DemoFolder, pictures: Path) -> None:
        from pivotal.demo import screenshots

        url = database.url("", debug=True, folder=folder.path)
        demo = Demo(folder, url, port=PORT, say=self.stdout.write)
        try:
            run = demo.begin()
            if run.state != RunState.SUCCEEDED:
                raise DemoError(f"The demo's sync is {run.state}; the logs are in {folder.logs}")
            screenshots.take(demo.url, pictures, self.stdout.write)
        finally:
            demo.end()
