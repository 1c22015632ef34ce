"""A pretended language: every text that is marked for translation comes out in other letters, everything else stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.utils import translation

LETTERS = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "ÅƁÇÐÉƑĜĤÎĴĶĻṀÑÖÞǪŔŠŢÛṼŴẊÝŽåƀçðéƒĝĥîĵķļɱñöþǫŕšţûṽŵẋýž",
)
KEPT = re.compile(r"%\(\w+\)[.\d]*[a-z]|%[sd]|\{\w*\}|<[^>]*>|&\w+;")
CODES = {"date", "money"}  # contexts whose texts are patterns for machines
HIDDEN = {"script", "style", "code", "kbd", "svg"}
READ_ALOUD = ("title", "aria-label", "placeholder", "alt")
VOID = {"meta", "link", "input", "br", "hr", "img", "path", "rect", "circle", "line", "wbr", "col"}
TOKEN = re.compile(r"[^\s,;:()›|/“”\"{}\[\]]+")
WORD = re.compile(r"[A-Za-z][A-Za-z’'-]+")


def pretended(text: str) -> str:
    """The text in other letters; placeholders and markup stay."""
    ends, start = [], 0
    for kept in KEPT.finditer(text):
        ends += [text[start : kept.start()].translate(LETTERS), kept.group()]
        start = kept.end()
    return "".join([*ends, text[start:].translate(LETTERS)])


def speak_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every translation of Django's be the pretended one."""

    def gettext(message: str) -> str:
        return pretended(message)

    def ngettext(singular: str, plural: str, number: int) -> str:
        return pretended(singular if number == 1 else plural)

    def pgettext(context: str, message: str) -> str:
        return message if context in CODES else pretended(message)

    def npgettext(context: str, singular: str, plural: str, number: int) -> str:
        return ngettext(singular, plural, number)

    spoken: list[Callable[..., Any]] = [gettext, ngettext, pgettext, npgettext]
    for function in spoken:
        monkeypatch.setattr(translation._trans, function.__name__, function, raising=False)  # type: ignore[attr-defined]


class Text(HTMLParser):
    """What people read or hear of a page, without what is code, data of a machine, or said to be English."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = dict(attributes)
        classes = (names.get("class") or "").split()
        hidden = tag in HIDDEN or "code" in classes or (tag != "html" and "lang" in names) or tag == "textarea"
        if tag not in VOID:
            self._open.append((tag, hidden))
        if not self._is_hidden and not hidden:
            self.found += [value for name in READ_ALOUD if (value := names.get(name))]
            if tag == "input" and names.get("type") == "submit":
                self.found.append(names.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        while any(opened == tag for opened, _hidden in self._open):
            if self._open.pop()[0] == tag:
                return

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._is_hidden:
            self.found.append(data.strip())

    @property
    def _is_hidden(self) -> bool:
        return any(hidden for _tag, hidden in self._open)


def english_in(html: str, *, known: frozenset[str]) -> list[str]:
    """Pieces of text with words in plain letters that are not ``known``."""
    reader = Text()
    reader.feed(html)
    return sorted({piece for piece in reader.found if words(piece) - known})


def words(text: str) -> set[str]:
    """The words in plain letters; what holds digits, dots or underscores is an id, a domain or a code."""
    tokens = (token.strip(".!?…'") for token in TOKEN.findall(text))
    return {token for token in tokens if WORD.fullmatch(token)}
