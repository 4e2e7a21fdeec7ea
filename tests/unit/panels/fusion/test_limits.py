from __future__ import annotations

import asyncio
import threading
from contextlib import AbstractContextManager, suppress

from hypothesis import given
from hypothesis import strategies as st

from panels.fusion.limits import BURST_S, AdaptiveLimit

OPEN: list[AbstractContextManager[None]] = []


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def lowered(places: int, *, to: int) -> tuple[AdaptiveLimit, Clock]:
    """A limit of ``places`` that 429s have brought down; it stays open."""
    clock = Clock()
    limit = AdaptiveLimit(now=clock)
    OPEN.append(limit.opened(places))
    OPEN[-1].__enter__()
    while limit.reading().limit > to:
        clock.now += 1
        limit.throttled(since=clock.now)
    return limit, clock


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_nothing_is_held_back_before_the_first_429():
    limit = AdaptiveLimit(now=Clock())
    with limit.opened(2), limit.opened(3):
        assert [await limit.acquire() for _ in range(5)] == [0.0] * 5
        assert (limit.reading().in_use, limit.reading().limit, limit.reading().is_lowered) == (5, 5, False)
        for _ in range(5):
            limit.release()
        limit.succeeded()
        assert not limit.reading().is_lowered


async def test_who_waits_longest_is_next():
    limit, _ = lowered(8, to=1)
    await limit.acquire()
    order: list[int] = []

    async def ask(number: int) -> None:
        await limit.acquire()
        order.append(number)
        limit.release()

    tasks = [asyncio.create_task(ask(number)) for number in range(4)]
    await settle()
    assert limit.reading().waiting == 4
    limit.release()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3]
    assert limit.reading().in_use == 0


async def test_a_newcomer_does_not_pass_those_who_wait():
    limit, _ = lowered(8, to=1)
    await limit.acquire()
    first = asyncio.create_task(limit.acquire())
    await settle()
    limit.release()
    second = asyncio.create_task(limit.acquire())
    await settle()
    assert (first.done(), second.done()) == (True, False)
    limit.release()
    await second


def test_429_halves_once_a_burst_and_never_below_one():
    clock = Clock()
    cuts: list[float] = []
    limit = AdaptiveLimit(now=clock, on_cut=lambda: cuts.append(clock.now))
    with limit.opened(10):
        clock.now = 5
        for _ in range(10):
            limit.throttled(since=4.0)
        assert limit.reading().limit == 5
        limits = []
        for _ in range(4):
            clock.now += 1
            limit.throttled(since=clock.now)
            limits.append(limit.reading().limit)
        assert limits == [2, 1, 1, 1]
        assert limit.at_floor
        assert cuts == [5, 6, 7]


def test_success_raises_it_by_one_for_every_limits_worth_until_it_is_where_it_was():
    limit, _ = lowered(8, to=4)
    seen = []
    for _ in range(40):
        limit.succeeded()
        seen.append(limit.reading().limit)
    assert seen[:5] == [4, 4, 4, 4, 5]
    assert seen[-1] == 8
    assert seen == sorted(seen)
    assert not limit.reading().is_lowered
    assert not limit.at_floor


async def test_a_place_that_success_opens_goes_to_who_waits():
    limit, _ = lowered(2, to=1)
    await limit.acquire()
    waiting = asyncio.create_task(limit.acquire())
    await settle()
    limit.succeeded()
    await waiting
    assert limit.reading().in_use == 2


async def test_a_ceiling_that_rises_lets_waiters_in_and_one_that_falls_takes_nothing_away():
    limit = AdaptiveLimit(now=Clock())
    with limit.opened(1):
        await limit.acquire()
        waiting = asyncio.create_task(limit.acquire())
        await settle()
        with limit.opened(1):
            await waiting
        assert (limit.reading().in_use, limit.reading().limit) == (2, 1)
        third = asyncio.create_task(limit.acquire())
        await settle()
        limit.release()
        await settle()
        assert not third.done()
        limit.release()
        await third
    assert limit.reading().limit == 1


def test_a_cut_that_others_were_told_of_counts_once():
    clock = Clock()
    cuts: list[None] = []
    limit = AdaptiveLimit(now=clock, on_cut=lambda: cuts.append(None))
    with limit.opened(8):
        limit.adopt_cut()
        assert limit.reading().limit == 4
        clock.now = BURST_S / 2
        limit.adopt_cut()
        limit.throttled(since=-1.0)
        assert limit.reading().limit == 4
        clock.now = BURST_S
        limit.adopt_cut()
        assert limit.reading().limit == 2
    assert not cuts


