"""The lock files fit pyproject.toml and work behind any index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", re.MULTILINE)


def project() -> tuple[list[Requirement], list[Requirement]]:
    """What pyproject.toml asks for: in production, and for development."""
    table = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    production, development = table["project"]["dependencies"], table["dependency-groups"]["dev"]
    return [Requirement(line) for line in production], [Requirement(line) for line in development]


def pins(lock: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in PIN.findall((CHECKOUT / lock).read_text()):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_asked_for_is_locked_to_a_version_that_fits(lock: str) -> None:
    production, development = project()
    asked = production + (development if lock == "requirements-dev.lock" else [])
    locked = pins(lock)
    unfit = [
        str(requirement)
        for requirement in asked
        if not any(requirement.specifier.contains(v) for v in locked.get(canonicalize_name(requirement.name), ()))
    ]
    assert unfit == []


def test_production_installs_the_versions_that_were_tested() -> None:
    tested = pins("requirements-dev.lock")
    assert {name: tested.get(name) for name in pins("requirements.lock")} == pins("requirements.lock")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    blocks = re.split(r"\n(?=[A-Za-z0-9])", (CHECKOUT / lock).read_text().strip())
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_index(lock: str) -> None:
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", (CHECKOUT / lock).read_text())


def test_every_dependency_has_its_reason() -> None:
    reasons = (CHECKOUT / "docs" / "dependencies.md").read_text()
    asked = [requirement.name for requirements in project() for requirement in requirements]
    assert [name for name in asked if not re.search(rf"[|,] {re.escape(name)}[ ,]", reasons)] == []
