"""Rate limits: a bucket per endpoint and one per account, filled every second, as Stripe describes them."""

import time
from dataclasses import dataclass, field

from sandbox.errors import ApiError


@dataclass
class Bucket:
    """Holds up to one second's worth of requests."""

    rate: float
    level: float
    filled_at: float

    def take(self, moment: float) -> bool:
        """Use one request; False when none is left."""
        self.level = min(self.rate, self.level + (moment - self.filled_at) * self.rate)
        self.filled_at = moment
        if self.level < 1:
            return False
        self.level -= 1
        return True


@dataclass
class RateLimits:
    """Requests per second; 0 = no limit."""

    per_endpoint: float = 0
    per_account: float = 0
    _buckets: dict[tuple[str, ...], Bucket] = field(default_factory=dict)

    def check(self, account: str, mode: str, endpoint: str) -> None:
        """Count one request. Raises ApiError 429 with Stripe's reason header."""
        self._take((account, mode), self.per_account, "global-rate")
        self._take((account, mode, endpoint), self.per_endpoint, "endpoint-rate")

    def _take(self, name: tuple[str, ...], rate: float, reason: str) -> None:
        if rate <= 0:
            return
        moment = time.monotonic()
        bucket = self._buckets.setdefault(name, Bucket(rate, rate, moment))
        if not bucket.take(moment):
            raise rate_limited(reason)


def rate_limited(reason: str, retry_after: float | None = None) -> ApiError:
    """Stripe's 429. `reason` goes into `Stripe-Rate-Limited-Reason`, `retry_after` (seconds) into `Retry-After`."""
    headers = {"Stripe-Rate-Limited-Reason": reason}
    if retry_after is not None:
        headers["Retry-After"] = f"{retry_after:g}"
    return ApiError(
        429, "Request rate limit exceeded. Learn more about rate limits: https://docs.stripe.com/rate-limits",
        code="rate_limit", headers=headers,
    )  # fmt: skip
