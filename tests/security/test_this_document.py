"""docs/security.md names tests that exist."""

from __future__ import annotations

import re

from django.conf import settings

TESTS = settings.BASE_DIR / "tests"
DOCUMENT = (settings.BASE_DIR / "docs" / "security.md").read_text()
NAMED = re.compile(r"`((?:\w+/)+test_\w+\.py)(?:::(test_\w+))?`")


def test_every_test_that_is_named_exists() -> None:
    found = NAMED.findall(DOCUMENT)
    assert len(found) > 50
    for path, name in found:
        assert (TESTS / path).exists(), path
        assert not name or f"def {name}(" in (TESTS / path).read_text(), f"{path}::{name}"


def test_every_threat_names_its_test() -> None:
    section = DOCUMENT.partition("## Threats")[2].partition("\n\n")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and "|---" not in line][1:]
    assert len(rows) > 30
    assert [row for row in rows if not NAMED.search(row)] == []


def test_every_line_of_the_checklist_has_evidence() -> None:
    section = DOCUMENT.partition("## OWASP ASVS")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 50
    for requirement, state, evidence in rows:
        assert state.strip().startswith(("met", "not met")), requirement
        assert len(evidence.strip()) > 5, requirement
