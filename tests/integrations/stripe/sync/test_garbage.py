"""A run has Python look for garbage less often, and leaves it as it was."""

from __future__ import annotations

import gc

import pytest

from integrations.stripe.sync.garbage import THRESHOLDS, seldom_collected


def fail_within(seen: list[tuple[int, int, int]]) -> None:
    with seldom_collected():
        seen.append(gc.get_threshold())
        raise ValueError("a slice that fails")


def test_garbage_is_looked_for_as_before_once_a_slice_has_failed() -> None:
    before = gc.get_threshold()
    seen: list[tuple[int, int, int]] = []

    with pytest.raises(ValueError, match="a slice that fails"):
        fail_within(seen)

    assert seen == [THRESHOLDS]
    assert gc.get_threshold() == before != THRESHOLDS
    assert gc.get_freeze_count() == 0
