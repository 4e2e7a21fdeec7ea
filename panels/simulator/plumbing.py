"""ASGI messages: a request's body in, a response's out, and what a server lets one do to a connection."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterable, Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, TypeAlias

from panels.simulator.chat_request import InvalidRequest

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 4 * 2**20
JSON = b"application/json"
EVENTS = b"text/event-stream; charset=utf-8"
_SIMULATED = (b"x-simulated", b"true")
# On, for no seconds: closing throws away what is unsent and answers with RST.
_NO_LINGER = struct.pack("ii", 1, 0)


async def receive_body(receive: Receive) -> bytes:
    """Raises InvalidRequest when it is too large."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise InvalidRequest("The body of the request is too large.", status=413)
    return body


async def is_left_within(receive: Receive, seconds: float) -> bool:
    """Wait for ``seconds``, or until the client of a request that was read whole has left; True if it has."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
            return True
    return False


async def send_body(
    send: Send,
    body: bytes,
    *,
    status: int = 200,
    content_type: bytes = JSON,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    length = (b"content-length", str(len(body)).encode())
    head = [(b"content-type", content_type), length, _SIMULATED, *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def send_events(
    send: Send, events: AsyncIterable[bytes], *, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    await start_parts(send, content_type=EVENTS, headers=headers)
    async for event in events:
        await send_part(send, event)
    await end_parts(send)


async def start_parts(send: Send, *, content_type: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Begin a response of status 200 whose length is not known."""
    head = [(b"content-type", content_type), (b"cache-control", b"no-cache"), _SIMULATED, *headers]
    await send({"type": "http.response.start", "status": 200, "headers": head})


async def send_part(send: Send, part: bytes) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": True})


async def end_parts(send: Send) -> None:
    await send({"type": "http.response.body", "body": b""})


async def reset_connection(receive: Receive, send: Send) -> None:
    """Close the connection as a machine does that crashed. ASGI has no word for it: ``send`` must be uvicorn's."""
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    # Until the server knows of it, it takes a response without an end for a mistake of ours.
    while (await receive())["type"] != "http.disconnect":
        pass
