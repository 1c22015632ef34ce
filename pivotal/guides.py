"""The guides of docs/ inside the product: what an error means, what the figures count, how people work with it.

They are written once, as Markdown for whoever reads the repository, and shown here to whoever is signed in. Raw HTML is
switched off, headings carry the anchors that error codes link to, and links between guides lead to their pages.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from markdown_it import MarkdownIt
from markdown_it.token import Token

GUIDES: dict[str, Promise] = {
    "csm-guide": _("Reading a customer's billing"),
    "admin-guide": _("Connecting and running Stripe"),
    "mrr": _("How MRR is counted"),
    "rules": _("What every number means"),
    "permissions": _("Who may do what"),
    "troubleshooting": _("Troubleshooting"),
}
"""The guides by file name, in the order in which they are listed."""

NOT_IN_WORDS = re.compile(r"[`*]")
LOCAL = re.compile(r"^(?P<name>[\w-]+)\.md(?P<anchor>#.*)?$")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the second level, for the list of contents."""

    anchor: str
    title: str


@dataclass(frozen=True, slots=True)
class Guide:
    """One guide, rendered; ``html`` holds no markup but ours."""

    name: str
    title: str
    sections: tuple[Section, ...]
    html: SafeString


def guide(name: str) -> Guide:
    """The guide of that name, read again when its file has changed. Raises KeyError for one there is not."""
    if name not in GUIDES:
        raise KeyError(name)
    path = settings.BASE_DIR / "docs" / f"{name}.md"
    return _rendered(name, path, path.stat().st_mtime_ns)


@lru_cache(maxsize=32)
def _rendered(name: str, path: Path, changed_at: int) -> Guide:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(path.read_text())
    title, sections = name, []
    for token, inline in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and inline is not None:
            words = NOT_IN_WORDS.sub("", inline.content)
            token.attrSet("id", anchor(words))
            if token.tag == "h1":
                title = words
            elif token.tag == "h2":
                sections.append(Section(anchor(words), words))
        for child in token.children or ():
            _lead_home(child)
    # The page has its own title; the guide's own would be a second one.
    body = tokens[3:] if tokens and tokens[0].tag == "h1" else tokens
    html: str = markdown.renderer.render(body, markdown.options, {})
    html = html.replace("<table>", '<div class="table-wrap" tabindex="0"><table class="table">')
    html = html.replace("</table>", "</table></div>")
    return Guide(name, title, tuple(sections), mark_safe(html))  # noqa: S308 - rendered from our own files, HTML off


def anchor(words: str) -> str:
    """The anchor of a heading; an error code is its own."""
    return words if words.isidentifier() else slugify(words)


def address(name: str, words: str = "") -> str:
    """Where a guide is shown, at the section headed ``words``."""
    page = reverse("guide", args=[name])
    return f"{page}#{anchor(words)}" if words else page


def _lead_home(token: Token) -> None:
    """Let a link to another guide lead to its page, and a picture to its file."""
    if token.type == "link_open":
        found = LOCAL.match(_text(token.attrGet("href")))
        if found and found["name"] in GUIDES:
            token.attrSet("href", reverse("guide", args=[found["name"]]) + (found["anchor"] or ""))
    elif token.type == "image":
        source = _text(token.attrGet("src"))
        if source.startswith("images/"):
            token.attrSet("src", static(f"guides/{source.removeprefix('images/')}"))
            width, height = _size(settings.BASE_DIR / "docs" / source)
            token.attrSet("width", width)
            token.attrSet("height", height)


def _size(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG, so that the text below does not move when the picture comes."""
    with picture.open("rb") as file:
        width, height = struct.unpack(">16x2I", file.read(24))
    return width, height


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
