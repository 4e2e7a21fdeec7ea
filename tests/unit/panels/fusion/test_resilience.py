from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.fusion.breaker import BreakerRules, BreakerState
from panels.fusion.registry import ModelKey, Registry
from panels.fusion.resilience import ResilientClient
from panels.fusion.retry import RetryPolicy
from panels.fusion.types import Failure, FailureKind, Message, ModelRequest, Reply, Sampling

REQUEST = ModelRequest(model="m", messages=(Message(role="user", content="Which?"),), sampling=Sampling())
KEY = ModelKey("house", "m")
RULES = BreakerRules(first_pause_s=2.0, longest_pause_s=8.0)


class Clock:
    """Time passes where somebody sleeps or is waited for, and nowhere else."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Scripted:
    """Gives its results in order, the last one again and again; each takes as long as its latency."""

    def __init__(self, clock: Clock, results: Sequence[Reply | Failure]) -> None:
        self.clock = clock
        self.results = list(results)
        self.begun: list[float] = []

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        self.begun.append(self.clock.now)
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        await asyncio.sleep(0)
        self.clock.now += result.latency_s or 0.0
        return result


class Upstream:
    """A resilient client over scripted results, with everything it uses at hand."""

    def __init__(self, *results: Reply | Failure, **settings) -> None:
        self.clock = Clock()
        self.inner = Scripted(self.clock, results)
        self.registry = Registry(now=self.clock, rules=RULES)
        self.client = ResilientClient(
            inner=self.inner,
            breaker=self.registry.breaker(KEY),
            limit=self.registry.limit("house"),
            now=self.clock,
            sleep=self.clock.sleep,
            **({"rng": Random(0)} | settings),
        )

    async def ask(self) -> Reply | Failure:
        return await self.client.complete(REQUEST)

    @property
    def state(self) -> BreakerState:
        return self.registry.breaker(KEY).reading().state


def failed(kind: FailureKind = FailureKind.SERVER, *, latency_s: float = 0.5, **fields: Any) -> Failure:
    return Failure(kind=kind, detail="scripted", latency_s=latency_s, **fields)


GOOD = Reply(text="A", latency_s=1.0)


async def test_a_reply_at_once_is_passed_on_as_it_is():
    upstream = Upstream(GOOD)
    assert await upstream.ask() is GOOD
    assert upstream.clock.slept == []


async def test_what_failed_before_the_reply_stands_before_it():
    first, second = failed(), failed(FailureKind.CONNECTION)
    upstream = Upstream(first, second, GOOD)
    reply = await upstream.ask()
    assert isinstance(reply, Reply)
    assert [each.kind for each in reply.earlier] == [FailureKind.SERVER, FailureKind.CONNECTION]
    assert [each.pause_s for each in reply.earlier] == upstream.clock.slept
    assert upstream.inner.begun == [0.0, 0.5 + upstream.clock.slept[0], 1.0 + sum(upstream.clock.slept)]


async def test_a_call_that_keeps_failing_ends_after_its_attempts():
    upstream = Upstream(failed())
    result = await upstream.ask()
    assert isinstance(result, Failure)
    assert (result.kind, len(result.earlier), len(upstream.inner.begun)) == (FailureKind.SERVER, 2, 3)


async def test_what_would_not_pass_is_not_tried_again():
    upstream = Upstream(failed(FailureKind.TIMEOUT))
    result = await upstream.ask()
    assert isinstance(result, Failure)
    assert (result.earlier, len(upstream.inner.begun)) == ((), 1)


async def test_an_open_breaker_turns_away_at_once_and_sends_nothing():
    upstream = Upstream(failed(FailureKind.TIMEOUT))
    for _ in range(5):
        await upstream.ask()
    result = await upstream.ask()
    assert isinstance(result, Failure)
    assert (result.kind, result.latency_s, result.retry_after_s) == (FailureKind.BREAKER_OPEN, 0.0, 2.0)
    assert "tried again in 2 s" in result.detail
    assert (len(upstream.inner.begun), upstream.clock.slept) == (5, [])


async def test_a_breaker_that_opens_between_attempts_ends_the_call_with_what_failed():
    upstream = Upstream(failed())
    await upstream.ask()
    result = await upstream.ask()
    assert isinstance(result, Failure)
    assert (result.kind, len(result.earlier)) == (FailureKind.SERVER, 1)
    assert len(upstream.inner.begun) == 5


async def test_after_the_pause_one_call_probes_and_closes_it():
    upstream = Upstream(*[failed(FailureKind.TIMEOUT)] * 5, GOOD)
    for _ in range(5):
        await upstream.ask()
    upstream.clock.now += 2
    results = await asyncio.gather(*(upstream.ask() for _ in range(4)))
    assert [type(result) for result in results] == [Reply, Failure, Failure, Failure]
    assert upstream.state is BreakerState.CLOSED
    assert isinstance(await upstream.ask(), Reply)


async def test_a_probe_that_another_process_has_is_not_sent():
    async def taken() -> bool:
        return False

    upstream = Upstream(failed(FailureKind.TIMEOUT), claim_probe=taken)
    for _ in range(5):
        await upstream.ask()
    upstream.clock.now += 2
    result = await upstream.ask()
    assert isinstance(result, Failure)
    assert (result.kind, len(upstream.inner.begun)) == (FailureKind.BREAKER_OPEN, 5)


@pytest.mark.parametrize("where", ["claim", "send"])
async def test_a_cancelled_probe_leaves_the_probe_to_another(where):
    async def never() -> bool:
        await asyncio.sleep(60)
        return True

    upstream = Upstream(failed(FailureKind.TIMEOUT), **({"claim_probe": never} if where == "claim" else {}))
    for _ in range(5):
        await upstream.ask()
    upstream.clock.now += 2
    probe = asyncio.create_task(upstream.ask())
    await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    ticket = upstream.registry.breaker(KEY).enter()
    assert ticket is not None
    assert ticket.is_probe
    assert upstream.registry.limit("house").reading().in_use == 0


async def test_a_client_that_raises_leaves_no_place_behind():
    class Broken:
        async def complete(self, request: ModelRequest) -> Reply | Failure:
            raise RuntimeError("a bug")

    upstream = Upstream(GOOD)
    client = upstream.registry.wrap(Broken(), KEY)
    with pytest.raises(RuntimeError):
        await client.complete(REQUEST)
    assert upstream.registry.limit("house").reading().in_use == 0


async def test_429_lowers_the_limit_and_opens_nothing_until_it_is_as_low_as_can_be():
    upstream = Upstream(failed(FailureKind.RATE_LIMITED), policy=RetryPolicy(attempts=1))
    with upstream.registry.limit("house").opened(8):
        for _ in range(3):
            await upstream.ask()
        assert upstream.registry.limit("house").reading().limit == 1
        assert upstream.state is BreakerState.CLOSED
        for _ in range(4):
            await upstream.ask()
        assert upstream.state is BreakerState.CLOSED
        await upstream.ask()
        assert upstream.registry.breaker(KEY).outage() is not None
        # It was this model's own trouble, so its neighbours at the provider are asked as before.
        assert upstream.registry.limit("house").reading().limit == 8


async def test_a_probe_that_is_one_too_many_opens_it_again_and_slows_down_nobody():
    upstream = Upstream(*[failed(FailureKind.TIMEOUT)] * 5, failed(FailureKind.RATE_LIMITED))
    with upstream.registry.limit("house").opened(8):
        for _ in range(5):
            await upstream.ask()
        upstream.clock.now += 2
        await upstream.ask()
        assert upstream.state is BreakerState.OPEN
        assert upstream.registry.breaker(KEY).outage().pause_s == 4
        assert upstream.registry.limit("house").reading().limit == 8


async def test_a_run_sits_out_a_short_outage():
    upstream = Upstream(*[failed(FailureKind.TIMEOUT)] * 6, GOOD, patience_s=30.0)
    for _ in range(5):
        await upstream.ask()
    results = await asyncio.gather(*(upstream.ask() for _ in range(3)))
    # One of them was the first probe, which failed; the second one was answered, and all the others after it.
    assert sorted(type(result).__name__ for result in results) == ["Failure", "Reply", "Reply"]
    assert not any(isinstance(result, Failure) and result.kind is FailureKind.BREAKER_OPEN for result in results)
    assert upstream.state is BreakerState.CLOSED


async def test_an_outage_that_outlasts_patience_is_not_waited_for():
    upstream = Upstream(failed(FailureKind.TIMEOUT), patience_s=10.0)
    for _ in range(12):
        await upstream.ask()
    assert upstream.clock.now < 30
    before = upstream.clock.now
    result = await upstream.ask()
    assert isinstance(result, Failure)
    assert (result.kind, upstream.clock.now) == (FailureKind.BREAKER_OPEN, before)


async def test_a_wait_between_attempts_stands_in_the_pause():
    upstream = Upstream(*[failed()] * 5, GOOD, patience_s=30.0)
    await upstream.ask()
    reply = await upstream.ask()
    assert isinstance(reply, Reply)
    assert len(reply.earlier) == 2
    assert reply.earlier[-1].pause_s == pytest.approx(sum(upstream.clock.slept[3:]))
    assert reply.earlier[-1].pause_s > 2


RESULTS = st.lists(
    st.one_of(
        st.just(GOOD),
        st.builds(
            failed,
            st.sampled_from(
                [FailureKind.SERVER, FailureKind.RATE_LIMITED, FailureKind.CONNECTION, FailureKind.TIMEOUT]
            ),
            latency_s=st.floats(0, 20),
            retry_after_s=st.none() | st.floats(0, 40),
        ),
    ),
    min_size=1,
    max_size=8,
)


@given(results=RESULTS, budget=st.floats(0, 40), patience=st.floats(0, 60), seed=st.integers(0, 9))
def test_no_attempt_begins_after_the_budget(results, budget, patience, seed):
    policy = RetryPolicy(attempts=5, budget_s=budget)
    upstream = Upstream(*results, policy=policy, patience_s=patience, rng=Random(seed))
    result = asyncio.run(upstream.ask())
    begun = upstream.inner.begun
    assert 1 <= len(begun) <= 5
    assert begun[-1] - begun[0] <= budget + 1e-9
    assert len(result.earlier) == len(begun) - 1
    assert upstream.registry.limit("house").reading().in_use == 0


class Instant:
    async def complete(self, request: ModelRequest) -> Reply | Failure:
        return GOOD


async def seconds_a_call(complete: Callable, calls: int = 2_000) -> float:
    started = process_time()
    for _ in range(calls):
        await complete(REQUEST)
    return (process_time() - started) / calls


async def test_a_call_that_goes_well_costs_next_to_nothing_more():
    bare = Instant()
    wrapped = Registry().wrap(bare, KEY)
    added = min([await seconds_a_call(wrapped.complete) for _ in range(5)])
    assert added < 50e-6