async def test_a_limit_that_was_lowered_for_nothing_is_restored():
    limit, clock = lowered(8, to=1)
    await limit.acquire()
    waiting = asyncio.create_task(limit.acquire())
    await settle()
    began = clock.now
    clock.now += 1
    limit.restore()
    await waiting
    limit.throttled(since=began)
    assert (limit.reading().limit, limit.at_floor) == (8, False)
    limit.throttled(since=clock.now)
    assert limit.reading().limit == 4


def test_a_limit_that_nobody_listens_to_is_cut_all_the_same():
    limit, _ = lowered(4, to=2)
    assert limit.reading().limit == 2


async def test_who_gives_up_waiting_leaves_no_trace():
    limit, _ = lowered(4, to=1)
    await limit.acquire()
    impatient = asyncio.create_task(limit.acquire())
    patient = asyncio.create_task(limit.acquire())
    await settle()
    impatient.cancel()
    await settle()
    assert limit.reading().waiting == 1
    limit.release()
    await patient
    assert limit.reading().in_use == 1


async def test_a_place_handed_over_in_the_moment_of_cancellation_goes_on_to_the_next():
    limit, _ = lowered(4, to=1)
    await limit.acquire()
    cancelled = asyncio.create_task(limit.acquire())
    following = asyncio.create_task(limit.acquire())
    await settle()
    limit.release()
    cancelled.cancel()
    await settle()
    assert (cancelled.cancelled(), following.done(), limit.reading().in_use) == (True, True, 1)


def test_threads_with_loops_of_their_own_share_the_places():
    limit, _ = lowered(48, to=3)
    lock, under_way, most, calls = threading.Lock(), 0, 0, 0

    async def call() -> None:
        nonlocal under_way, most, calls
        await limit.acquire()
        with lock:
            under_way += 1
            most, calls = max(most, under_way), calls + 1
        await asyncio.sleep(0.0005)
        with lock:
            under_way -= 1
        limit.release()

    async def many() -> None:
        async with asyncio.timeout(20):
            await asyncio.gather(*(call() for _ in range(30)))

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, calls) == (3, 120)
    assert (limit.reading().in_use, limit.reading().waiting) == (0, 0)


def test_a_waiter_whose_loop_has_ended_is_passed_over():
    limit, _ = lowered(4, to=1)

    async def wait_forever() -> None:
        await limit.acquire()
        turn = limit.acquire()
        turn.send(None)  # it waits now
        turns.append(turn)

    turns: list = []
    asyncio.run(wait_forever())
    limit.release()
    assert (limit.reading().in_use, limit.reading().waiting) == (0, 0)
    with suppress(RuntimeError, StopIteration):
        turns[0].close()


class Crowd:
    """Calls under one limit, some of them holding a place until they are told to finish."""

    def __init__(self, limit: AdaptiveLimit) -> None:
        self.limit = limit
        self.holding: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self) -> None:
        self.tasks.append(asyncio.create_task(self._call()))

    def finish(self, place: int) -> None:
        if self.holding:
            self.holding[place % len(self.holding)].set()

    def cancel(self, place: int) -> None:
        if self.tasks:
            self.tasks[place % len(self.tasks)].cancel()

    async def end(self) -> None:
        async with asyncio.timeout(5):
            while not all(task.done() for task in self.tasks):
                for done in self.holding:
                    done.set()
                await asyncio.sleep(0)

    async def _call(self) -> None:
        done = asyncio.Event()
        await self.limit.acquire()
        try:
            self.holding.append(done)
            assert len(self.holding) <= self.limit.reading().in_use <= self.limit.reading().ceiling
            await done.wait()
        finally:
            self.holding.remove(done)
            self.limit.release()


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "ask", "finish", "cancel", "429", "well", "turn"]), st.integers(0, 9)),
    min_size=1,
    max_size=40,
)


@given(steps=STEPS, places=st.integers(1, 4))
def test_no_interleaving_of_calls_429s_and_cancellations_exceeds_or_leaks(steps, places):
    """Random calls, some cancelled at random moments; afterwards every place is there again."""
    clock = Clock()
    limit = AdaptiveLimit(now=clock)

    async def scenario() -> None:
        crowd = Crowd(limit)
        moves = {
            "ask": lambda place: crowd.ask(),
            "finish": crowd.finish,
            "cancel": crowd.cancel,
            "429": lambda place: limit.throttled(since=clock.now),
            "well": lambda place: limit.succeeded(),
        }
        for step, place in steps:
            clock.now += 1
            before = limit.reading()
            if step == "turn":
                await settle()
            else:
                moves[step](place)
            after = limit.reading()
            # A limit that falls lets those end who are under way; nobody comes in above it.
            assert after.in_use <= max(after.limit, before.in_use)
            assert 1 <= after.limit <= places
        await crowd.end()
        for task in crowd.tasks:
            assert task.cancelled() or task.exception() is None

    with limit.opened(places):
        asyncio.run(scenario())
        assert (limit.reading().in_use, limit.reading().waiting) == (0, 0)
