"""One POST to Stripe's token endpoint: sent once, judged, and listed among the calls.

The only place that sends anything but a GET (docs/architecture.md section 5).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
from django.conf import settings
from oauthlib.oauth2 import OAuth2Error
from requests.adapters import HTTPAdapter
from requests_oauthlib import OAuth2Session

from integrations.errors import IntegrationError
from integrations.stripe.api.addresses import require_private
from integrations.stripe.api.calls import Call, OnCall
from integrations.stripe.api.client import DEFAULT_TIMEOUT
from integrations.stripe.api.presets import ConfiguredPreset
from integrations.stripe.api.redaction import redact

Ask = Callable[[OAuth2Session, str, tuple[float, float]], object]

_ERROR_CODE = re.compile(r"[a-z_]{1,60}")
_ANSWER_CHARACTERS = 2_000


class TokenAnswer(msgspec.Struct, frozen=True):
    """What the token endpoint answers; nothing in it has been believed yet."""

    access_token: str = ""
    refresh_token: str | None = None
    token_type: str = ""
    livemode: bool | None = None
    stripe_user_id: str | None = None
    account_id: str | None = None
    scope: str | None = None
    expires_in: int | None = None


class _ErrorAnswer(msgspec.Struct):
    error: str | dict[str, Any]


def ask_for_token(configured: ConfiguredPreset, ask: Ask, *, refused: str, on_call: OnCall | None) -> TokenAnswer:
    """Let ``ask`` send its one request with a session, an address and a timeout; the answer, decoded.

    ``refused`` is the error code for Stripe's ``invalid_grant``. Raises IntegrationError with it, or with
    ``not_configured``, ``rate_limited``, ``stripe_unavailable`` or ``invalid_response``. Never repeats anything.
    """
    exchange = _Exchange(configured, refused, on_call)
    return exchange.run(ask)


class _Exchange:
    def __init__(self, configured: ConfiguredPreset, refused: str, on_call: OnCall | None) -> None:
        self._url = require_private(configured.token_url, loopback=settings.DEBUG)
        self._configured = configured
        self._refused = refused
        self._on_call = on_call
        self._answer: TokenAnswer | None = None
        self._response: requests.Response | None = None
        self._started = 0.0

    def run(self, ask: Ask) -> TokenAnswer:
        sent_at = datetime.now(UTC)
        self._started = time.monotonic()
        error = self._send(ask)
        self._report(sent_at, error)
        # Raised here and not where it was caught: what requests raises carries the request with our secret key.
        if error is not None or self._answer is None:
            raise error or IntegrationError("invalid_response", "The token answer was empty.")
        return self._answer

    def _send(self, ask: Ask) -> IntegrationError | None:
        with OAuth2Session(self._configured.client_id) as session:
            session.max_redirects = 0
            address = _secure_address(session, self._url)
            for kind in ("access_token_response", "refresh_token_response"):
                session.register_compliance_hook(kind, self._judge)
            try:
                ask(session, address, (DEFAULT_TIMEOUT[0], settings.STRIPE_TIMEOUT_SECONDS))
            except IntegrationError as error:
                return error
            except requests.RequestException:
                return IntegrationError("stripe_unavailable", "Whether Stripe took the request is not known.")
            except (OAuth2Error, ValueError):
                return IntegrationError("invalid_response", "The token answer made no sense.")
        return None

    def _judge(self, response: requests.Response) -> requests.Response:
        """Called with the answer before oauthlib reads it, which would turn every failure into the same one."""
        self._response = response
        if response.status_code != HTTPStatus.OK:
            raise _error_of(response, self._refused, self._configured.mode)
        try:
            self._answer = msgspec.json.decode(response.content, type=TokenAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Neither the answer nor what is wrong with it may be told: it may hold a token.
            raise IntegrationError("invalid_response", "The token answer could not be read.") from None
        return response

    def _report(self, sent_at: datetime, error: IntegrationError | None) -> None:
        if self._on_call is None:
            return
        response = self._response
        self._on_call(
            Call(
                at=sent_at,
                method="POST",
                path=urlsplit(self._url).path,
                status=response.status_code if response is not None else 0,
                duration_ms=round((time.monotonic() - self._started) * 1000),
                request_id=response.headers.get("Request-Id", "") if response is not None else "",
                error_code=error.code if error else "",
            )
        )


def _error_of(response: requests.Response, refused: str, mode: str) -> IntegrationError:
    status = response.status_code
    answer = redact(response.content[:_ANSWER_CHARACTERS].decode("utf-8", "replace")).replace("\x00", "")
    code = _code_of(response.content)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return IntegrationError("rate_limited", answer=answer)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return IntegrationError("stripe_unavailable", f"Stripe answered {status}.", answer=answer)
    if code == "invalid_grant":
        return IntegrationError(refused, answer=answer)
    if code == "invalid_client" or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return IntegrationError("not_configured", f"Stripe refused our secret key for {mode} mode.", answer=answer)
    named = f" ({code})" if code else ""
    return IntegrationError("invalid_response", f"Stripe answered {status}{named}.", answer=answer)


def _code_of(body: bytes) -> str:
    """The OAuth error code, or the one of Stripe's API; empty for anything that does not look like one."""
    try:
        error = msgspec.json.decode(body, type=_ErrorAnswer).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    code = error if isinstance(error, str) else error.get("code")
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""


class _PlainLoopbackAdapter(HTTPAdapter):
    """Sends over plain http what was addressed with https; mounted for one address of this machine only."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


def _secure_address(session: OAuth2Session, url: str) -> str:
    """``url`` as https.

    oauthlib refuses plain http unless an environment variable lifts that for the whole process. A local Stripe in DEBUG
    (``require_private`` has seen to that) is reached by this one session through an adapter instead.
    """
    parts = urlsplit(url)
    if parts.scheme == "https":
        return url
    session.trust_env = False  # no proxy for this machine
    session.mount(f"https://{parts.netloc}/", _PlainLoopbackAdapter())
    return parts._replace(scheme="https").geturl()
