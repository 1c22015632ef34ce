"""The record of requests that tests read to prove that nothing was ever written."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

RECENT = 500


@dataclass
class Journal:
    """Counts every request to Stripe's paths; the control API and the consent form are not among them."""

    by_method: Counter[str] = field(default_factory=Counter)
    by_endpoint: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)
    forbidden: int = 0
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=RECENT))

    def record(self, entry: dict[str, Any], endpoint: str, *, is_token_endpoint: bool) -> None:
        """Note one request; anything but GET outside the token endpoints counts as forbidden."""
        method = entry["method"]
        self.by_method[method] += 1
        self.by_endpoint[f"{method} {endpoint}"] += 1
        self.by_status[str(entry["status"])] += 1
        if method != "GET" and not is_token_endpoint:
            self.forbidden += 1
        self.recent.append(entry)

    def clear(self) -> None:
        """Start counting anew."""
        self.by_method.clear()
        self.by_endpoint.clear()
        self.by_status.clear()
        self.recent.clear()
        self.forbidden = 0

    def document(self) -> dict[str, Any]:
        """The counts and the last requests, oldest first."""
        return {
            "by_method": dict(self.by_method),
            "by_endpoint": dict(self.by_endpoint),
            "by_status": dict(self.by_status),
            "non_get_outside_token_endpoints": self.forbidden,
            "recent": list(self.recent),
        }
