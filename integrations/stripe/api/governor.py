"""How fast a connection may call Stripe (docs/architecture.md section 4, "Runs").

Two limits on the rate, one for each endpoint and one for the account, and one on how many requests are under way at
once. The rates stay below Stripe's published limits; the number of slots finds its level by itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_FIRST_SLOTS = 2.0
_BURST_SHARE = 5  # a fifth of a second's worth may go at once: 20/s and its burst stay below Stripe's 25/s
_PAUSE_SECONDS = 0.5  # after a 429 that does not say how long
_LONGEST_PAUSE_SECONDS = 60.0
_SHOWN_SECONDS = 10.0  # how long "Stripe is slowing us down" stays true after the last 429
_ONE_CONGESTION_SECONDS = 1.0  # several requests turned away together are one reason to halve, not several


class _Bucket:
    """A rate in requests per second, kept as the time at which the bucket would be empty again (GCRA)."""

    def __init__(self, rate: float) -> None:
        self._interval = 1.0 / rate
        self._tolerance = (max(1.0, rate / _BURST_SHARE) - 1.0) * self._interval
        self._booked_until = float("-inf")

    def book(self, now: float) -> float:
        """Take one token, on credit if need be; seconds to wait until it is ours."""
        start = max(self._booked_until, now)
        self._booked_until = start + self._interval
        return max(0.0, start - self._tolerance - now)


class Governor:
    """Shared by all threads that read one connection.

    ``endpoint_rate`` and ``account_rate`` are requests per second; 0 is no limit of ours. ``clock`` gives monotonic
    seconds; ``sleep`` may raise to end the waiting.
    """

    def __init__(
        self,
        endpoint_rate: float,
        account_rate: float,
        *,
        maximum_slots: int = 16,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._endpoint_rate = endpoint_rate
        self._account = _Bucket(account_rate) if account_rate > 0 else None
        self._endpoints: dict[str, _Bucket] = {}
        self._maximum_slots = float(maximum_slots)
        self._clock = clock
        self._sleep = sleep
        self._slots = min(_FIRST_SLOTS, self._maximum_slots)
        self._under_way = 0
        self._was_throttled = False
        self._halved_at = float("-inf")
        self._slowed_until = float("-inf")
        self._resume_at: dict[str, float] = {}  # by endpoint; "" is the whole account
        self._changed = threading.Condition()

    @property
    def slots(self) -> int:
        """How many requests may be under way at once, for now."""
        with self._changed:
            return int(self._slots)

    @property
    def slowed_until(self) -> float | None:
        """Monotonic time until which it is fair to say that Stripe is slowing us down; None when it is not."""
        with self._changed:
            return self._slowed_until if self._slowed_until > self._clock() else None

    @property
    def resumes_in(self) -> float:
        """Seconds until the last pause that Stripe asked for is over; 0 when none is."""
        with self._changed:
            return max(0.0, max(self._resume_at.values(), default=0.0) - self._clock())

    @contextmanager
    def request(self, endpoint: str) -> Iterator[None]:
        """Hold one slot, and send within it: waits for a free slot, then for the rates."""
        with self._changed:
            self._changed.wait_for(lambda: self._under_way < int(self._slots))
            self._under_way += 1
        try:
            self.acquire(endpoint)
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def acquire(self, endpoint: str) -> None:
        """Wait until one more request to ``endpoint`` keeps both rates and any pause Stripe asked for."""
        with self._changed:
            wait = max(self._paused(endpoint), self._book(endpoint))
        while wait > 0:
            self._sleep(wait)
            with self._changed:
                wait = self._paused(endpoint)

    def succeeded(self) -> None:
        """A request was answered: grow, by one slot each until the first 429, then by one slot a round."""
        with self._changed:
            step = 1.0 / self._slots if self._was_throttled else 1.0
            self._slots = min(self._maximum_slots, self._slots + step)
            self._changed.notify_all()

    def throttled(self, reason: str, retry_after: float | None, endpoint: str = "") -> None:
        """Stripe answered 429: halve the slots and hold back, the endpoint alone if ``reason`` is about it.

        ``reason`` is the value of Stripe-Rate-Limited-Reason, ``retry_after`` seconds if Stripe gave them.
        """
        pause = min(_PAUSE_SECONDS if retry_after is None else retry_after, _LONGEST_PAUSE_SECONDS)
        held = endpoint if reason.startswith("endpoint") or reason == "resource-specific" else ""
        with self._changed:
            now = self._clock()
            self._was_throttled = True
            if now - self._halved_at >= _ONE_CONGESTION_SECONDS:
                self._slots = max(1.0, self._slots / 2)
                self._halved_at = now
            self._resume_at[held] = max(self._resume_at.get(held, now), now + pause)
            self._slowed_until = max(self._slowed_until, now + max(pause, _SHOWN_SECONDS))

    def _paused(self, endpoint: str) -> float:
        resume_at = max(self._resume_at.get(name, float("-inf")) for name in ("", endpoint))
        return max(0.0, resume_at - self._clock())

    def _book(self, endpoint: str) -> float:
        now = self._clock()
        waits = [self._account.book(now)] if self._account else []
        if self._endpoint_rate > 0:
            bucket = self._endpoints.setdefault(endpoint, _Bucket(self._endpoint_rate))
            waits.append(bucket.book(now))
        return max(waits, default=0.0)
