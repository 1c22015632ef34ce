"""When to try again, and how long to wait before it (docs/architecture.md section 4, "Runs")."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum


class Retry(Enum):
    """What kind of second chance a failure deserves."""

    NEVER = "never"
    THROTTLED = "throttled"  # Stripe asks us to slow down
    TRANSIENT = "transient"  # Stripe or the network had a bad moment
    TIMEOUT = "timeout"  # no answer in time; a smaller page may help
    GARBLED = "garbled"  # an answer that is no answer: cut short, not JSON


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently a request is repeated.

    ``tries`` counts the first one; ``garbled_tries`` is the same for answers that could not be read, which rarely
    get better. A wait is drawn evenly between 0 and min(``cap_seconds``, ``base_seconds`` x 2^n): full jitter, so that
    many workers do not come back together. A ``Retry-After`` longer than ``patience_seconds`` is not sat out: the
    request fails with ``rate_limited`` and the caller keeps its place. ``sleep`` may raise to end the waiting early.
    """

    tries: int = 6
    base_seconds: float = 1.0
    cap_seconds: float = 32.0
    garbled_tries: int = 3
    patience_seconds: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[float, float], float] = random.uniform

    def pause(
        self, kind: Retry, tried: int, retry_after: float | None, *, timeout_tries: int | None = None
    ) -> float | None:
        """Seconds to wait before the next try after ``tried`` of them, or None to give up."""
        if tried >= self._tries(kind, timeout_tries):
            return None
        wait = self.jitter(0.0, min(self.cap_seconds, self.base_seconds * 2 ** (tried - 1)))
        if retry_after is None:
            return wait
        return None if retry_after > self.patience_seconds else retry_after + wait

    def _tries(self, kind: Retry, timeout_tries: int | None) -> int:
        if kind is Retry.NEVER:
            return 0
        if kind is Retry.GARBLED:
            return min(self.garbled_tries, self.tries)
        if kind is Retry.TIMEOUT and timeout_tries is not None:
            return min(timeout_tries, self.tries)
        return self.tries


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """What a ``Retry-After`` header asks for, in seconds: a number or a date; None when it says nothing sensible."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        return _until(header, now)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _until(header: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
