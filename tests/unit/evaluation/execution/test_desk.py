from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from evaluation.execution.desk import Address, Desk, Stopped
from evaluation.execution.plan import PlannedArm, PlannedModel
from evaluation.execution.replies import HeldReply
from evaluation.execution.units import Item, LoadedBatch, Purchase, Unit
from evaluation.scorers import ScoredExample
from panels.fusion.types import (
    AnswerKind,
    Failure,
    ModelClient,
    ModelRequest,
    Panel,
    Question,
    Reply,
    Sampling,
    StrategyName,
)


class Gated:
    """A client whose requests wait until they are let through, one by one."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self._gate = asyncio.Semaphore(0)

    def let_through(self, number: int) -> None:
        for _ in range(number):
            self._gate.release()

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        self.sent.append(request.item_id)
        await self._gate.acquire()
        return Reply(text=request.item_id)


def purchase(name: str) -> Purchase:
    model = PlannedModel(pk=1, name="m", provider="p", kind="openai", price=None)
    request = ModelRequest(model="1", messages=(), sampling=Sampling(), item_id=name)
    return Purchase(model=model, request=request, key=name)


def unit(*seats: Purchase, position: int = 0) -> Unit:
    question = Question(item_id="i", messages=(), kind=AnswerKind.CHOICE)
    item = Item(example_id=1, position=position, scored=ScoredExample(question=question, reference=None))
    arm = PlannedArm(pk=1, panel=Panel(strategy=StrategyName.MAJORITY, stages=()), twins=())
    return Unit(batch=LoadedBatch(pk=1, number=1, replay=None), item=item, arm=arm, seats=seats)


def desk_of(client: ModelClient, *, slots: int) -> Desk:
    clients: Mapping[str, ModelClient] = {"1": client}
    return Desk(clients=clients, slots=slots)


def ask(desk: Desk, who: Unit, seats: Sequence[int], *, stage: int = 0) -> list[asyncio.Task[Reply | Failure]]:
    return [asyncio.create_task(desk.reply(who, seat=seat, stage=stage)) for seat in seats]


async def settle() -> None:
    """Until every task has come as far as it can without the gate."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_seats_that_want_the_same_reply_share_one_request():
    client, same = Gated(), purchase("same")
    desk = desk_of(client, slots=2)
    tasks = ask(desk, unit(same), [0]) + ask(desk, unit(same), [0])
    await settle()
    client.let_through(1)
    assert await asyncio.gather(*tasks) == [Reply(text="same")] * 2
    assert client.sent == ["same"]


async def test_after_a_stop_what_was_begun_is_finished_and_nothing_else_begins():
    client = Gated()
    desk = desk_of(client, slots=1)
    begun, waiting = unit(purchase("a"), purchase("b")), unit(purchase("c"), position=1)
    tasks = ask(desk, begun, [0, 1]) + ask(desk, waiting, [0])
    await settle()
    assert client.sent == ["a"]
    desk.stop()
    client.let_through(2)
    first, second, refused = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, second) == (Reply(text="a"), Reply(text="b"))
    assert isinstance(refused, Stopped)
    assert client.sent == ["a", "b"]


async def test_after_a_stop_a_begun_answer_still_gets_its_later_stage():
    client = Gated()
    desk = desk_of(client, slots=1)
    begun = unit(purchase("a"), purchase("later"))
    [first] = ask(desk, begun, [0])
    await settle()
    desk.stop()
    client.let_through(2)
    await first
    [later] = ask(desk, begun, [1], stage=1)
    assert await later == Reply(text="later")


async def test_a_request_that_was_stopped_for_one_answer_is_made_for_another_that_has_begun():
    client, shared = Gated(), purchase("shared")
    desk = desk_of(client, slots=1)
    begun, waiting = unit(purchase("a"), shared), unit(shared, position=1)
    [first] = ask(desk, begun, [0])
    await settle()
    [refused] = ask(desk, waiting, [0])
    await settle()
    desk.stop()
    client.let_through(2)
    await first
    with pytest.raises(Stopped):
        await refused
    [late] = ask(desk, begun, [1], stage=1)
    assert await late == Reply(text="shared")
    assert client.sent == ["a", "shared"]


def arbitration(name: str) -> Purchase:
    made = purchase(name)
    made.looks_up = True
    return made


async def test_the_arbiter_goes_before_every_member_that_waits():
    client = Gated()
    desk = desk_of(client, slots=1)
    busy, waiting, disputed = unit(purchase("a")), unit(purchase("b"), position=1), unit(purchase("c"), position=2)
    tasks = [*ask(desk, busy, [0]), *ask(desk, waiting, [0], stage=3)]
    await settle()
    disputed.begun = True
    tasks.append(asyncio.create_task(desk.arbitrate(arbitration("arbiter"), disputed)))
    await settle()
    client.let_through(3)
    await asyncio.gather(*tasks)
    assert client.sent == ["a", "arbiter", "b"]
    assert [asked.result for asked in disputed.asked] == [Reply(text="arbiter")]


async def test_a_reply_of_the_arbiter_that_is_held_is_not_bought():
    client = Gated()
    looked_for: list[Address] = []

    async def held(address: Address) -> HeldReply | None:
        looked_for.append(address)
        return HeldReply(call_id=7, reply=Reply(text="before"))

    desk = Desk(clients={"1": client}, slots=1, held=held)
    wanted = arbitration("key")
    both = [asyncio.create_task(desk.arbitrate(wanted, unit())) for _ in range(2)]
    assert await asyncio.gather(*both) == [Reply(text="before")] * 2
    assert (looked_for, client.sent) == ([(1, "key")], [])
    assert (wanted.call_id, wanted.bought) == (7, False)


async def test_after_a_stop_no_arbiter_is_asked_for_an_answer_that_has_cost_nothing():
    client = Gated()
    desk = desk_of(client, slots=1)
    desk.stop()
    with pytest.raises(Stopped):
        await desk.arbitrate(arbitration("arbiter"), unit())
    assert client.sent == []
