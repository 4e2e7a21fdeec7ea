"""How long a live stage waits: enough replies, a grace period, a deadline, and a second request for the slowest."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from panels.fusion.outcomes import MemberCall
from panels.fusion.types import Ask, Failure, FailureKind, Member, Reply, Timing

logger = logging.getLogger(__name__)

Sent: TypeAlias = asyncio.Task[Reply | Failure]

_NOT_NEEDED = "not needed: no ballot still out could change the winner"
_OUTRUN = "an equal request answered first"


async def _to_nobody(call: MemberCall, /) -> None:
    del call


def _never_measured(member: Member, /) -> float | None:
    del member
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What a live request adds to the schedule: time, and someone to tell what comes after the answer.

    ``started`` is when the request came in, in seconds of ``clock`` (monotonic, as fast as the event loop's own).
    ``on_late`` gets each seat that was not waited for, with the result that it brought in the end; ``tasks`` are those
    still out. ``p95_of`` is a member's usual slowest latency in seconds, None where it is not known: such a member is
    not asked twice. ``ask_again`` sends the second of two equal requests, where ``ask`` would share the first one.
    """

    started: float
    clock: Callable[[], float] = time.monotonic
    on_late: Callable[[MemberCall], Awaitable[None]] = _to_nobody
    p95_of: Callable[[Member], float | None] = _never_measured
    ask_again: Ask | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set, compare=False)

    def left_s(self, timing: Timing) -> float | None:
        """Seconds until the deadline, 0 if it has passed; None without one."""
        if timing.deadline_s is None:
            return None
        return max(0.0, self.started + timing.deadline_s - self.clock())

    def is_over(self, timing: Timing) -> bool:
        return self.left_s(timing) == 0.0

    async def drain(self) -> None:
        """Wait for every seat that is still out, and for what ``on_late`` does with it."""
        while self.tasks:
            await asyncio.gather(*self.tasks)

    def keep(self, task: Sent, read: Callable[[Reply | Failure], MemberCall]) -> None:
        """Report what ``task`` brings whenever it does."""
        late = asyncio.create_task(self._report(task, read))
        self.tasks.add(late)
        late.add_done_callback(self.tasks.discard)

    async def _report(self, task: Sent, read: Callable[[Reply | Failure], MemberCall]) -> None:
        try:
            await self.on_late(read(await task))
        except Exception:
            # The answer has been given; there is nobody left to raise to.
            logger.exception("a late reply could not be recorded")
        finally:
            await cancel([task])


