"""The HTTP client handed to the Stripe SDK. It can read and nothing else (docs/architecture.md section 5)."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Literal, NoReturn, cast
from weakref import WeakSet

import requests
import stripe
from urllib3.exceptions import DecodeError, HTTPError, IncompleteRead, ReadTimeoutError, SSLError

# The SDK would send the duration of the last request along with the next; nobody asked for that.
stripe.enable_telemetry = False

FailureKind = Literal["timeout", "connection", "certificate", "truncated", "too_large"]
MAXIMUM_BODY_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024


class ReadOnlyViolation(RuntimeError):  # noqa: N818  (named after what happened)
    """Somebody tried to send anything but a GET to Stripe; nothing was sent."""


class TransportError(stripe.APIConnectionError):
    """No complete answer came. ``kind`` says how it went wrong; the text holds neither address nor headers."""

    def __init__(self, kind: FailureKind) -> None:
        super().__init__(f"No complete answer from Stripe: {kind}")  # type: ignore[no-untyped-call]  # the SDK's
        self.kind: FailureKind = kind


class ReadOnlyTransport(stripe.HTTPClient):
    """Sends GET requests, one keep-alive session per thread, and raises ReadOnlyViolation for every other method.

    ``timeout`` is (connect, read) in seconds. The whole answer may take twice the read timeout, so that a server that
    sends a byte now and then cannot hold a thread for ever. Redirects are not followed: the key would go along.
    """

    name = "requests"

    def __init__(self, timeout: tuple[float, float]) -> None:
        super().__init__()
        self._timeout = timeout
        self._mine = threading.local()
        self._sessions: WeakSet[requests.Session] = WeakSet()
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """The body as text, the status and the headers. Raises ReadOnlyViolation and TransportError."""
        body, status, answered = self.request_stream(method, url, headers, post_data)
        return body.getvalue().decode("utf-8", "replace"), status, answered

    def request_stream(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[BytesIO, int, Mapping[str, str]]:
        """The whole body as bytes, the status and the headers. Raises ReadOnlyViolation and TransportError."""
        _refuse_unless_get(method, post_data)
        try:
            return self._get(url, headers)
        except (requests.RequestException, HTTPError) as error:
            kind = _kind(error)
        # Raised here and not inside the except clause: what requests raises carries the request with its key.
        raise TransportError(kind)

    async def request_async(self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None) -> NoReturn:
        """Always raises ReadOnlyViolation: nothing of ours reads asynchronously."""
        raise ReadOnlyViolation(f"{method.upper()} was refused: this client reads synchronously.")

    async def request_stream_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> NoReturn:
        """Always raises ReadOnlyViolation: nothing of ours reads asynchronously."""
        raise ReadOnlyViolation(f"{method.upper()} was refused: this client reads synchronously.")

    def close(self) -> None:
        """End the kept connections of every thread."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    def _get(self, url: str, headers: Mapping[str, str] | None) -> tuple[BytesIO, int, Mapping[str, str]]:
        deadline = time.monotonic() + self._timeout[0] + 2 * self._timeout[1]
        with self._session(url).get(
            url, headers=headers, timeout=self._timeout, allow_redirects=False, stream=True
        ) as answer:
            return BytesIO(_body(answer, deadline)), answer.status_code, answer.headers

    def _session(self, url: str) -> requests.Session:
        session: requests.Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = _session_for(url)
            with self._lock:
                self._sessions.add(session)
        return session


def get_bytes(client: stripe.StripeClient, url: str, token: str) -> tuple[bytes, Mapping[str, str]]:
    """GET ``url`` (path and query) with ``token`` through the SDK; the body untouched, and the headers of the answer.

    Raises stripe.StripeError for anything but a success. The SDK's public ways parse every body, which costs three
    times the rest of the request (docs/architecture.md section 2). Its requestor's ``request_stream`` does what we
    need: credentials, version and error parsing, and a success handed over unread. This is the one place that
    uses a private name of the SDK; tests/integrations/stripe/api/test_transport.py notices if it changes.
    """
    response = client._requestor.request_stream("get", url, options={"api_key": token}, base_address="api")
    return cast(BytesIO, response.io).getvalue(), response.headers


def _session_for(url: str) -> requests.Session:
    """A session with the proxy and the certificates the environment names for ``url``, and nothing else of it.

    A session that trusts the environment goes through all of it for every request, which is a fifth of what a page
    costs, and would replace our Authorization header by an entry of ~/.netrc. One reader only ever asks one host.
    """
    session = requests.Session()
    found = session.merge_environment_settings(url, {}, None, None, None)
    session.proxies, session.verify, session.trust_env = found["proxies"], found["verify"], False
    return session


def _refuse_unless_get(method: str, post_data: object) -> None:
    if method.lower() != "get" or post_data:
        raise ReadOnlyViolation(f"{method.upper()} was refused: Stripe is only read.")


def _body(answer: requests.Response, deadline: float) -> bytes:
    chunks: list[bytes] = []
    size = 0
    # read1 returns what has arrived; anything else would wait for a whole chunk, past the deadline.
    while chunk := answer.raw.read1(_CHUNK_BYTES, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAXIMUM_BODY_BYTES:
            raise TransportError("too_large")
        if time.monotonic() > deadline:
            raise requests.ReadTimeout
    return b"".join(chunks)


def _kind(error: BaseException) -> FailureKind:
    causes = _with_causes(error)
    if any(isinstance(cause, (requests.ReadTimeout, ReadTimeoutError)) for cause in causes):
        return "timeout"
    if any(isinstance(cause, (requests.exceptions.SSLError, SSLError)) for cause in causes):
        return "certificate"
    if any(isinstance(cause, (DecodeError, IncompleteRead)) for cause in causes):
        return "truncated"
    return "connection"


def _with_causes(error: BaseException) -> list[BaseException]:
    """``error`` and what it wraps as arguments, at any depth: requests wraps urllib3's, which wraps http.client's."""
    wrapped = [argument for argument in error.args if isinstance(argument, BaseException)]
    return [error, *(cause for inner in wrapped for cause in _with_causes(inner))]
