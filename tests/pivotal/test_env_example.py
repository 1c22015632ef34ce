"""`.env.example` explains every setting and can be used as it is."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
SETTING = re.compile(r"env\.\w+\(\s*\"([A-Z_]+)\"")
LINE = re.compile(r"^#?([A-Z_]+)=(.*)$", re.MULTILINE)


def test_every_setting_is_explained() -> None:
    read = set(SETTING.findall((CHECKOUT / "pivotal" / "settings.py").read_text()))
    example = (CHECKOUT / ".env.example").read_text()
    assert read
    assert read - {name for name, _ in LINE.findall(example)} == set()


def test_every_setting_has_a_comment_above_it() -> None:
    lines = (CHECKOUT / ".env.example").read_text().splitlines()
    bare = [
        line
        for above, line in itertools.pairwise(lines)
        if LINE.match(line) and not (above.startswith("#") or LINE.match(above))
    ]
    assert bare == []


def test_it_holds_no_secret() -> None:
    values = dict(LINE.findall((CHECKOUT / ".env.example").read_text()))
    secret = [name for name in values if "SECRET" in name or "KEY" in name or "CLIENT_ID" in name]
    assert {name: values[name] for name in secret if values[name]} == {}
