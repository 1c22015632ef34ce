"""JSON with slots: a document is encoded once, and filled in a few microseconds for every object made from it."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from sandbox.shapes import Json

_MIDDLE = 500_000_000_000  # slots are told apart by their first digit, so that offsets may go either way
CREATED: Final = 7_000_000_000_000 + _MIDDLE
"""Stands for a creation time in a template document; a number a little larger or smaller means that much off it."""
AMOUNT: Final = 8_000_000_000_000 + _MIDDLE
PERIOD: Final = 9_000_000_000_000 + _MIDDLE
_NUMBERS = {b"7": "created", b"8": "amount", b"9": "period"}
_SLOT = re.compile(rb'"@@=(\w+)@@"|@@=?(\w+)@@|([789])(\d{12})(?!\d)')


def text(name: str) -> str:
    """A slot inside a string: what is filled in must need no escaping."""
    return f"@@{name}@@"


def value(name: str) -> str:
    """A slot for a whole value: what is filled in is JSON, quotes included."""
    return f"@@={name}@@"


class Template:
    """An encoded document with slots for texts, values and numbers."""

    def __init__(self, document: Json) -> None:
        encoded = msgspec.json.encode(document).replace(b"%", b"%%")
        self._numbers: dict[bytes, tuple[str, int]] = {}
        self._format = _SLOT.sub(self._slot, encoded)

    def _slot(self, found: re.Match[bytes]) -> bytes:
        if not found[3]:
            return b"%%(%s)b" % (found[1] or found[2])
        name, offset = _NUMBERS[found[3]], int(found[4]) - _MIDDLE
        key = b"%s+%d" % (name.encode(), offset)
        self._numbers[key] = (name, offset)
        return b"%%(%s)d" % key

    def fill(self, texts: Mapping[bytes, bytes], numbers: Mapping[str, int]) -> bytes:
        """The document with `texts` in its named slots and `numbers` (created, amount, period) where they stood."""
        values: dict[bytes, bytes | int] = dict(texts)
        for key, (name, offset) in self._numbers.items():
            values[key] = numbers[name] + offset
        return self._format % values
