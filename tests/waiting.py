"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def wait_for(condition: Callable[[], Answer], *, seconds: float = 30, every: float = 0.02) -> Answer:
    """Ask `condition` until its answer is true and return that answer; fail when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; the last answer was {answer!r}")
        time.sleep(every)
    return answer
