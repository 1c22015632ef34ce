"""A small HTTP server that answers what a test tells it to: failures no real server sends on demand."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    """What arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: str
    client_port: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body).items()}


@dataclass
class Answer:
    """What is sent back. ``fault``: empty, ``truncated``, ``reset``, ``silent`` (until the server ends) or ``drip``."""

    body: object = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Server:
    """Answers with ``respond(request)``, and keeps every request."""

    def __init__(self, respond: Callable[[Request], Answer]) -> None:
        self.respond = respond
        self.requests: list[Request] = []
        self.ended = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return self.answer
                raise AttributeError(name)

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                request = Request(self.command, self.path, dict(self.headers), body, self.client_address[1])
                server.requests.append(request)
                _send(self, server.respond(request), server.ended)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def start(self) -> None:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()


def _send(handler: BaseHTTPRequestHandler, answer: Answer, ended: threading.Event) -> None:
    if answer.fault == "silent":
        ended.wait(30)
        handler.close_connection = True
        return
    content = answer.content
    handler.send_response(answer.status)
    for name, value in {"Content-Type": "application/json", **answer.headers}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    if answer.fault == "drip":
        for byte in content:
            if ended.wait(0.05):
                break
            try:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
            except OSError:
                break
        handler.close_connection = True
        return
    handler.wfile.write(content[: len(content) // 2] if answer.fault else content)
    if answer.fault:
        handler.wfile.flush()
        handler.close_connection = True
    if answer.fault == "reset":
        # Linger 0: closing sends RST instead of FIN.
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()


@contextmanager
def serving(respond: Callable[[Request], Answer] | list[Answer]) -> Iterator[Server]:
    """A running server. A list of answers is used up in order, its last one for ever."""
    if isinstance(respond, list):
        answers = list(respond)
        lock = threading.Lock()

        def next_answer(request: Request) -> Answer:
            with lock:
                return answers.pop(0) if len(answers) > 1 else answers[0]

        server = Server(next_answer)
    else:
        server = Server(respond)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def error(status: int, code: str = "", message: str = "", *, param: str = "", **headers: str) -> Answer:
    """An error in the shape of Stripe's API."""
    details = {"type": "invalid_request_error", "message": message}
    if code:
        details["code"] = code
    if param:
        details["param"] = param
    return Answer({"error": details}, status, {name.replace("_", "-"): value for name, value in headers.items()})


def page(*objects: dict[str, object], has_more: bool = False) -> Answer:
    """One page of a list."""
    return Answer({"object": "list", "data": list(objects), "has_more": has_more, "url": "/v1/things"})
