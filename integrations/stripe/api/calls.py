"""One call made to Stripe, for the page and the command that list them (docs/architecture.md section 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Call:
    """What was sent and what came back; ``path`` carries the query but never a secret.

    ``at`` is when the request was sent, in UTC. ``status`` is 0 when no answer came. ``error_code`` is Stripe's code of
    the error, else ours, else empty.
    """

    at: datetime
    method: str
    path: str
    status: int
    duration_ms: int
    request_id: str
    error_code: str


OnCall = Callable[[Call], None]
