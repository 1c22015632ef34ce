"""Start the sandbox from a test: `with running(profile="bulk", subscriptions=2000) as stripe: …`."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from requests import Response, Session

from sandbox.accounts import FIELDNOTE

START_DEADLINE_SECONDS = 90
STOP_DEADLINE_SECONDS = 10
_POLL_SECONDS = 0.02
_ROOT = Path(__file__).resolve().parent.parent

Document = dict[str, Any]


class Running:
    """A running sandbox. `url` is its base; the methods are its control API."""

    def __init__(self, url: str, process: subprocess.Popen[str]) -> None:
        self.url = url
        self.process = process
        self._session = Session()
        self._session.trust_env = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._session.close()

    def get(self, path: str, key: str = "rk_live_all", /, **params: Any) -> Response:
        """A read as a client would make it, answered by Stripe's interface; `params` may hold lists."""
        return self._session.get(self.url + path, params=params, auth=(key, ""), timeout=60)

    def fault(self, kind: str, path: str = "*", **options: Any) -> None:
        """Let requests go wrong. `nth`, `every`, `times`, `mode`, `query` and `method` say which; the rest says how."""
        match = {name: options.pop(name) for name in _MATCHING & options.keys()}
        self._control("POST", "faults", [{"kind": kind, "match": {"path": path, **match}, **options}])

    def faults(self) -> list[Document]:
        """The rules in force, with how often each was `seen` and `fired`."""
        rules: list[Document] = self._control("GET", "faults").json()
        return rules

    def clear_faults(self) -> None:
        """Drop every rule."""
        self._control("DELETE", "faults")

    def patch(self, kind: str, object_id: str, changes: Document, **where: str) -> Document:
        """Merge `changes` into an object. `where`: account, mode, event."""
        return self._object("PATCH", kind, object_id, changes, **where)

    def put(self, kind: str, object_id: str, value: Document, **where: str) -> Document:
        """Create or replace an object; what `value` leaves out is filled in. `where`: account, mode, event."""
        return self._object("PUT", kind, object_id, value, **where)

    def delete(self, kind: str, object_id: str, **where: str) -> None:
        """Delete an object. `where`: account, mode, event."""
        path, params = _object_path(kind, object_id, where)
        self._control("DELETE", path, params=params)

    def event(self, event_type: str, value: Document, account: str = FIELDNOTE.id, mode: str = "live") -> Document:
        """Record and deliver an event of any type."""
        body = {"type": event_type, "object": value}
        event: Document = self._control("POST", f"events/{account}/{mode}", body).json()
        return event

    def data(self, account: str = FIELDNOTE.id, mode: str = "live") -> dict[str, list[Document]]:
        """Everything there is, by kind: whole objects, deleted ones as tombstones, `discounts` as their own kind."""
        grouped: dict[str, list[Document]] = {}
        for line in self._control("GET", f"data/{account}/{mode}").content.splitlines():
            record = msgspec.json.decode(line)
            grouped.setdefault(record["kind"], []).append(record["object"])
        return grouped

    def requests(self) -> Document:
        """The journal: counts by method and endpoint, and the last 500 requests."""
        journal: Document = self._control("GET", "requests").json()
        return journal

    def reset_requests(self) -> None:
        """Start counting anew."""
        self._control("DELETE", "requests")

    def create_key(
        self,
        key: str,
        permissions: list[str],
        *,
        account: str = FIELDNOTE.id,
        mode: str = "live",
        expand: bool = True,
    ) -> str:
        """Make a restricted key and return it."""
        body = {"key": key, "account": account, "mode": mode, "permissions": permissions, "expand": expand}
        self._control("POST", "keys", body)
        return key

    def revoke_key(self, key: str) -> None:
        """From now on the key is invalid."""
        self._control("DELETE", f"keys/{key}")

    def uninstall(self, account: str = FIELDNOTE.id, mode: str = "live") -> None:
        """End the app's access from Stripe's side."""
        self._control("DELETE", f"grants/{account}/{mode}")

    def consent_to(self, permissions: list[str]) -> None:
        """What consents given from now on grant."""
        self._control("POST", "consent", {"permissions": permissions})

    def advance_clock(self, seconds: int) -> int:
        """Move the sandbox's clock and return its time in Unix seconds."""
        return int(self._control("POST", "clock", {"advance_seconds": seconds}).json()["now"])

    def reset(self) -> None:
        """Forget every change, grant, key, webhook, fault and count: the sandbox as it started."""
        self._control("POST", "reset")

    def pace(self, **values: float) -> None:
        """Change `latency_ms`, `rate_per_endpoint` or `rate_per_account`."""
        self._control("PUT", "settings", values)

    def add_webhook(
        self, url: str, secret: str, *, mode: str = "live", connect: bool = True, account: str = ""
    ) -> None:
        """Deliver events to `url`, signed with `secret`."""
        body = {"url": url, "secret": secret, "mode": mode, "connect": connect, "account": account}
        self._control("POST", "webhooks", body)

    def webhooks(self) -> Document:
        """The endpoints, and how many deliveries succeeded and were given up."""
        summary: Document = self._control("GET", "webhooks").json()
        return summary

    def authorize(
        self,
        redirect_uri: str,
        *,
        mode: str = "live",
        state: str = "",
        account: str = FIELDNOTE.id,
        flow: str = "stripe_app",
        decision: str = "connect",
    ) -> str:
        """Press Connect (or `decision="cancel"`) on the consent page and return where it redirects to."""
        path = "/oauth/v2/authorize" if flow == "stripe_app" else "/oauth/authorize"
        form = {
            "client_id": f"ca_sandbox_{mode}",
            "redirect_uri": redirect_uri,
            "state": state,
            "account": account,
            "decision": decision,
            "response_type": "code",
        }
        answer = self._session.post(self.url + path, data=form, allow_redirects=False, timeout=60)
        answer.raise_for_status()
        return str(answer.headers["Location"])

    def _object(self, method: str, kind: str, object_id: str, body: Document, **where: str) -> Document:
        path, params = _object_path(kind, object_id, where)
        value: Document = self._control(method, path, body, params).json()
        return value

    def _control(self, method: str, path: str, body: object = None, params: dict[str, str] | None = None) -> Response:
        answer = self._session.request(method, f"{self.url}/_sandbox/{path}", json=body, params=params, timeout=120)
        if not answer.ok:
            raise ControlError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer


