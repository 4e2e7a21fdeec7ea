from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import pytest

from evaluation.execution.arbitration import BoughtBefore, UnitArbiter, arbiter_purchase
from evaluation.execution.desk import Address, Desk
from evaluation.execution.plan import PlannedArm, PlannedModel, RunPlan
from evaluation.execution.replies import HeldReply
from evaluation.execution.units import Item, LoadedBatch, Unit
from evaluation.scorers import ScoredExample
from panels.fusion.pricing import Price
from panels.fusion.types import (
    AnswerKind,
    Failure,
    FailureKind,
    Message,
    ModelRequest,
    Panel,
    Question,
    Reply,
    Sampling,
    StrategyName,
)

QUESTION = Question(item_id="i", messages=(), kind=AnswerKind.TEXT)
REQUEST = ModelRequest(
    model="1", messages=(Message(role="user", content="Who is right?"),), sampling=Sampling(max_tokens=20)
)


class Shelf:
    """Holds what it is told to, one query at a time; a query ends when it is let through."""

    def __init__(self, *held: Address) -> None:
        self.queries: list[set[Address]] = []
        self._held = held
        self.gate = asyncio.Semaphore(0)

    async def find(self, wanted: Collection[Address]) -> Mapping[Address, HeldReply]:
        self.queries.append(set(wanted))
        await self.gate.acquire()
        return {each: HeldReply(call_id=each[0], reply=Reply(text=each[1])) for each in self._held if each in wanted}


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def plan(*, price: Price | None = None, reuse: bool = True) -> RunPlan:
    model = PlannedModel(pk=1, name="judge", provider="p", kind="openai", price=price)
    return RunPlan(
        run_id=1, replays=False, reuse=reuse, answers_wanted=1, version_id=1, kind=AnswerKind.TEXT, tolerance=0.0,
        scorer="exact", arms=(), models={"1": model}, asked=(),
    )  # fmt: skip


def unit(*, example: int = 1, batch: LoadedBatch | None = None, room: int = 10**9) -> Unit:
    item = Item(example_id=example, position=example, scored=ScoredExample(question=QUESTION, reference=None))
    arm = PlannedArm(pk=1, panel=Panel(strategy=StrategyName.SYNTHESIS, stages=()), twins=())
    batch = batch or LoadedBatch(pk=1, number=1, replay=None)
    return Unit(batch=batch, item=item, arm=arm, seats=(), arbiter_nanousd=room)


class Judge:
    def __init__(self) -> None:
        self.asked = 0

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        self.asked += 1
        return Reply(text=f"said {self.asked}")


async def say(judge: Judge, plan: RunPlan, *units: Unit) -> list[Reply | Failure]:
    desk = Desk(clients={"1": judge}, slots=4)
    asks = (UnitArbiter(plan=plan, desk=desk, unit=each) for each in units)
    return await asyncio.gather(*(ask(question=QUESTION, request=REQUEST, attempt=1) for ask in asks))


async def test_those_who_wait_while_a_query_runs_share_the_next():
    shelf = Shelf((2, "b"))
    bought = BoughtBefore(shelf.find)
    tasks = [asyncio.create_task(bought((number, key))) for number, key in enumerate("abc", start=1)]
    await settle()
    assert shelf.queries == [{(1, "a")}]
    shelf.gate.release()
    shelf.gate.release()
    first, second, third = await asyncio.gather(*tasks)
    assert shelf.queries[1:] == [{(2, "b"), (3, "c")}]
    assert (first, third) == (None, None)
    assert second is not None
    assert second.reply.text == "b"


async def test_one_who_gives_up_takes_nobody_with_it():
    shelf = Shelf((2, "b"))
    bought = BoughtBefore(shelf.find)
    first = asyncio.create_task(bought((1, "a")))
    await settle()
    second = asyncio.create_task(bought((2, "b")))
    await settle()
    first.cancel()
    shelf.gate.release()
    held = await second
    assert held is not None
    assert held.call_id == 2


async def test_equal_requests_share_one_reply_within_what_may_be_reused():
    batch = LoadedBatch(pk=1, number=1, replay=None)
    judge = Judge()
    assert await say(judge, plan(), unit(batch=batch), unit(example=2, batch=batch)) == [Reply(text="said 1")] * 2
    batch, judge = LoadedBatch(pk=1, number=1, replay=None), Judge()
    said = await say(judge, plan(reuse=False), unit(batch=batch), unit(batch=batch), unit(example=2, batch=batch))
    assert judge.asked == 2
    assert said[0] == said[1] != said[2]


async def test_a_request_beyond_what_was_set_aside_is_not_sent():
    judge = Judge()
    priced = plan(price=Price(in_nanousd_per_mtok=10**9, out_nanousd_per_mtok=10**9))
    worst = arbiter_purchase(priced, REQUEST).worst_nanousd
    assert worst is not None
    [refused] = await say(judge, priced, unit(room=worst - 1))
    assert isinstance(refused, Failure)
    assert (refused.kind, judge.asked) == (FailureKind.CEILING, 0)
    assert await say(judge, priced, unit(room=worst)) == [Reply(text="said 1")]


@pytest.mark.parametrize("price", [None, Price(in_nanousd_per_mtok=10**6, out_nanousd_per_mtok=0)])
def test_the_worst_case_of_a_request_is_known_with_its_price(price):
    made = arbiter_purchase(plan(price=price), REQUEST)
    assert (made.worst_nanousd is None) == (price is None)
    assert made.looks_up
    assert len(made.key) == 64
