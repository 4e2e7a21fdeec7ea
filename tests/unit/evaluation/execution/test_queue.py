from __future__ import annotations

import asyncio

import pytest

from evaluation.execution.queue import CallQueue, call_priority


async def test_free_slots_go_to_later_stages_then_to_older_examples():
    queue, order = CallQueue(slots=1), []

    async def call(stage: int, position: int) -> None:
        async with queue.slot(call_priority(stage=stage, position=position)):
            order.append((stage, position))

    async with queue.slot(call_priority(stage=0, position=9)):
        waiting = [asyncio.create_task(call(*place)) for place in [(0, 5), (0, 2), (1, 7), (1, 3)]]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == [(1, 3), (1, 7), (0, 2), (0, 5)]


async def test_never_more_holders_than_slots_and_every_slot_is_used():
    queue, held, most = CallQueue(slots=3), 0, 0

    async def call(position: int) -> None:
        nonlocal held, most
        async with queue.slot(call_priority(stage=0, position=position)):
            held += 1
            most = max(most, held)
            await asyncio.sleep(0)
            held -= 1

    await asyncio.gather(*(call(position) for position in range(20)))
    assert (held, most) == (0, 3)


@pytest.mark.parametrize("granted", [False, True])
async def test_a_cancelled_caller_leaves_its_slot_to_the_next(granted):
    queue = CallQueue(slots=1)
    release = asyncio.Event()

    async def call(*, wait: bool) -> str:
        async with queue.slot((0, 0)):
            if wait:
                await release.wait()
            return "served"

    holder = asyncio.create_task(call(wait=True))
    await asyncio.sleep(0)
    leaving, next_one = asyncio.create_task(call(wait=False)), asyncio.create_task(call(wait=False))
    await asyncio.sleep(0)
    if granted:
        release.set()
        await holder
    leaving.cancel()
    release.set()
    assert await asyncio.wait_for(next_one, 1) == "served"
    assert leaving.cancelled() or granted
