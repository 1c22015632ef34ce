"""Readers whose waiting is recorded instead of done, and a clock that moves when somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from integrations.stripe.api.calls import Call
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.governor import Governor
from integrations.stripe.api.retry import RetryPolicy

KEY = "rk_test_51abcdefSECRET"


@dataclass
class Clock:
    """Monotonic seconds; sleeping moves it."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Watched:
    """A reader, the calls it reported, and the pauses it took before trying again."""

    reader: StripeReader
    calls: list[Call]
    pauses: list[float]


@contextmanager
def reading(
    url: str,
    token: str | Callable[[], str] = KEY,
    *,
    tries: int = 4,
    timeout: tuple[float, float] = (2.0, 5.0),
    governor: Governor | None = None,
    patience: float = 60.0,
) -> Iterator[Watched]:
    """A reader of the server at ``url`` that never really waits."""
    calls: list[Call] = []
    pauses: list[float] = []
    clock = Clock()
    reader = StripeReader(
        token,
        base_url=url,
        governor=governor or Governor(0, 0, clock=clock, sleep=clock.sleep),
        on_call=calls.append,
        retry=RetryPolicy(tries=tries, sleep=pauses.append, jitter=lambda low, high: high, patience_seconds=patience),
        timeout=timeout,
    )
    try:
        yield Watched(reader, calls, pauses)
    finally:
        reader.close()
