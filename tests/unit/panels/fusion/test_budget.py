from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion.budget import Budget, BudgetedClient, Reservation, dollars
from panels.fusion.cost_lines import Basis, Charge, Payer, Role, add_up, cost_lines
from panels.fusion.fuse import fused_by_vote
from panels.fusion.live import Live
from panels.fusion.outcomes import Degradation, Fused
from panels.fusion.pricing import Price
from panels.fusion.schedule import hold_vote
from panels.fusion.types import (
    Failure,
    FailureKind,
    Member,
    ModelRequest,
    Panel,
    Question,
    Reply,
    Sampling,
    Stage,
    StrategyName,
    Timing,
    Usage,
)
from tests.unit.panels.fusion.fused import question, request
from tests.unit.panels.fusion.strict_budget import BILLABLE, Strict
from tests.unit.panels.fusion.virtual_time import now, run_virtually

PRICE = Price(in_nanousd_per_mtok=1_000_000, out_nanousd_per_mtok=1_000_000)  # a nano-dollar a token
PAYER = Payer(role=Role.MEMBER, model="m", seat=0)


def paid(nanousd: int) -> Charge:
    return Charge(nanousd=nanousd, basis=Basis.LISTED)


def reserved(budget: Budget, worst: int | None) -> Reservation:
    reservation = budget.reserve(worst, payer=PAYER)
    assert reservation is not None
    return reservation


def test_what_does_not_fit_is_refused_with_the_figures() -> None:
    budget = Budget(100)
    first = reserved(budget, 60)
    assert budget.reserve(41, payer=PAYER) is None
    assert budget.refusal(41, payer=PAYER) == (
        "m may cost $0.000000041, and $0.00000004 is left of the ceiling of $0.0000001"
    )
    reserved(budget, 40)
    budget.settle(first, paid(10))
    assert (budget.spent_nanousd, budget.reserved_nanousd) == (10, 40)
    reserved(budget, 50)
    assert budget.reserve(1, payer=PAYER) is None


def test_what_was_not_used_is_given_back_once() -> None:
    budget = Budget(100)
    reservation = reserved(budget, 100)
    budget.release(reservation)
    assert (budget.spent_nanousd, budget.reserved_nanousd, budget.lines) == (0, 0, ())
    with pytest.raises(KeyError):
        budget.release(reservation)


def test_lines_show_what_is_under_way_at_its_worst_case() -> None:
    budget = Budget(None)
    budget.settle(reserved(budget, 60), paid(0), paid(7))
    reserved(budget, 40)
    assert [(line.attempt, line.nanousd, line.basis) for line in budget.lines] == [
        (1, 0, Basis.LISTED),
        (2, 7, Basis.LISTED),
        (3, 40, Basis.RESERVED),
    ]


def test_an_unknown_price_is_refused_under_a_ceiling_and_flagged_without_one() -> None:
    assert Budget(100).reserve(None, payer=PAYER) is None
    assert Budget(100).refusal(None, payer=PAYER) == (
        "the price of m is unknown, so its cost cannot be held under the ceiling of $0.0000001"
    )
    free = Budget(None)
    reservation = reserved(free, None)
    assert add_up(free.lines).total_nanousd is None
    free.settle(reservation, Charge(nanousd=5, basis=Basis.REPORTED))
    assert (free.spent_nanousd, free.reserved_nanousd) == (5, 0)
    assert free.degraded == (Degradation(kind="price_unknown", reason="the price of m is not known", seat=0),)


def test_a_provider_that_charges_more_than_the_worst_case_is_the_last_that_was_asked() -> None:
    budget = Budget(100)
    first, second = reserved(budget, 10), reserved(budget, 10)
    budget.settle(first, paid(25))
    assert (budget.spent_nanousd, budget.overrun_nanousd) == (25, 15)
    assert budget.reserve(1, payer=PAYER) is None
    assert "m charged more than the worst case of its price" in budget.refusal(1, payer=PAYER)
    budget.settle(second, paid(10))
    assert budget.spent_nanousd == 35
    assert [(cut.kind, cut.seat) for cut in budget.degraded] == [("price_exceeded", 0)]


