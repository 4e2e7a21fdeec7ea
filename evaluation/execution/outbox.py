"""Answers on their way to the database: gathered until there are many, or until they have waited long enough."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from evaluation.execution.units import FinishedUnit, LoadedBatch

_ROOM_IN_FLUSHES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What is written together; ``empty`` are batches in which nothing was left to do."""

    finished: list[FinishedUnit]
    empty: list[LoadedBatch]


class Outbox:
    """Belongs to one event loop. ``rows`` is about how many rows make a parcel, ``seconds`` how long one waits."""

    def __init__(self, *, rows: int, seconds: float) -> None:
        self._rows, self._seconds = rows, seconds
        self._finished: deque[FinishedUnit] = deque()
        self._empty: list[LoadedBatch] = []
        self._row_count = 0
        self._closed = False
        self._anything, self._plenty, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._room.set()

    def add(self, finished: FinishedUnit) -> None:
        self._finished.append(finished)
        self._row_count += finished.row_count
        self._announce()

    def add_empty(self, batch: LoadedBatch) -> None:
        self._empty.append(batch)
        self._announce()

    def close(self) -> None:
        """Nothing more will be added: what is here goes out at once."""
        self._closed = True
        self._announce()

    async def has_room(self) -> None:
        """Waits while more is here than can be written soon, so that memory stays bounded."""
        await self._room.wait()

    async def take(self) -> Parcel | None:
        """The next parcel, None once the outbox is closed and empty."""
        await self._anything.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await self._plenty.wait()
        if not self._finished and not self._empty:
            return None
        parcel = Parcel(finished=self._take_rows(), empty=self._empty)
        self._empty = []
        self._announce()
        return parcel

    def _take_rows(self) -> list[FinishedUnit]:
        taken: list[FinishedUnit] = []
        rows = 0
        while self._finished and rows < self._rows:
            taken.append(self._finished.popleft())
            rows += taken[-1].row_count
        self._row_count -= rows
        return taken

    def _announce(self) -> None:
        _set(self._anything, self._closed or bool(self._finished) or bool(self._empty))
        _set(self._plenty, self._closed or self._row_count >= self._rows)
        _set(self._room, self._row_count < _ROOM_IN_FLUSHES * self._rows)


def _set(event: asyncio.Event, condition: bool) -> None:
    if condition:
        event.set()
    else:
        event.clear()
