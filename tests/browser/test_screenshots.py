"""The pictures of the guides can be taken, all of them, from a demo of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from pivotal.demo.screenshots import PICTURES

pytestmark = pytest.mark.browser


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own folder, which is closed to the user root's PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="pivotal-") as path:
        yield Path(path)


def test_every_picture_is_taken_anew(folder: Path) -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "screenshots", "--folder", folder / "images"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DEBUG": "true", "DATABASE_URL": "", "PIVOTAL_DIR": str(folder / "pivotal")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert {path.stem for path in (folder / "images").iterdir()} == {picture.name for picture in PICTURES}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (folder / "images").iterdir())
