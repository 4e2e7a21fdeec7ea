"""ASGI messages: a request's body in, a response's out."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from panels.simulator.chat_request import InvalidRequest

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 4 * 2**20
JSON = b"application/json"
EVENTS = b"text/event-stream; charset=utf-8"
_SIMULATED = (b"x-simulated", b"true")


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


async def send_events(send: Send, events: AsyncIterable[bytes]) -> None:
    head = [(b"content-type", EVENTS), (b"cache-control", b"no-cache"), _SIMULATED]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    async for event in events:
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
