"""The calls of a worker, in the order in which they deserve a slot."""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

Priority = tuple[int, int]


def call_priority(*, stage: int, position: int) -> Priority:
    """Later stages go first, then older examples: what is nearly finished is finished before anything new begins."""
    return (-stage, position)


def arbiter_priority(*, position: int) -> Priority:
    """Before every member: an answer that only lacks its arbiter is all but finished."""
    return (-sys.maxsize, position)


class CallQueue:
    """At most ``slots`` holders at a time; a free slot goes to the waiter of lowest priority value, then the oldest."""

    def __init__(self, *, slots: int) -> None:
        self._free = slots
        self._waiting: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._order = count()

    @asynccontextmanager
    async def slot(self, priority: Priority) -> AsyncIterator[None]:
        await self._acquire(priority)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, priority: Priority) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            # The slot may have been handed over in the moment of the cancellation.
            if turn.done() and not turn.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        while self._waiting:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
