"""Connections to one provider: many small httpx clients behind one limit of our own.

httpx's pool costs more per request the more connections are open and the more requests wait in it. So nothing ever
waits in it: callers queue on a semaphore, and each free place names a client that has a connection to spare.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from math import ceil

import httpx

CONNECTIONS_PER_CLIENT = 8
KEEPALIVE_S = 30.0

Transport = Callable[[], httpx.AsyncBaseTransport]


@cache
def shared_ssl_context() -> ssl.SSLContext:
    """One for the process: loading the certificate store takes tens of milliseconds."""
    return httpx.create_ssl_context(trust_env=False)


def open_transport() -> httpx.AsyncBaseTransport:
    limits = httpx.Limits(
        max_connections=CONNECTIONS_PER_CLIENT,
        max_keepalive_connections=CONNECTIONS_PER_CLIENT,
        keepalive_expiry=KEEPALIVE_S,
    )
    return httpx.AsyncHTTPTransport(verify=shared_ssl_context(), limits=limits, trust_env=False)


class ClientPool:
    """``size`` places over httpx clients of at most eight connections each. Belongs to one event loop."""

    def __init__(self, *, size: int, transport: Transport = open_transport) -> None:
        if size < 1:
            raise ValueError(f"A pool needs at least one place, not {size}.")
        self._clients = [
            httpx.AsyncClient(transport=transport(), trust_env=False)
            for _ in range(ceil(size / CONNECTIONS_PER_CLIENT))
        ]
        # A stack: at low load the same few warm connections are used again.
        self._free = [client for client in self._clients for _ in range(CONNECTIONS_PER_CLIENT)][:size][::-1]
        self._places = asyncio.Semaphore(size)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client with a connection to spare, for one request."""
        async with self._places:
            client = self._free.pop()
            try:
                yield client
            finally:
                self._free.append(client)

    async def aclose(self) -> None:
        for client in self._clients:
            await client.aclose()