@pytest.mark.parametrize(
    ("nanousd", "text"), [(0, "$0.00"), (20_000_000, "$0.02"), (1, "$0.000000001"), (12_913_300_000, "$12.9133")]
)
def test_dollars_are_written_to_the_last_digit_that_counts(nanousd: int, text: str) -> None:
    assert dollars(nanousd) == text


# A client under a budget


@dataclass(slots=True)
class Told:
    """Brings what it was told to, or raises it."""

    result: Reply | Failure | Exception
    seconds: float = 0.0
    asked: int = 0

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def under(budget: Budget, client: Told, price: Price | None = PRICE) -> BudgetedClient:
    return BudgetedClient(client=client, budget=budget, payer=PAYER, price=price, body_bytes=lambda _: 200)


WORST = 200 + 1024
USED = Usage(prompt_tokens=3, completion_tokens=4)


async def test_a_call_is_settled_by_its_usage() -> None:
    budget = Budget(WORST)
    client = under(budget, Told(Reply(text="A", usage=USED)))
    assert isinstance(await client.complete(request()), Reply)
    assert (budget.spent_nanousd, budget.reserved_nanousd) == (7, 0)
    refused = await client.complete(request())
    assert isinstance(refused, Failure)
    assert refused.kind is FailureKind.CEILING
    assert "$0.000001217 is left of the ceiling of $0.000001224" in refused.detail
    assert client.client.asked == 1  # type: ignore[attr-defined]


async def test_a_model_of_unknown_price_is_not_asked_under_a_ceiling() -> None:
    told = Told(Reply(text="A", usage=USED))
    refused = await under(Budget(10**9), told, None).complete(request())
    assert isinstance(refused, Failure)
    assert "the price of m is unknown" in refused.detail
    assert told.asked == 0
    assert isinstance(await under(Budget(None), told, None).complete(request()), Reply)


async def test_a_call_that_breaks_or_is_cancelled_counts_at_its_worst_case() -> None:
    budget = Budget(None)
    with pytest.raises(OSError, match="gone"):
        await under(budget, Told(OSError("gone"))).complete(request())
    call = asyncio.create_task(under(budget, Told(Reply(text="A"), seconds=60)).complete(request()))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    assert [line.basis for line in budget.lines] == [Basis.WORST_CASE, Basis.WORST_CASE]
    assert budget.spent_nanousd == 2 * WORST


async def test_attempts_that_the_client_made_itself_have_lines_of_their_own() -> None:
    budget = Budget(WORST)
    busy = Failure(kind=FailureKind.RATE_LIMITED, detail="")
    await under(budget, Told(Reply(text="A", usage=USED, earlier=(busy, busy)))).complete(request())
    assert [(line.attempt, line.nanousd) for line in budget.lines] == [(1, 0), (2, 0), (3, 7)]


