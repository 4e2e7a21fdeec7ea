"""Whatever happens on the way of a live answer, its ceiling is not crossed and its lines add up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion import live_answer
from panels.fusion.breaker import Breaker
from panels.fusion.cost_lines import add_up
from panels.fusion.limits import AdaptiveLimit
from panels.fusion.live import Live
from panels.fusion.live_answer import Late, LiveAnswer, Reach, answer_live
from panels.fusion.pricing import Price
from panels.fusion.resilience import ResilientClient
from panels.fusion.types import (
    Arbiter,
    ArbiterWhen,
    Failure,
    FailureKind,
    Member,
    ModelRequest,
    Panel,
    Reply,
    Sampling,
    Stage,
    StrategyName,
    Timing,
    Usage,
)
from tests.unit.panels.fusion.live_panels import SECRET, ask, body_of
from tests.unit.panels.fusion.strict_budget import BILLABLE, Strict
from tests.unit.panels.fusion.virtual_time import now, run_virtually

EACH = Price(in_nanousd_per_mtok=1_000_000, out_nanousd_per_mtok=1_000_000)  # a nano-dollar a token
MOST_OUT = 20


class Remembered(Strict):
    """One of those that were made."""

    made: list[Remembered] = []

    def __init__(self, ceiling_nanousd: int | None) -> None:
        super().__init__(ceiling_nanousd)
        self.made.append(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a provider ends a request: after how long, how, and what it bills (tokens in and out)."""

    seconds: float
    kind: FailureKind | None
    out: int
    says_usage: bool


endings = st.builds(
    Ending,
    seconds=st.sampled_from([0, 1, 1, 2, 3, 5, 8]),
    kind=st.sampled_from([*BILLABLE, FailureKind.RATE_LIMITED, FailureKind.SERVER, FailureKind.CONNECTION]),
    out=st.integers(0, MOST_OUT),
    says_usage=st.booleans(),
)


@dataclass(slots=True)
class Biller:
    """Bills what it was sent, whether or not anybody still listens."""

    script: list[Ending]
    billed: int = 0
    sent: int = 0

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        ending = self.script[self.sent % len(self.script)]
        self.sent += 1
        bills = ending.kind in BILLABLE
        usage = Usage(prompt_tokens=len(body_of(request)), completion_tokens=ending.out) if bills else Usage()
        self.billed += (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        await asyncio.sleep(ending.seconds)
        told = usage if ending.says_usage else Usage()
        if ending.kind is None:
            return Reply(text="It is so.", usage=told, latency_s=ending.seconds)
        return Failure(kind=ending.kind, detail="", usage=told, latency_s=ending.seconds)


@contextmanager
def retried(biller: Biller) -> Iterator[ResilientClient]:
    limit = AdaptiveLimit(now=now)
    with limit.opened(2):
        yield ResilientClient(inner=biller, breaker=Breaker(now=now), limit=limit, now=now, rng=Random(0))


seconds = st.sampled_from([None, 0.5, 1, 2, 3, 4, 6])
timings = st.builds(
    Timing, min_replies=st.sampled_from([None, 1, 2]), grace_s=seconds, deadline_s=seconds, hedges=st.booleans()
)


@settings(deadline=None, max_examples=300)
@given(
    scripts=st.lists(st.lists(endings, min_size=1, max_size=4), min_size=2, max_size=5),
    ceiling=st.one_of(st.integers(1, 600), st.integers(600, 30_000)),
    timing=timings,
    cut=st.integers(0, 4),
    gone_after=seconds,
    stop_at=st.sampled_from([None, 0.5, 1.0]),
)
def test_no_interleaving_crosses_the_ceiling_and_the_lines_add_up(
    scripts: list[list[Ending]],
    ceiling: int,
    timing: Timing,
    cut: int,
    gone_after: float | None,
    stop_at: float | None,
) -> None:
    """The last script is the arbiter's; a client may go away before the answer is there."""
    billers = {f"m{seat}": Biller(script) for seat, script in enumerate(scripts)}
    *names, judge = billers
    members = [Member(model=name, sampling=Sampling(max_tokens=MOST_OUT)) for name in names]
    panel = Panel(
        strategy=StrategyName.SYNTHESIS,
        stages=tuple(Stage(members=tuple(half)) for half in (members[:cut], members[cut:]) if half),
        stop_at=stop_at,
        arbiter=Arbiter(
            model=judge, prompt="synthesis-1", when=ArbiterWhen.ALWAYS, sampling=Sampling(max_tokens=MOST_OUT)
        ),
        timing=timing,
        max_cost_nanousd=ceiling,
    )
    late: list[Late] = []

    async def on_late(found: Late) -> None:
        late.append(found)

    async def main() -> LiveAnswer | None:
        with ExitStack() as stack:
            return await ask_and_drain({name: stack.enter_context(retried(each)) for name, each in billers.items()})

    async def ask_and_drain(clients: Mapping[str, ResilientClient]) -> LiveAnswer | None:
        live = Live(started=now(), clock=now, p95_of=lambda member: 2.0)
        reach = Reach(
            clients=clients,
            prices=dict.fromkeys(billers, EACH),
            body_of=body_of,
            secret=SECRET,
            on_late=on_late,
        )
        task = asyncio.create_task(answer_live(question=ask(), panel=panel, reach=reach, live=live))
        await asyncio.wait([task], timeout=gone_after)
        task.cancel()
        await asyncio.wait([task])
        await live.drain()
        return None if task.cancelled() else task.result()

    Remembered.made.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_answer, "Budget", Remembered)
        answer = run_virtually(main)
    billed = sum(biller.billed for biller in billers.values())
    if not Remembered.made:
        assert billed == 0
        assert answer is not None
        assert answer.reason == live_answer.NO_MONEY
        return
    (budget,) = Remembered.made
    assert budget.reserved_nanousd == 0
    assert billed <= budget.spent_nanousd <= ceiling
    assert add_up(budget.lines).total_nanousd == budget.spent_nanousd
    if answer is not None:
        check_against(answer, late, budget)


def check_against(answer: LiveAnswer, late: list[Late], budget: Strict) -> None:
    """What the answer says of its money, with what came late in the place of what was set aside for it."""
    settled = [line for line in answer.lines if line.seat not in {found.call.seat for found in late}]
    settled += [line for found in late for line in found.lines]
    assert sorted(map(repr, settled)) == sorted(map(repr, budget.lines))
    assert answer.cost.total_nanousd is not None
    assert budget.ceiling_nanousd is not None
    assert answer.cost.total_nanousd <= budget.ceiling_nanousd
