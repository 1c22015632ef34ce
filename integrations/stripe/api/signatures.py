"""Whether a notification was signed by Stripe, on its raw bytes (docs/architecture.md section 4 "Incremental")."""

from __future__ import annotations

import time
from collections.abc import Sequence

from stripe import SignatureVerificationError, WebhookSignature

from integrations.errors import IntegrationError

TOLERANCE_SECONDS = 300


def verify(body: bytes, header: str, secrets: Sequence[str], *, now: float | None = None) -> None:
    """Check ``Stripe-Signature`` against any of ``secrets``: there are two while one is rotated.

    Raises IntegrationError ``signature_invalid`` when none fits, or when the signed moment is more than 300 s away in
    either direction; the SDK looks for old ones only.
    """
    if not any(_fits(body, header, secret) for secret in secrets):
        raise IntegrationError("signature_invalid")
    age = (time.time() if now is None else now) - _signed_at(header)
    if abs(age) > TOLERANCE_SECONDS:
        direction = "past" if age > 0 else "future"
        raise IntegrationError("signature_invalid", f"It was signed too far in the {direction}; check the clocks.")


def _fits(body: bytes, header: str, secret: str) -> bool:
    try:
        WebhookSignature.verify_header(body, header, secret)
    except (SignatureVerificationError, ValueError, TypeError):
        return False  # ValueError: a body that is no UTF-8; TypeError: a signature with letters beyond ASCII
    return True


def _signed_at(header: str) -> int:
    """The moment a verified header names: the first ``t``, as the SDK takes it."""
    return next(int(part.split("=")[1]) for part in header.split(",") if part.startswith("t="))