# Whatever happens to a request, its ceiling is not crossed and its lines add up


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a provider does with one request: after how long, how it ends, and what it bills (tokens, all told)."""

    seconds: float
    ending: FailureKind | None
    billed: int
    says_usage: bool


attempts = st.builds(
    Attempt,
    seconds=st.sampled_from([0, 1, 1, 2, 3, 5, 8]),
    ending=st.sampled_from([*BILLABLE, FailureKind.RATE_LIMITED, FailureKind.SERVER]),
    billed=st.integers(0, 30),
    says_usage=st.booleans(),
)
MOST_TOKENS, BODY_BYTES = 20, 10


@dataclass(slots=True)
class Provider:
    """Bills what it was sent, whether or not anybody still listens."""

    script: list[Attempt]
    billed: int = 0
    sent: int = 0

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        attempt = self.script[self.sent % len(self.script)]
        self.sent += 1
        bills = attempt.billed if attempt.ending in BILLABLE else 0
        self.billed += bills
        await asyncio.sleep(attempt.seconds)
        usage = Usage(prompt_tokens=min(bills, BODY_BYTES), completion_tokens=max(0, bills - BODY_BYTES))
        if attempt.ending is None:
            return Reply(text="A", usage=usage if attempt.says_usage else Usage())
        return Failure(kind=attempt.ending, detail="", usage=usage if attempt.says_usage else Usage())


@dataclass(slots=True)
class Desk:
    """Members under one budget; an attempt that failed is made again after a second, twice at most."""

    providers: list[Provider]
    budget: Budget

    async def __call__(self, *, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure:
        payer = Payer(role=Role.MEMBER, model=member.model, seat=seat)
        client = BudgetedClient(
            client=self.providers[seat], budget=self.budget, payer=payer, price=PRICE, body_bytes=lambda _: BODY_BYTES
        )
        asked = ModelRequest(model=member.model, messages=question.messages, sampling=member.sampling)
        failed: tuple[Failure, ...] = ()
        while True:
            result = await client.complete(asked)
            if isinstance(result, Reply) or len(failed) == 2:
                return replace(result, earlier=failed)
            failed = (*failed, result)
            await asyncio.sleep(1)


seconds = st.sampled_from([None, 0.5, 1, 2, 3, 4, 6])


@settings(deadline=None, max_examples=300)
@given(
    scripts=st.lists(st.lists(attempts, min_size=1, max_size=4), min_size=1, max_size=4),
    ceiling=st.integers(0, 200),
    timing=st.builds(
        Timing,
        min_replies=st.sampled_from([None, 1, 2]),
        grace_s=seconds,
        deadline_s=seconds,
        hedges=st.booleans(),
    ),
    cut=st.integers(0, 4),
    gone_after=seconds,
)
def test_no_interleaving_crosses_the_ceiling_and_the_lines_add_up(
    scripts: list[list[Attempt]], ceiling: int, timing: Timing, cut: int, gone_after: float | None
) -> None:
    members = [Member(model=f"m{seat}", sampling=Sampling(max_tokens=MOST_TOKENS)) for seat in range(len(scripts))]
    stages = tuple(Stage(members=tuple(half)) for half in (members[:cut], members[cut:]) if half)
    panel = Panel(strategy=StrategyName.MAJORITY, stages=stages, stop_at=0.9, timing=timing)
    desk = Desk([Provider(script) for script in scripts], Strict(ceiling))
    run_virtually(lambda: hold_and_drain(panel, desk, gone_after))
    budget = desk.budget
    assert budget.reserved_nanousd == 0
    billed = sum(provider.billed for provider in desk.providers)
    assert billed <= budget.spent_nanousd <= ceiling
    assert add_up(budget.lines).total_nanousd == budget.spent_nanousd


async def hold_and_drain(panel: Panel, desk: Desk, gone_after: float | None) -> Fused | None:
    """The answer, unless the client went away before it came; either way until the last late reply is in."""
    live = Live(started=now(), clock=now, p95_of=lambda member: 2.0)
    vote = asyncio.create_task(hold_vote(question=question(), panel=panel, ask=desk, live=live))
    await asyncio.wait([vote], timeout=gone_after)
    vote.cancel()
    await asyncio.wait([vote])
    await live.drain()
    return None if vote.cancelled() else fused_by_vote(vote.result(), strategy=panel.strategy)


@settings(deadline=None)
@given(
    scripts=st.lists(st.lists(attempts, min_size=1, max_size=4), min_size=1, max_size=3), ceiling=st.integers(0, 200)
)
def test_the_lines_of_an_answer_that_was_waited_for_are_those_of_its_budget(
    scripts: list[list[Attempt]], ceiling: int
) -> None:
    members = tuple(Member(model=f"m{seat}", sampling=Sampling(max_tokens=MOST_TOKENS)) for seat in range(len(scripts)))
    panel = Panel(strategy=StrategyName.MAJORITY, stages=(Stage(members=members),))
    desk = Desk([Provider(script) for script in scripts], Strict(ceiling))
    whole = run_virtually(lambda: hold_and_drain(panel, desk, None))
    assert whole is not None
    lines = cost_lines(whole, {member.model: PRICE for member in members}, worst_of=lambda _: MOST_TOKENS + BODY_BYTES)
    figures, paid_for = ([line.nanousd for line in each if line.nanousd] for each in (lines, desk.budget.lines))
    assert sorted(figures) == sorted(paid_for)  # what the ceiling refused is a line of nothing
    assert add_up(lines).total_nanousd == desk.budget.spent_nanousd
