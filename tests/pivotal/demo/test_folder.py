"""One demo at a time, and a reset that deletes nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pivotal.demo.errors import DemoError
from pivotal.demo.folder import DemoFolder

CHECKOUT = Path(__file__).resolve().parents[3]
HOLD = """
import pathlib, sys
from pivotal.demo.folder import DemoFolder
with DemoFolder(pathlib.Path(sys.argv[1])).alone():
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_demo_is_refused_and_told_which_one_runs(tmp_path: Path) -> None:
    process = hold(tmp_path)
    with pytest.raises(DemoError, match=str(process.pid)), DemoFolder(tmp_path).alone():
        pytest.fail("two demos at once")
    process.communicate(timeout=30)


def test_a_killed_demo_leaves_the_folder_to_the_next(tmp_path: Path) -> None:
    process = hold(tmp_path)
    process.kill()
    process.communicate(timeout=30)
    with DemoFolder(tmp_path).alone():
        pass


def test_clear_deletes_what_the_demo_made(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "pivotal")
    with folder.alone():
        folder.begin()
        folder.logs.mkdir()
        (folder.path / "postgres").mkdir()
        folder.sandbox_state.touch()
        folder.publish({})
        folder.clear()
    assert not folder.path.exists()
    assert not folder.is_begun


def test_what_is_published_counts_only_while_the_demo_runs(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path)
    process = hold(tmp_path)
    assert folder.environment is None
    folder.publish({"STRIPE_API_BASE": "http://127.0.0.1:9", "SECRET_KEY": "not theirs to know"})
    published = folder.environment
    assert published is not None
    assert published.read_text() == "STRIPE_API_BASE=http://127.0.0.1:9\n"
    process.kill()
    process.communicate(timeout=30)
    assert folder.environment is None


def test_clear_leaves_everything_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    DemoFolder(tmp_path).clear()
    assert (tmp_path / "thesis.txt").exists()
