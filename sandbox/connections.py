"""Cutting connections: what a proxy or a dying server does to an answer, done on purpose."""

import asyncio
import socket
import struct
from typing import cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "transport"
HOLD_SECONDS = 120


class CuttableProtocol(H11Protocol):
    """HTTP/1.1 whose requests carry their transport in `scope["state"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the transport for the requests of this connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


async def send_half(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Promise the whole body and send half of it."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


async def close(scope: Scope, receive: Receive) -> None:
    """Close the connection in order, after what was sent has left."""
    _transport(scope).close()
    await _gone(receive)


async def reset(scope: Scope, receive: Receive) -> None:
    """Drop the connection at once: the other side sees it reset."""
    transport = _transport(scope)
    connection = cast(socket.socket, transport.get_extra_info("socket"))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _gone(receive)


async def hold(scope: Scope, receive: Receive) -> None:
    """Never answer: wait until the client leaves, at most two minutes, and close."""
    try:
        async with asyncio.timeout(HOLD_SECONDS):
            await _gone(receive)
    except TimeoutError:
        await close(scope, receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(scope: Scope) -> asyncio.Transport:
    return cast(asyncio.Transport, scope["state"][_TRANSPORT])
