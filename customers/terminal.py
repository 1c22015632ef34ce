"""What commands print: texts that strangers chose must not steer the terminal they are shown on."""

from __future__ import annotations

import re
import sys
from typing import Any

from django.core.management.base import BaseCommand, OutputWrapper

# C0 but for tab and line ends, DEL, C1 (some terminals obey its bytes), and what turns the direction of text around.
_STEERING = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\r(?!\n)")


def visible(text: str) -> str:
    r"""``text`` with every character that steers a terminal as ``\uXXXX``: in JSON the same character still."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Output(OutputWrapper):
    """A command's output: what is written is made visible first, and only then coloured."""

    def write(  # type: ignore[override]  # as the wrapper itself does
        self, msg: str = "", style_func: Any = None, ending: str | None = None
    ) -> None:
        """Write a line; colours are given as ``style_func``, never inside ``msg``."""
        super().write(visible(msg), style_func, ending)


class Command(BaseCommand):
    """The base of every command of ours that prints what Stripe or a file said, its errors included."""

    def __init__(self, stdout: Any = None, stderr: Any = None, **options: bool) -> None:
        super().__init__(stdout, stderr, **options)
        self.stdout = Output(stdout or sys.stdout)
        self.stderr = Output(stderr or sys.stderr)
        self.stderr.style_func = self.style.ERROR

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run, with the streams a caller gives under the same rule."""
        for name in ("stdout", "stderr"):
            if given := options.pop(name, None):
                setattr(self, name, Output(given))
        return super().execute(*args, **options)
