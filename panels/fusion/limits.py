"""How many calls one provider takes at a time, learned from its 429s: additive increase, multiplicative decrease.
Source: D. Chiu and R. Jain, Computer Networks and ISDN Systems 17 (1989).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# 429s of requests that were under way together are one burst; those of other processes are told within this time.
BURST_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReading:
    """A limit at one moment: calls allowed at a time, as many as there could be, under way and waiting."""

    limit: int
    ceiling: int
    in_use: int
    waiting: int

    @property
    def is_lowered(self) -> bool:
        return self.limit < self.ceiling


class _Turn:
    """Somebody who waits. ``granted`` is set under the lock by whoever hands the place over."""

    __slots__ = ("future", "granted", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()
        self.granted = False

    def wake(self) -> None:
        """To be called on the turn's own loop."""
        if not self.future.done():
            self.future.set_result(None)


class AdaptiveLimit:
    """Places of one provider, for calls of several event loops and threads.

    The ceiling is the sum of what is opened with ``opened``: nothing is held back until the provider says 429. Then the
    limit is halved, once a burst and never below 1, and rises by one for every limit's worth of successes.
    ``on_cut`` hears of every halving, under a lock; it must not wait.
    """

    def __init__(self, *, now: Callable[[], float], on_cut: Callable[[], object] | None = None) -> None:
        self._now = now
        self._on_cut = on_cut
        self._lock = threading.Lock()
        self._ceiling = 0
        # None: as many as the ceiling allows.
        self._lowered: float | None = None
        self._in_use = 0
        self._waiting: deque[_Turn] = deque()
        self._cut_at = float("-inf")

    @contextmanager
    def opened(self, places: int) -> Iterator[None]:
        """Adds ``places`` to the ceiling for as long as somebody asks with them."""
        with self._lock:
            self._ceiling += places
            self._hand_over()
        try:
            yield
        finally:
            with self._lock:
                self._ceiling -= places

    @property
    def at_floor(self) -> bool:
        return self._lowered is not None and self._lowered < 2

    async def acquire(self) -> float:
        """A place, in the order of asking; returns when it was given. Hand it back by ``release``."""
        with self._lock:
            if not self._waiting and self._in_use < self._limit():
                self._in_use += 1
                return self._now()
            turn = _Turn()
            self._waiting.append(turn)
        try:
            await turn.future
        except asyncio.CancelledError:
            self._give_up(turn)
            raise
        return self._now()

    def release(self) -> None:
        with self._lock:
            self._in_use -= 1
            self._hand_over()

    def succeeded(self) -> None:
        """A call was answered: a little more may be tried."""
        if self._lowered is None:
            return
        with self._lock:
            lowered = self._lowered or float("inf")
            raised = lowered + 1 / lowered
            self._lowered = raised if raised < self._ceiling else None
            self._hand_over()

    def restore(self) -> None:
        """The 429s had another reason: back to the ceiling. Those of calls under way do not count."""
        with self._lock:
            self._lowered = None
            self._cut_at = self._now()
            self._hand_over()

    def throttled(self, *, since: float) -> None:
        """A call that got its place at ``since`` was told that it is one too many."""
        with self._lock:
            if since >= self._cut_at and self._cut() and self._on_cut is not None:
                self._on_cut()

    def adopt_cut(self) -> None:
        """Another process was told so. Not counted twice where both were told in the same burst."""
        with self._lock:
            if self._now() - self._cut_at >= BURST_S:
                self._cut()

    def reading(self) -> LimitReading:
        with self._lock:
            return LimitReading(
                limit=self._limit(), ceiling=self._ceiling, in_use=self._in_use, waiting=len(self._waiting)
            )

    def _limit(self) -> int:
        # While nobody has opened it, for example after a run's end, the floor holds.
        return max(1, self._ceiling if self._lowered is None else min(self._ceiling, int(self._lowered)))

    def _cut(self) -> bool:
        before = self._limit()
        self._cut_at = self._now()
        self._lowered = max(1.0, before / 2)
        return before > 1

    def _hand_over(self) -> None:
        """Gives free places to those who have waited longest."""
        while self._waiting and self._in_use < self._limit():
            turn = self._waiting.popleft()
            try:
                turn.loop.call_soon_threadsafe(turn.wake)
            except RuntimeError:
                continue  # its loop has ended, and with it whoever waited there
            turn.granted = True
            self._in_use += 1

    def _give_up(self, turn: _Turn) -> None:
        with self._lock:
            if turn.granted:
                self._in_use -= 1
                self._hand_over()
            else:
                self._waiting.remove(turn)
