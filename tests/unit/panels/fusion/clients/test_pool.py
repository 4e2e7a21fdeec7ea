from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest

from panels.fusion.clients.pool import CONNECTIONS_PER_CLIENT, ClientPool, open_transport, shared_ssl_context


def no_network() -> httpx.AsyncBaseTransport:
    return httpx.MockTransport(lambda request: httpx.Response(200))


@pytest.mark.parametrize(("size", "clients"), [(1, 1), (8, 1), (9, 2), (100, 13)])
async def test_no_client_gets_more_requests_than_connections(size, clients):
    pool = ClientPool(size=size, transport=no_network)
    held: Counter[int] = Counter()
    most: Counter[int] = Counter()
    full = asyncio.Barrier(size)

    async def use() -> None:
        async with pool.place() as client:
            held[id(client)] += 1
            most[id(client)] = max(most[id(client)], held[id(client)])
            await full.wait()
            held[id(client)] -= 1

    await asyncio.gather(*(use() for _ in range(size * 2)))
    await pool.aclose()
    assert len(most) == clients
    assert max(most.values()) <= CONNECTIONS_PER_CLIENT
    assert sum(most.values()) == size


async def test_one_request_at_a_time_stays_with_one_client():
    pool = ClientPool(size=20, transport=no_network)
    seen = set()
    for _ in range(30):
        async with pool.place() as client:
            seen.add(client)
    await pool.aclose()
    assert len(seen) == 1


async def test_a_place_comes_back_when_its_user_fails():
    pool = ClientPool(size=1, transport=no_network)
    with pytest.raises(LookupError):
        async with pool.place():
            raise LookupError
    async with asyncio.timeout(1), pool.place():
        pass
    await pool.aclose()


def test_a_pool_has_at_least_one_place():
    with pytest.raises(ValueError, match="at least one place"):
        ClientPool(size=0)


async def test_transports_share_the_certificate_store():
    transport = open_transport()
    assert shared_ssl_context() is shared_ssl_context()
    await transport.aclose()
