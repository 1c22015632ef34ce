"""docs/dependencies.md says why each package is here and under which licence it may be used."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import pytest
from django.conf import settings

ROOT = settings.BASE_DIR
DOCUMENT = (ROOT / "docs" / "dependencies.md").read_text()
LOCKED = re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
NAME = re.compile(r"[a-z0-9][a-z0-9-]*[a-z0-9]")
ROWS = {
    "MIT, MIT-0": r"\bMIT\b",
    "BSD, ISC": r"\bBSD\b|\bISC\b",
    "Apache 2.0": r"\bApache\b",
    "MPL 2.0": r"\bMPL\b|Mozilla Public",
    "LGPL 3.0": r"\bLGPL\b",
    "PSF": r"\bPSF\b",
}


def rows(heading: str) -> list[tuple[str, str]]:
    """The first two cells of the table below a heading."""
    section = DOCUMENT.partition(f"## {heading}")[2].partition("\n## ")[0]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return [(first.strip(), second.strip()) for first, second, *_rest in cells[1:]]


def licences() -> dict[str, str]:
    """Package to the row it stands in."""
    found: dict[str, str] = {}
    for licence, packages in rows("Licences"):
        for name in NAME.findall(re.sub(r"\(.*?\)|:.*", "", packages)):
            assert name not in found, f"{name} stands in two rows"
            found[name] = licence
    return found


def said_by(package: Distribution) -> str:
    """Everything a package says about its licence; the text itself when its metadata say nothing."""
    metadata = package.metadata
    classifiers = [each for each in metadata.get_all("Classifier") or [] if each.startswith("License")]
    said = " ".join([metadata["License-Expression"] or "", metadata["License"] or "", *classifiers]).strip()
    texts = [each for each in package.files or [] if "LICENSE" in each.name.upper()]
    return said or " ".join(each.read_text()[:300] for each in texts)


def test_every_locked_package_has_its_licence_and_no_other_does() -> None:
    assert sorted(licences()) == sorted(LOCKED)
    assert set(licences().values()) <= set(ROWS)


@pytest.mark.parametrize("name", LOCKED)
def test_the_licence_is_the_one_the_package_says(name: str) -> None:
    try:
        package = distribution(name)
    except PackageNotFoundError:
        assert name in ("async-timeout", "colorama", "tzdata"), "only what other platforms need is not installed"
        return
    assert re.search(ROWS[licences()[name]], said_by(package)), said_by(package)


def test_every_dependency_has_a_reason_and_a_minimum() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {
        "In production": project["project"]["dependencies"],
        "For development": project["dependency-groups"]["dev"],
    }
    for heading, requirements in wanted.items():
        packages = [
            (names, reason) for names, reason in rows(heading) if names == names.lower()
        ]  # GNU's are no packages
        reasons = {name: reason for names, reason in packages for name in NAME.findall(names)}
        named = {re.split(r"[\[<>=]", each)[0] for each in requirements}
        assert sorted(reasons) == sorted(named), heading
        assert all(len(reason) > 3 for reason in reasons.values())
        loose = [each for each in requirements if ">=" not in each and not each.startswith("types-")]
        assert loose == []
