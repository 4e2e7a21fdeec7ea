"""The bare loop that the runner is measured against: httpx with the least around it.

Clients of 8 connections each, bodies made beforehand, nothing read from the replies and nothing stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from time import perf_counter

import httpx
from django.utils import timezone

from evaluation.execution.plan import load_plan
from evaluation.models import Example, Run
from panels.fusion.clients.openai import request_body
from panels.fusion.types import ModelRequest

CONNECTIONS_A_CLIENT = 8


def ask_bare(run: Run, *, base_url: str) -> float:
    """Seconds in which the bare loop asks everything that the run is going to ask, with as many calls at a time."""
    bodies = list(_request_bodies(run))
    return asyncio.run(_ask_all(f"{base_url}/chat/completions", bodies, concurrency=run.concurrency))


def _request_bodies(run: Run) -> Iterator[bytes]:
    plan = load_plan(run.pk, now=timezone.now())
    for example in Example.objects.filter(version_id=plan.version_id).order_by("position"):
        for arm in plan.arms:
            for member in arm.panel.members:
                name = plan.models[member.model].name
                yield request_body(ModelRequest(model=name, messages=example.messages, sampling=member.sampling))


async def _ask_all(address: str, bodies: Sequence[bytes], *, concurrency: int) -> float:
    url, waiting = httpx.URL(address), iter(bodies)

    async def ask(client: httpx.AsyncClient) -> None:
        for body in waiting:
            request = httpx.Request("POST", url, headers=[(b"content-type", b"application/json")], content=body)
            response = await client.send(request)
            response.raise_for_status()

    async with AsyncExitStack() as stack:
        clients = await _open_clients(stack, -(-concurrency // CONNECTIONS_A_CLIENT))
        started = perf_counter()
        await asyncio.gather(*(ask(clients[place // CONNECTIONS_A_CLIENT]) for place in range(concurrency)))
        return perf_counter() - started


async def _open_clients(stack: AsyncExitStack, count: int) -> list[httpx.AsyncClient]:
    context = httpx.create_ssl_context(trust_env=False)
    limits = httpx.Limits(
        max_connections=CONNECTIONS_A_CLIENT, max_keepalive_connections=CONNECTIONS_A_CLIENT, keepalive_expiry=60
    )
    return [
        await stack.enter_async_context(httpx.AsyncClient(limits=limits, trust_env=False, verify=context, timeout=60))
        for _ in range(count)
    ]