@dataclass(slots=True, kw_only=True)
class LiveStage:
    """One stage under way. ``run`` brings a result for each seat, in order; nothing it started outlives it but the
    seats given to ``live.keep``.

    A stage ends when all have answered; when ``can_end`` says that what is in decides, once ``min_replies`` are in
    (more than half of the stage where the panel names no number; never more than the stage has); ``grace_s`` after
    that many are in; or at the deadline. A seat that was not needed is cancelled: CANCELLED. One that is late is left
    to answer in its own time: LATE after the grace period, DEADLINE after the deadline.
    """

    live: Live
    timing: Timing
    seats: Mapping[int, Member]
    ask: Callable[[int], Coroutine[Any, Any, Reply | Failure]]
    ask_again: Callable[[int], Coroutine[Any, Any, Reply | Failure]]
    read: Callable[[int, Reply | Failure], MemberCall]
    can_end: Callable[[Mapping[int, MemberCall]], bool]
    _tasks: dict[int, Sent] = field(default_factory=dict, init=False)
    _sent: list[Sent] = field(default_factory=list, init=False)
    _calls: dict[int, MemberCall] = field(default_factory=dict, init=False)
    _began: float = field(default=0.0, init=False)
    _enough_at: float | None = field(default=None, init=False)
    _hedged: bool = field(default=False, init=False)

    async def run(self) -> list[MemberCall]:
        self._began = self.live.clock()
        self._tasks = {seat: self._start(self.ask(seat)) for seat in self.seats}
        try:
            await self._wait()
        finally:
            await cancel(self._sent)
        return [self._calls[seat] for seat in self.seats]

    def _start(self, call: Coroutine[Any, Any, Reply | Failure]) -> Sent:
        task = asyncio.create_task(call)
        self._sent.append(task)
        return task

    async def _wait(self) -> None:
        while self._tasks:
            done, _ = await asyncio.wait(
                self._tasks.values(), timeout=self._patience_s(), return_when=asyncio.FIRST_COMPLETED
            )
            arrived = [seat for seat, task in self._tasks.items() if task in done]
            for seat in arrived:
                self._calls[seat] = self.read(seat, self._tasks[seat].result())
                del self._tasks[seat]
            await self._end_early(news=bool(arrived))
            self._hedge()

    async def _end_early(self, *, news: bool) -> None:
        """Give up on what is out, if it is time to."""
        if not self._tasks:
            return
        if self._enough_at is None and self._has_enough():
            self._enough_at = self.live.clock()
        if news and self._enough_at is not None and self.can_end(self._calls):
            await self._dismiss()
        elif self.live.is_over(self.timing):
            self._leave(FailureKind.DEADLINE, f"no reply by the deadline of {self.timing.deadline_s:g} s")
        elif self._grace_left_s() == 0.0:
            self._leave(FailureKind.LATE, f"no reply within {self.timing.grace_s:g} s after enough others were in")

    def _has_enough(self) -> bool:
        wanted = self.timing.min_replies or len(self.seats) // 2 + 1
        return sum(isinstance(call.result, Reply) for call in self._calls.values()) >= min(wanted, len(self.seats))

    def _grace_left_s(self) -> float | None:
        if self._enough_at is None or self.timing.grace_s is None:
            return None
        return max(0.0, self._enough_at + self.timing.grace_s - self.live.clock())

    def _patience_s(self) -> float | None:
        """Seconds until something has to be done about those who are out; None: only when one answers."""
        due = [self.live.left_s(self.timing), self._grace_left_s(), self._hedge_in_s()]
        return min((seconds for seconds in due if seconds is not None), default=None)

    async def _dismiss(self) -> None:
        await cancel(self._tasks.values())
        self._give_up(FailureKind.CANCELLED, _NOT_NEEDED)

    def _leave(self, kind: FailureKind, detail: str) -> None:
        for seat, task in self._tasks.items():
            self.live.keep(task, partial(self.read, seat))
        self._sent = []
        self._give_up(kind, detail)

    def _give_up(self, kind: FailureKind, detail: str) -> None:
        waited_s = self.live.clock() - self._began
        for seat in self._tasks:
            self._calls[seat] = self.read(seat, Failure(kind=kind, detail=detail, latency_s=waited_s))
        self._tasks = {}

    def _hedge_in_s(self) -> float | None:
        """Seconds until the last seat that is out is asked a second time."""
        if not self.timing.hedges or self._hedged or len(self._tasks) != 1:
            return None
        (seat,) = self._tasks
        p95_s = self.live.p95_of(self.seats[seat])
        return None if p95_s is None else max(0.0, self._began + p95_s - self.live.clock())

    def _hedge(self) -> None:
        if self._hedge_in_s() != 0.0:
            return
        ((seat, first),) = self._tasks.items()
        self._hedged = True
        second = self._start(self.ask_again(seat))
        self._tasks[seat] = self._start(_first_good(first, second, head_start_s=self.live.clock() - self._began))


async def cancel(tasks: Iterable[Sent]) -> None:
    """Cancel, and wait until they are gone. What was done before is left as it is."""
    gone = list(tasks)
    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)


async def _first_good(first: Sent, second: Sent, *, head_start_s: float) -> Reply | Failure:
    """The reply of whichever of two equal requests brings one first; a failure waits for the other.

    The other request stands among the attempts before it, since it may have been billed: cancelled, and of the seat's
    time it took what passed before the second was sent (``head_start_s``), so that the attempts add up to the wait.
    """
    both = (first, second)
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not any(_has_reply(task) for task in both):
            await asyncio.wait(both)
    finally:
        await cancel(both)
    one, two = _brought(first, took_s=head_start_s), _brought(second, took_s=0.0)
    return _after(two, one) if isinstance(one, Reply) else _after(one, two)


def _has_reply(task: Sent) -> bool:
    return task.done() and task.exception() is None and isinstance(task.result(), Reply)


def _brought(task: Sent, *, took_s: float) -> Reply | Failure:
    if task.cancelled():
        return Failure(kind=FailureKind.CANCELLED, detail=_OUTRUN, latency_s=took_s)
    return task.result()


def _after(other: Reply | Failure, result: Reply | Failure) -> Reply | Failure:
    """``result``, with the other request and its attempts before it."""
    if isinstance(other, Reply):
        outrun = Failure(
            kind=FailureKind.CANCELLED,
            detail=_OUTRUN,
            usage=other.usage,
            latency_s=0.0,
            provider_model=other.provider_model,
            response_id=other.response_id,
        )
    else:
        outrun = replace(other, earlier=())
    return replace(result, earlier=(*other.earlier, outrun, *result.earlier))
