"""Every figure explains itself: by its title to who hovers, and at the end of the page to everybody else."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.test import Client

from pivotal.figures import FIGURES
from tests.factories import OwnerFactory
from tests.security.walking import addresses, workspace

TEMPLATES = settings.BASE_DIR / "templates"
HEAD = re.compile(r'<th\b[^>]*\bscope="col"[^>]*class="figure[^>]*>|<a class="stat"[^>]*>', re.DOTALL)


class Figures(HTMLParser):
    """The titles of column heads over figures and of stats, and the sentences the end of the page has for them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.titles: list[str | None] = []
        self.explained: set[str] = set()
        self._below = self._sentence = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a figure; enter the list at the end, and a sentence of it."""
        known = dict(attrs)
        classes = (known.get("class") or "").split()
        if (tag == "th" and known.get("scope") == "col" and "figure" in classes) or "stat" in classes:
            self.titles.append(known.get("title"))
        if "data-figures" in known:
            self._below = True
        self._sentence = self._below and tag == "dd"

    def handle_endtag(self, tag: str) -> None:
        """Leave the sentence or the list."""
        self._sentence = False
        self._below = self._below and tag != "details"

    def handle_data(self, data: str) -> None:
        """Collect a sentence."""
        if self._sentence:
            self.explained.add(data.strip())


def test_no_template_heads_a_figure_without_saying_what_it_means() -> None:
    heads = {
        f"{path.relative_to(TEMPLATES)}: {head}"
        for path in sorted(TEMPLATES.rglob("*.html"))
        for head in HEAD.findall(path.read_text())
    }
    assert len(heads) > 25
    assert [head for head in sorted(heads) if "means" not in head] == []


@pytest.mark.django_db
def test_every_page_explains_its_figures_to_who_cannot_hover() -> None:
    client = Client(raise_request_exception=False)
    walked = [address for address in addresses(workspace()) if "/admin/" not in address or "/integrations/" in address]
    client.force_login(OwnerFactory())
    seen, unexplained = 0, []
    for address in walked:
        response = client.get(address)
        if not response.get("Content-Type", "").startswith("text/html"):
            continue
        page = Figures(response.content.decode())
        seen += len(page.titles)
        unexplained += [(address, title) for title in page.titles if not title or title not in page.explained]
    assert seen > 30
    assert unexplained == []


def test_a_figure_nobody_heads_is_not_explained() -> None:
    used = " ".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    listed = (settings.BASE_DIR / "customers" / "listing.py").read_text()
    assert [name for name in FIGURES if f'means "{name}"' not in used and f': "{name}"' not in listed] == []
