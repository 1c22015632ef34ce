"""The product's version, written once: in pyproject.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path


@cache
def version() -> str:
    """Like 0.1.0. Read from the checkout's pyproject.toml, from which the product always runs."""
    with (Path(__file__).resolve().parent.parent / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
