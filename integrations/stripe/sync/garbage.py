"""Looks for garbage less often while a run goes on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (10_000, 20, 50)
"""As for ``gc.set_threshold``: some megabytes may lie around, where Python would look after 700 new objects."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look for cycles less often inside, and not among what was there before.

    Reading and rolling up make objects by the million and hardly a cycle; to go through all of them again and again,
    with those of Django, takes a sixth of the time of a run.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
