"""Signed webhook deliveries, in the background, tried three times."""

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import local

import msgspec
import requests

from sandbox.shapes import Json
from sandbox.state import WebhookEndpoint

RETRY_SECONDS = (0.5, 2.0)
TIMEOUT_SECONDS = 10
WORKERS = 8

logger = logging.getLogger(__name__)


def signature_header(payload: bytes, secret: str, timestamp: int) -> str:
    """The `Stripe-Signature` header for `payload`: HMAC-SHA256 over the time and the raw bytes."""
    signed = f"{timestamp}.".encode() + payload
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class Deliverer:
    """Sends events to the endpoints that want them.

    `connected` says whether an account has given the app its consent in a mode.
    """

    def __init__(self, connected: Callable[[str, str], bool]) -> None:
        self.endpoints: list[WebhookEndpoint] = []
        self.delivered = 0
        self.failed = 0
        self._connected = connected
        self._executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="webhook")
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = local()

    def wanted_by(self, account: str, mode: str) -> list[WebhookEndpoint]:
        """The endpoints an event of this account and mode goes to; a live app endpoint gets test events too."""
        wanted = []
        for endpoint in self.endpoints:
            if endpoint.connect:
                if self._connected(account, mode) and endpoint.mode in {mode, "live"}:
                    wanted.append(endpoint)
            elif endpoint.account == account and endpoint.mode == mode:
                wanted.append(endpoint)
        return wanted

    def deliver(self, event: Json, account: str, mode: str, done: Callable[[str], None]) -> int:
        """Start delivering `event`; `done` is called with its id after each success. Returns how many go out."""
        wanted = self.wanted_by(account, mode)
        for endpoint in wanted:
            body = {**event, "account": account} if endpoint.connect else event
            task = asyncio.get_running_loop().create_task(
                self._try(endpoint, msgspec.json.encode(body), event["id"], done)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(wanted)

    async def _try(self, endpoint: WebhookEndpoint, payload: bytes, event_id: str, done: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        for delay in (*RETRY_SECONDS, None):
            if await loop.run_in_executor(self._executor, self._post, endpoint, payload):
                self.delivered += 1
                done(event_id)
                return
            if delay is not None:
                await asyncio.sleep(delay)
        self.failed += 1

    def _post(self, endpoint: WebhookEndpoint, payload: bytes) -> bool:
        session = getattr(self._thread, "session", None)
        if session is None:
            session = self._thread.session = requests.Session()
            session.trust_env = False
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature_header(payload, endpoint.secret, int(time.time())),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            answer = session.post(
                endpoint.url, data=payload, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            logger.warning("webhook to %s failed: %s", endpoint.url, type(error).__name__)
            return False
        return bool(200 <= answer.status_code < 300)

    def forget(self) -> None:
        """Give up what is under way, and begin counting anew."""
        for task in self._tasks:
            task.cancel()
        self.delivered = self.failed = 0

    def close(self) -> None:
        """Stop sending; what is under way is given up."""
        self.forget()
        self._executor.shutdown(wait=False, cancel_futures=True)
