"""The control API under `/_sandbox/`: what tests and the demo use to look behind and to change things."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import wraps
from typing import Any, ParamSpec

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox import events
from sandbox.accounts import FIELDNOTE
from sandbox.errors import ApiError
from sandbox.faults import Fault
from sandbox.kinds import KINDS, PERMISSIONS
from sandbox.mutations import CHANGEABLE
from sandbox.state import RestrictedKey, WebhookEndpoint
from sandbox.store import Dataset
from sandbox.world import World

P = ParamSpec("P")

CHUNK_BYTES = 262_144


class Advance(msgspec.Struct):
    """Body of `POST /_sandbox/clock`."""

    advance_seconds: int


class Consent(msgspec.Struct):
    """Body of `POST /_sandbox/consent`: what consents given from now on grant."""

    permissions: list[str]


class Pace(msgspec.Struct):
    """Body of `PUT /_sandbox/settings`; what is left out stays."""

    latency_ms: int | None = None
    rate_per_endpoint: float | None = None
    rate_per_account: float | None = None


class NewEvent(msgspec.Struct):
    """Body of `POST /_sandbox/events/…`: an event of any type about any object."""

    type: str
    object: dict[str, Any]


def _plain_errors(endpoint: Callable[P, Awaitable[Response]]) -> Callable[P, Awaitable[Response]]:
    @wraps(endpoint)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return await endpoint(*args, **kwargs)
        except ApiError as error:
            return JSONResponse({"error": error.message}, status_code=error.status)
        except (msgspec.MsgspecError, KeyError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return guarded


def control_routes(world: World) -> Starlette:
    """The application that serves the control API of `world`."""
    control = Control(world)
    routes = [
        Route("/_sandbox/health", control.health, methods=["GET"]),
        Route("/_sandbox/requests", control.requests, methods=["GET", "DELETE"]),
        Route("/_sandbox/faults", control.faults, methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/keys", control.add_key, methods=["POST"]),
        Route("/_sandbox/keys/{key}", control.revoke_key, methods=["DELETE"]),
        Route(
            "/_sandbox/objects/{account}/{mode}/{kind}/{id}", control.object, methods=["GET", "PATCH", "PUT", "DELETE"]
        ),
        Route("/_sandbox/events/{account}/{mode}", control.event, methods=["POST"]),
        Route("/_sandbox/data/{account}/{mode}", control.data, methods=["GET"]),
        Route("/_sandbox/grants/{account}/{mode}", control.uninstall, methods=["DELETE"]),
        Route("/_sandbox/consent", control.consent, methods=["POST"]),
        Route("/_sandbox/webhooks", control.webhooks, methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/settings", control.settings, methods=["PUT"]),
        Route("/_sandbox/clock", control.clock, methods=["POST"]),
        Route("/_sandbox/reset", control.reset, methods=["POST"]),
    ]
    return Starlette(routes=routes)


class Control:
    """The endpoints of the control API."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def health(self, _: Request) -> Response:
        """Whether the sandbox runs, with what data and at what time."""
        settings = self._world.settings
        return JSONResponse(
            {"ok": True, "profile": settings.profile, "seed": settings.seed, "now": self._world.clock.now()}
        )

    async def requests(self, request: Request) -> Response:
        """The journal; DELETE starts it anew."""
        if request.method == "DELETE":
            self._world.journal.clear()
        return JSONResponse(self._world.journal.document())

    @_plain_errors
    async def faults(self, request: Request) -> Response:
        """The rules in force with their counts; POST adds a list of them, DELETE drops all."""
        if request.method == "POST":
            self._world.faults.add(msgspec.json.decode(await request.body(), type=list[Fault]))
        elif request.method == "DELETE":
            self._world.faults.clear()
        return _json(self._world.faults.rules)

    @_plain_errors
    async def add_key(self, request: Request) -> Response:
        """Make a restricted key."""
        key = msgspec.json.decode(await request.body(), type=RestrictedKey)
        self._world.data(key.account, key.mode)
        self._world.keyring.add(key)
        return JSONResponse({"key": key.key}, status_code=201)

    async def revoke_key(self, request: Request) -> Response:
        """Revoke a key, a built-in one too."""
        self._world.keyring.revoke(request.path_params["key"])
        return Response(status_code=204)

    @_plain_errors
    async def object(self, request: Request) -> Response:
        """Read, merge into, create or delete one object; `?event=` names the event, `none` records none."""
        dataset, kind, object_id = self._dataset(request), request.path_params["kind"], request.path_params["id"]
        if kind not in CHANGEABLE:
            raise KeyError(f"not one of {', '.join(sorted(CHANGEABLE))}: {kind}")
        event = request.query_params.get("event")
        mutations = self._world.mutations
        if request.method == "GET":
            found = dataset.read(kind, object_id)
            return JSONResponse(found) if found is not None else Response(status_code=404)
        if request.method == "DELETE":
            mutations.delete(dataset, kind, object_id, event)
            return Response(status_code=204)
        value = msgspec.json.decode(await request.body(), type=dict[str, Any])
        change = mutations.patch if request.method == "PATCH" else mutations.put
        return JSONResponse(change(dataset, kind, object_id, value, event))

    @_plain_errors
    async def event(self, request: Request) -> Response:
        """Record and deliver an event as given."""
        dataset = self._dataset(request)
        new = msgspec.json.decode(await request.body(), type=NewEvent)
        event = events.record(dataset, self._world.clock, new.type, new.object)
        self._world.announce(dataset, event)
        return JSONResponse(event, status_code=201)

    @_plain_errors
    async def data(self, request: Request) -> Response:
        """The whole data set as JSON lines `{"kind": …, "object": …}`, grouped by kind."""
        return StreamingResponse(_lines(self._dataset(request)), media_type="application/x-ndjson")

    @_plain_errors
    async def uninstall(self, request: Request) -> Response:
        """End the app's access from Stripe's side."""
        self._dataset(request)
        ended = self._world.uninstall(request.path_params["account"], request.path_params["mode"])
        return JSONResponse({"ended": ended})

    @_plain_errors
    async def consent(self, request: Request) -> Response:
        """Choose what following consents grant."""
        wanted = msgspec.json.decode(await request.body(), type=Consent).permissions
        self._world.oauth.permissions = [one for one in PERMISSIONS if one in wanted]
        return JSONResponse({"permissions": self._world.oauth.permissions})

    @_plain_errors
    async def webhooks(self, request: Request) -> Response:
        """The endpoints and how deliveries went; POST adds an endpoint, DELETE drops all."""
        deliverer = self._world.webhooks
        if request.method == "POST":
            endpoint = msgspec.json.decode(await request.body(), type=WebhookEndpoint)
            endpoint.account = endpoint.account or FIELDNOTE.id
            deliverer.endpoints.append(endpoint)
            self._world.save()
        elif request.method == "DELETE":
            deliverer.endpoints.clear()
            self._world.save()
        urls = [{"url": one.url, "mode": one.mode, "connect": one.connect} for one in deliverer.endpoints]
        return JSONResponse({"endpoints": urls, "delivered": deliverer.delivered, "failed": deliverer.failed})

    @_plain_errors
    async def settings(self, request: Request) -> Response:
        """Change latency and rate limits while running."""
        pace = msgspec.json.decode(await request.body(), type=Pace)
        if pace.latency_ms is not None:
            self._world.settings.latency_ms = pace.latency_ms
        if pace.rate_per_endpoint is not None:
            self._world.limits.per_endpoint = pace.rate_per_endpoint
        if pace.rate_per_account is not None:
            self._world.limits.per_account = pace.rate_per_account
        return Response(status_code=204)

    @_plain_errors
    async def clock(self, request: Request) -> Response:
        """Move the clock."""
        now = self._world.clock.advance(msgspec.json.decode(await request.body(), type=Advance).advance_seconds)
        self._world.save()
        return JSONResponse({"now": now})

    async def reset(self, _: Request) -> Response:
        """Forget every change, grant, key, webhook, fault and count."""
        self._world.reset()
        return Response(status_code=204)

    def _dataset(self, request: Request) -> Dataset:
        return self._world.data(request.path_params["account"], request.path_params["mode"])


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


async def _lines(dataset: Dataset) -> AsyncIterator[bytes]:
    """The lines in chunks; asynchronous so that the data cannot change under an object being written."""
    chunk = bytearray()
    for kind, body in _objects(dataset):
        chunk += b'{"kind":"%s","object":%s}\n' % (kind.encode(), body)
        if len(chunk) > CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk)


def _objects(dataset: Dataset) -> Iterator[tuple[str, bytes]]:
    for kind, collection in dataset.collections.items():
        for entry in list(collection):
            stored_apart = entry.id in dataset.included or entry.id in dataset.item_overflow
            yield kind, msgspec.json.encode(dataset.whole(kind, entry)) if stored_apart else entry.body(kind)
        for body in list(dataset.removed.values()):
            if msgspec.json.decode(body)["object"] == KINDS[kind].resource:
                yield kind, body
    for body in list(dataset.discounts.values()):
        yield "discounts", body
