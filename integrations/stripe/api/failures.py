"""From what the SDK raises to what a person and a run can act on (docs/architecture.md section 4, "Runs")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import stripe

from integrations.errors import IntegrationError
from integrations.stripe.api.redaction import redact
from integrations.stripe.api.retry import Retry, retry_after_seconds
from integrations.stripe.api.transport import TransportError

_ANSWER_CHARACTERS = 2_000
_ACCESS_OVER = {"account_invalid", "platform_api_key_expired", "api_key_expired"}
_SLUG = re.compile(r"\brak_([a-z_]+)|\b([a-z_]+_read)\b")
_CURSORS = {"starting_after", "ending_before"}
_CONNECTION_TEXT = {
    "timeout": "No answer came in time.",
    "connection": "The connection could not be made or broke off.",
    "certificate": "The certificate of the server could not be verified.",
}


class PermissionMissing(IntegrationError):  # noqa: N818  (named after its code)
    """``permission_missing`` for one read; ``slug`` is Stripe's name of it (``coupon_read``), empty if not told."""

    def __init__(self, slug: str, *, answer: str = "") -> None:
        self.slug = slug
        super().__init__("permission_missing", f"Stripe asks for {slug}." if slug else "", answer=answer)


class CursorGone(IntegrationError):  # noqa: N818  (named after what happened)
    """The object a list was to go on after does not exist any more; the list can go on by time (see ``pages``)."""

    def __init__(self, *, answer: str = "") -> None:
        super().__init__("record_gone", "A list could not go on where it had stopped.", answer=answer)


class TimedOut(IntegrationError):  # noqa: N818  (named after what happened)
    """``stripe_unavailable`` because no answer came in time; a smaller page may succeed."""

    def __init__(self) -> None:
        super().__init__("stripe_unavailable", _CONNECTION_TEXT["timeout"])


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed try: the error to raise if no other follows, whether one may, and what Stripe said about it."""

    error: IntegrationError
    retry: Retry
    status: int = 0
    code: str = ""
    request_id: str = ""
    limited_by: str | None = None
    """Stripe's reason for slowing us down; None when it is not a limit of ours (a lock, a bad gateway)."""


class _ErrorDetails(msgspec.Struct):
    code: str | None = None
    message: str | None = None
    param: str | None = None


class _ErrorBody(msgspec.Struct):
    error: _ErrorDetails


def judge(error: stripe.StripeError) -> Failure:
    """What ``error`` means. Texts taken from the answer are free of secrets."""
    if isinstance(error, TransportError):
        return _no_answer(error)
    status = error.http_status or 0
    headers: Mapping[str, str] = error.headers or {}
    answer = _answer(error.http_body)
    details = _details(error.http_body)
    if details is None:
        return _no_error_of_stripe(status, answer)
    failure_error, retry = _meaning(status, details, answer)
    limited_by = None
    if retry is Retry.THROTTLED:
        failure_error.retry_after = retry_after_seconds(headers.get("Retry-After"), datetime.now(UTC))
        limited_by = None if details.code == "lock_timeout" else headers.get("Stripe-Rate-Limited-Reason", "")
    return Failure(failure_error, retry, status, details.code or "", headers.get("Request-Id", ""), limited_by)


def unreadable(detail: str, *, answer: str = "", status: int = 200) -> Failure:
    """The failure of a body that arrived whole but is no JSON."""
    return Failure(IntegrationError("invalid_response", detail, answer=answer), Retry.GARBLED, status)


def _no_answer(error: TransportError) -> Failure:
    if error.kind == "timeout":
        return Failure(TimedOut(), Retry.TIMEOUT)
    if error.kind == "truncated":
        return unreadable("The answer was cut short.", status=0)
    if error.kind == "too_large":
        return Failure(IntegrationError("invalid_response", "The answer was too large."), Retry.NEVER)
    retry = Retry.NEVER if error.kind == "certificate" else Retry.TRANSIENT
    return Failure(IntegrationError("stripe_unavailable", _CONNECTION_TEXT[error.kind]), retry)


def _no_error_of_stripe(status: int, answer: str) -> Failure:
    """A proxy, a gateway or a sign-in page of the network answered in Stripe's place."""
    detail = f"The answer {status} did not come from Stripe's API."
    retry = Retry.TRANSIENT if status == 429 or status >= 500 else Retry.GARBLED
    return Failure(IntegrationError("stripe_unavailable", detail, answer=answer), retry, status)


def _meaning(status: int, details: _ErrorDetails, answer: str) -> tuple[IntegrationError, Retry]:
    code = details.code or ""
    if status == 429 or code == "rate_limit":
        return IntegrationError("rate_limited", answer=answer), Retry.THROTTLED
    if status == 401 or (status == 403 and code in _ACCESS_OVER):
        return IntegrationError("reauthorize", answer=answer), Retry.NEVER
    if status == 403:
        return PermissionMissing(_slug(details.message or ""), answer=answer), Retry.NEVER
    if code == "resource_missing":
        gone = details.param in _CURSORS
        return CursorGone(answer=answer) if gone else IntegrationError("record_gone", answer=answer), Retry.NEVER
    if status == 409 or status >= 500:
        return IntegrationError("stripe_unavailable", f"Stripe answered {status}.", answer=answer), Retry.TRANSIENT
    named = f" ({code})" if re.fullmatch(r"[a-z_]+", code) else ""
    return IntegrationError("invalid_response", f"Stripe answered {status}{named}.", answer=answer), Retry.NEVER


def _slug(message: str) -> str:
    match = _SLUG.search(message)
    return (match[1] or match[2]) if match else ""


def _details(body: object) -> _ErrorDetails | None:
    raw = body if isinstance(body, (str, bytes)) else b""
    try:
        return msgspec.json.decode(raw, type=_ErrorBody).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _answer(body: object) -> str:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body if isinstance(body, str) else ""
    return redact(text)[:_ANSWER_CHARACTERS].replace("\x00", "")