class ControlError(Exception):
    """The control API refused a request; the message says why."""


_MATCHING = {"method", "mode", "query", "nth", "every", "times"}


def _object_path(kind: str, object_id: str, where: dict[str, str]) -> tuple[str, dict[str, str]]:
    account, mode = where.get("account", FIELDNOTE.id), where.get("mode", "live")
    params = {"event": where["event"]} if "event" in where else {}
    return f"objects/{account}/{mode}/{kind}/{object_id}", params


@contextmanager
def running(profile: str = "demo", **options: Any) -> Iterator[Running]:
    """A sandbox in a process of its own on a free port, ended afterwards.

    `options` are the command line's, with underscores: seed, subscriptions, skew, latency_ms, state_file and so on.
    Raises `ControlError` with the process's output when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        port_file = Path(folder) / "port"
        command = [sys.executable, "-m", "sandbox", "serve", "--port-file", str(port_file), "--profile", profile]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        with Path(folder, "output").open("w+") as output:
            process = subprocess.Popen(command, cwd=_ROOT, stdout=output, stderr=output, text=True)  # noqa: S603
            try:
                _wait(lambda: port_file.exists() or process.poll() is not None)
                if process.poll() is not None:
                    output.seek(0)
                    raise ControlError(f"the sandbox ended at once: {output.read()}")
                with Running(f"http://127.0.0.1:{port_file.read_text()}", process) as started:
                    yield started
            finally:
                stop(process)


def stop(process: subprocess.Popen[str]) -> int:
    """End a sandbox as an operator would, and by force if that does not help; returns its exit code."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(STOP_DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(STOP_DEADLINE_SECONDS)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise ControlError("the sandbox did not start in time")
        time.sleep(_POLL_SECONDS)
