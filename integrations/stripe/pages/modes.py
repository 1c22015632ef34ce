"""The two modes in addresses and towards the wire."""

from __future__ import annotations

from typing import Literal

from integrations.models import Mode


class ModeConverter:
    """``live`` or ``test`` as part of an address."""

    regex = "|".join(Mode.values)

    def to_python(self, value: str) -> str:
        """The mode as the models name it."""
        return value

    def to_url(self, value: str) -> str:
        """The mode as the address names it."""
        return str(value)


def wire_mode(mode: str) -> Literal["live", "test"]:
    """The mode as :mod:`integrations.stripe.api` takes it."""
    return "test" if mode == Mode.TEST else "live"
