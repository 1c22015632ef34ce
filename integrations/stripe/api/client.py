"""Reads Stripe: GET only, paced, repeated where that helps, up to the raw bytes.

See docs/architecture.md section 4, "Runs", and section 5.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import stripe

from integrations.errors import IntegrationError
from integrations.stripe.api import failures
from integrations.stripe.api.calls import Call, OnCall
from integrations.stripe.api.decode import decode
from integrations.stripe.api.failures import Failure
from integrations.stripe.api.governor import Governor
from integrations.stripe.api.objects import Page
from integrations.stripe.api.query import endpoint_of, with_query
from integrations.stripe.api.redaction import redact
from integrations.stripe.api.retry import Retry, RetryPolicy
from integrations.stripe.api.transport import ReadOnlyTransport, get_bytes

logger = logging.getLogger(__name__)

DEFAULT_TIMEOUT = (5.0, 30.0)
_UNREADABLE = "The answer was not JSON."
_KEY_PER_REQUEST = "set-per-request"  # the SDK wants a key at construction; every request brings its own

T = TypeVar("T")


class StripeReader:
    """One connection's eyes on Stripe. Several threads may use it at once.

    ``access_token`` is a key or a function that gives the current one (an OAuth token changes within the hour); the
    function is asked before every try. ``timeout`` is (connect, read) in seconds. Every try is reported to ``on_call``,
    from the thread that made it.
    """

    def __init__(
        self,
        access_token: str | Callable[[], str],
        *,
        base_url: str,
        governor: Governor,
        on_call: OnCall | None = None,
        retry: RetryPolicy | None = None,
        timeout: tuple[float, float] = DEFAULT_TIMEOUT,
    ) -> None:
        self._token = access_token if callable(access_token) else lambda: access_token
        self._governor = governor
        self._on_call = on_call
        self._retry = retry or RetryPolicy()
        self._transport = ReadOnlyTransport(timeout)
        self._sdk = stripe.StripeClient(
            _KEY_PER_REQUEST,
            base_addresses={"api": base_url.rstrip("/")},
            http_client=self._transport,
            max_network_retries=0,
        )
        self._mine = threading.local()

    @property
    def governor(self) -> Governor:
        """What paces this connection; a page shows its ``slowed_until``."""
        return self._governor

    @property
    def sent_at(self) -> datetime | None:
        """When the calling thread's last request was sent (UTC, this machine's clock): what was read is that old."""
        sent_at: datetime | None = getattr(self._mine, "sent_at", None)
        return sent_at

    def get(self, path: str, params: Mapping[str, object] | None = None) -> bytes:
        """The body of one answer, known to be JSON.

        Raises IntegrationError: ``reauthorize``, ``permission_missing`` (PermissionMissing), ``rate_limited`` (with
        ``retry_after`` where known), ``stripe_unavailable`` (TimedOut when no answer came in time), ``record_gone``
        (CursorGone for a cursor) and ``invalid_response``.
        """
        return self._fetch(path, params, _checked)

    def get_page(
        self, path: str, params: Mapping[str, object] | None = None, *, timeout_tries: int | None = None
    ) -> Page:
        """One page of a list, its objects undecoded. Raises as ``get`` does.

        ``timeout_tries`` limits the tries after which TimedOut is raised, for a caller that can ask for less.
        """
        return self._fetch(path, params, _page, timeout_tries=timeout_tries)

    def get_object(self, path: str, params: Mapping[str, object] | None, type: type[T]) -> T:  # noqa: A002
        """One object as ``type``. Raises as ``get`` does, and DecodeError when the object is not what it should be."""
        return decode(self.get(path, params), type)

    def close(self) -> None:
        """End the kept connections."""
        self._transport.close()

    def _fetch(
        self,
        path: str,
        params: Mapping[str, object] | None,
        read: Callable[[bytes], T],
        *,
        timeout_tries: int | None = None,
    ) -> T:
        url = with_query(path, params)
        endpoint = endpoint_of(path)
        renewed = False
        tried = 0
        while True:
            token = self._token()
            outcome = self._try(url, endpoint, token, read)
            if not isinstance(outcome, Failure):
                return outcome
            tried += 1
            if outcome.error.code == "reauthorize" and not renewed and self._token() != token:
                renewed = True  # another worker refreshed it meanwhile: once more, with the new one
                continue
            pause = self._retry.pause(outcome.retry, tried, outcome.error.retry_after, timeout_tries=timeout_tries)
            if pause is None:
                raise outcome.error
            logger.info("%s Trying %s again in %.1f s.", outcome.error, endpoint, pause)
            self._retry.sleep(pause)

    def _try(self, url: str, endpoint: str, token: str, read: Callable[[bytes], T]) -> T | Failure:
        with self._governor.request(endpoint):
            self._mine.sent_at = sent_at = datetime.now(UTC)
            started = time.monotonic()
            request_id = ""
            outcome: T | Failure
            try:
                body, headers = get_bytes(self._sdk, url, token)
                request_id = headers.get("Request-Id", "")
                outcome = _understood(body, read)
            except stripe.StripeError as error:
                outcome = failures.judge(error)
        duration_ms = round((time.monotonic() - started) * 1000)
        failure = outcome if isinstance(outcome, Failure) else None
        self._tell_governor(failure, endpoint)
        if self._on_call:
            self._on_call(
                Call(
                    at=sent_at,
                    method="GET",
                    path=redact(url),
                    status=failure.status if failure else 200,
                    duration_ms=duration_ms,
                    request_id=failure.request_id if failure else request_id,
                    error_code=(failure.code or failure.error.code) if failure else "",
                )
            )
        return outcome

    def _tell_governor(self, failure: Failure | None, endpoint: str) -> None:
        if failure is None:
            self._governor.succeeded()
        elif failure.limited_by is not None:
            self._governor.throttled(failure.limited_by, failure.error.retry_after, endpoint)


def _understood(body: bytes, read: Callable[[bytes], T]) -> T | Failure:
    try:
        return read(body)
    except msgspec.ValidationError:
        # Whole and well-formed, but no list: asking again would give the same.
        return Failure(IntegrationError("invalid_response", "The answer was not a list."), Retry.NEVER, 200)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return failures.unreadable(_UNREADABLE, answer=redact(body[:200].decode("utf-8", "replace")))


_decode_page = msgspec.json.Decoder(Page).decode
_decode_any = msgspec.json.Decoder(msgspec.Raw).decode


def _page(body: bytes) -> Page:
    return _decode_page(body)


def _checked(body: bytes) -> bytes:
    """``body`` as it is; raises msgspec.DecodeError when it is not JSON from end to end."""
    _decode_any(body)
    return body
