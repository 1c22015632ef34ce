"""The ASGI application: Stripe's paths, the consent pages and the control API under one roof."""

import asyncio
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox import API_VERSION, connections
from sandbox.accounts import DEVELOPER_KEYS
from sandbox.auth import Principal, presented_key
from sandbox.control import control_routes
from sandbox.errors import ApiError, OAuthError
from sandbox.faults import Fault, broken, refusal
from sandbox.identifiers import base62
from sandbox.oauth import APP_TOKEN, CONSENT_PATHS, TOKEN_PATHS
from sandbox.queries import Query
from sandbox.world import World

_CUTS = {"reset", "truncate"}


@dataclass
class Exchange:
    """One request to Stripe's paths on its way to an answer."""

    method: str
    path: str
    query: Query
    headers: Headers
    request_id: str = field(default_factory=lambda: f"req_{base62(secrets.randbits(96), 14)}")
    principal: Principal | None = None
    fault: Fault | None = None

    @property
    def is_token_request(self) -> bool:
        """Whether this is the one POST that is allowed."""
        return self.method == "POST" and self.path in TOKEN_PATHS

    @property
    def endpoint(self) -> str:
        """The path with ids left out, for counting and rate limits."""
        _, *parts = self.path.split("/")
        if parts[0] != "v1" or self.path in TOKEN_PATHS:
            return self.path
        return "/" + "/".join([*parts[:2], *("ID" for _ in parts[2:])])


class Application:
    """Dispatches by path. Everything outside `/_sandbox/` and the consent pages is counted in the journal."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._control: ASGIApp = control_routes(world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path.startswith("/_sandbox/"):
            await self._control(scope, receive, send)
        elif path in CONSENT_PATHS and scope["method"] in {"GET", "POST"}:
            response = await self._world.oauth.authorize(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await self._stripe(scope, receive, send)

    async def _stripe(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        exchange = Exchange(scope["method"], scope["path"], query, Headers(scope=scope))
        exchange.fault = self._world.faults.take(exchange.method, exchange.path, query, self._mode(exchange))
        response = await self._respond(exchange, Request(scope, receive))
        self._record(exchange, response)
        await _deliver(exchange, response, scope, receive, send)

    def _mode(self, exchange: Exchange) -> str | None:
        try:
            exchange.principal = self._world.keyring.authenticate(exchange.headers)
        except ApiError:
            return DEVELOPER_KEYS.get(presented_key(exchange.headers) or "")
        return exchange.principal.mode

    async def _respond(self, exchange: Exchange, request: Request) -> Response:
        try:
            response = await self._answer(exchange, request)
        except ApiError as error:
            response = error.response(exchange.request_id)
        except OAuthError as error:
            response = error.response()
        version = exchange.headers.get("stripe-version", API_VERSION)
        response.headers.update({"Request-Id": exchange.request_id, "Stripe-Version": version})
        return response

    async def _answer(self, exchange: Exchange, request: Request) -> Response:
        await self._fail_first(exchange)
        if self._world.settings.latency_ms:
            await asyncio.sleep(self._world.settings.latency_ms / 1000)
        if exchange.fault is not None and exchange.fault.kind == "html":
            return Response(
                "<html><body><h1>Bad gateway</h1></body></html>", exchange.fault.status, media_type="text/html"
            )
        if exchange.is_token_request:
            oauth = self._world.oauth
            return await (oauth.app_token(request) if exchange.path == APP_TOKEN else oauth.connect_token(request))
        if exchange.method != "GET":
            raise ApiError(403, f"This account is read-only here: {exchange.method} {exchange.path} is not allowed.")
        principal = self._world.keyring.authenticate(exchange.headers)
        self._world.limits.check(principal.account, principal.mode, exchange.endpoint)
        body = self._world.api.answer(principal, exchange.path, exchange.query)
        if exchange.fault is not None and exchange.fault.kind == "broken_object":
            body = broken(body, exchange.fault)
        return Response(body, media_type="application/json")

    async def _fail_first(self, exchange: Exchange) -> None:
        fault = exchange.fault
        if fault is None:
            return
        if fault.mutation is not None:
            self._world.mutate(fault.mutation, exchange.principal)
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        error = refusal(fault)
        if error is not None:
            raise error

    def _record(self, exchange: Exchange, response: Response) -> None:
        principal = exchange.principal
        entry = {
            "method": exchange.method,
            "path": exchange.path,
            "query": [list(pair) for pair in exchange.query],
            "status": response.status_code,
            "fault": exchange.fault.kind if exchange.fault else None,
            "mode": principal.mode if principal else None,
            "account": principal.account if principal else None,
            "key": principal.label if principal else None,
            "request_id": exchange.request_id,
        }
        self._world.journal.record(entry, exchange.endpoint, is_token_endpoint=exchange.is_token_request)


async def _deliver(exchange: Exchange, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    kind = exchange.fault.kind if exchange.fault else None
    if kind == "timeout":
        await connections.hold(scope, receive)
    elif kind in _CUTS:
        await connections.send_half(send, response.status_code, response.raw_headers, bytes(response.body))
        await (connections.close if kind == "truncate" else connections.reset)(scope, receive)
    else:
        await response(scope, receive, send)
