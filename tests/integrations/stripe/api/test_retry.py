"""Waiting: full jitter, and what a Retry-After header may say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from integrations.stripe.api.retry import Retry, RetryPolicy, retry_after_seconds

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def test_a_wait_is_drawn_between_nothing_and_the_bound() -> None:
    drawn: list[tuple[float, float]] = []

    def jitter(low: float, high: float) -> float:
        drawn.append((low, high))
        return 0.25

    policy = RetryPolicy(jitter=jitter)

    assert policy.pause(Retry.TRANSIENT, 3, None) == 0.25
    assert drawn == [(0.0, 4.0)]


def test_what_stripe_asks_for_comes_on_top() -> None:
    assert RetryPolicy(jitter=lambda low, high: 0.25).pause(Retry.THROTTLED, 1, 7.0) == 7.25


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("3", 3.0),
        ("0.5", 0.5),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Fri, 20 Nov 2026 10:00:30 GMT", 30.0),
        ("Fri, 20 Nov 2026 09:00:00 GMT", 0.0),
        ("Fri, 99 Nov 2026 09:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_with_care(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds
