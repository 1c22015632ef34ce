"""Text that is stored in the default language, in the language of whoever reads it.

What background work writes (receipts, problems, why something changed) is written once and read by many people, so it
is stored in English. Its sentences are known here as patterns with named parts; a text that fits one is translated with
its parts put in again. The name of a part says what it may be: ``amount…``, ``number…`` and ``day…`` are written the
reader's way, ``inner…`` is such a text itself, any other stays as it is. What fits no pattern is shown as stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from django.utils import dateformat
from django.utils.translation import get_language, gettext, gettext_noop, pgettext

from customers.wording import SIGNS, amount_form, separated

_NUMBER = r"[\d,]+(?:\.\d+)?"
_AMOUNT = rf"−?(?:[$€£¥]|[A-Z]{{3}} ){_NUMBER}"
_DAY = r"\d{1,2} [A-Z][a-z]{2} \d{4}"
_PART = re.compile(r"%\((\w+)\)s")
_ENDS = re.compile(r"(?<=\.) ")  # several sentences, one after the other
_LARGEST = 2000  # characters; a longer text is no sentence of ours
_DEEPEST = 8

_patterns: dict[str, None] = {}


def know(patterns: Iterable[str]) -> None:
    """Add sentences that are stored; with parts as ``%(name)s``, marked for translation where they stand."""
    _patterns.update(dict.fromkeys(patterns))
    _compiled.cache_clear()


def knows(text: str) -> bool:
    """Whether a text that is stored would be translated."""
    return text in _patterns or any(expression.fullmatch(text) for _pattern, expression in _compiled())


def translated(text: str, *, depth: int = 0) -> str:
    """A stored text in the reader's language."""
    if not text or len(text) > _LARGEST or depth > _DEEPEST or get_language() in (None, settings.LANGUAGE_CODE):
        return text
    if text in _patterns:
        return gettext(text)
    pieces = [(piece, translated(piece, depth=depth + 1)) for piece in _ENDS.split(text)] if ". " in text else []
    if pieces and all(piece != said for piece, said in pieces):
        return " ".join(said for _piece, said in pieces)
    for pattern, expression in _compiled():
        found = expression.fullmatch(text)
        if found:
            parts = {name: _part(name, value, depth) for name, value in found.groupdict().items()}
            return gettext(pattern) % parts
    return amount(text)


def amount(text: str) -> str:
    """``$1,062.50`` as the reader's language writes it: ``1.062,50 $``."""
    found = re.fullmatch(rf"(−?)([$€£¥]|[A-Z]{{3}} )({_NUMBER})", text)
    if found is None or get_language() in (None, settings.LANGUAGE_CODE):
        return text
    sign, unit, digits = found.groups()
    return sign + amount_form(is_sign=unit in SIGNS.values()) % {
        "sign": unit, "code": unit.strip(), "amount": separated(digits),
    }  # fmt: skip


def _part(name: str, value: str, depth: int) -> str:
    kind = re.sub(r"[_\d]+.*", "", name)
    forms: dict[str, Callable[[str], str]] = {"amount": amount, "number": separated, "day": _day}
    if kind == "inner":
        return translated(value, depth=depth + 1)
    return forms[kind](value) if kind in forms else value


def _day(text: str) -> str:
    moment = datetime.strptime(text, "%d %b %Y")  # noqa: DTZ007 - a day, without an hour or a zone
    return dateformat.format(moment, pgettext("date", "j M Y"))


@lru_cache(maxsize=1)
def _compiled() -> list[tuple[str, re.Pattern[str]]]:
    """The patterns with parts, the most literal text first, so that a general one never hides a precise one."""
    with_parts = [pattern for pattern in _patterns if _PART.search(pattern)]
    with_parts.sort(key=lambda pattern: -len(_PART.sub("", pattern)))
    return [(pattern, re.compile(_expression(pattern), re.DOTALL)) for pattern in with_parts]


def _expression(pattern: str) -> str:
    kinds = {"amount": _AMOUNT, "number": _NUMBER, "day": _DAY}
    pieces = _PART.split(pattern)
    return "".join(
        f"(?P<{piece}>{kinds.get(re.sub(r'[_0-9]+.*', '', piece), '.+?')})"
        if index % 2
        else re.escape(piece.replace("%%", "%"))
        for index, piece in enumerate(pieces)
    )


know(
    [
        gettext_noop("Import"),
        gettext_noop("Personal domains"),
    ]
)
