"""Brings the translations up to date: new texts come in empty, old ones go, what is translated is compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.commands import makemessages

NOT_OURS = [".venv", "tests", "bench", "sandbox", "docs", "staticfiles", ".pivotal"]


class Command(makemessages.Command):
    """`manage.py messages`: makemessages as this project wants it, for every language but that of the source."""

    help = "Update locale/*/LC_MESSAGES/django.po from the source and compile them (needs GNU gettext)."
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching", "--no-wrap"]

    def handle(self, *args: Any, **options: Any) -> None:
        """Extract without line numbers and guesses, so that a change shows what changed; then compile."""
        languages = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
        ours = {"locale": languages, "ignore_patterns": NOT_OURS, "no_location": True, "no_obsolete": True}
        super().handle(*args, **{**options, **ours, "no_wrap": True})
        for language in languages:
            call_command("compilemessages", locale=[language], verbosity=options["verbosity"], ignore=NOT_OURS)
        for catalogue in settings.LOCALE_PATHS:
            for path in sorted(Path(catalogue).glob("*/LC_MESSAGES/django.po")):
                self.stdout.write(f"{path}: {path.read_text().count(_EMPTY) - 1} without a translation")


_EMPTY = 'msgstr ""\n\n'
