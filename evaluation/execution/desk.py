"""How the engine reaches a member in a run: one reply for all who want the same, within the slots of the lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from evaluation.covers import covered_recording
from evaluation.execution.queue import CallQueue, Priority, arbiter_priority, call_priority
from evaluation.execution.replies import HeldReply
from evaluation.execution.units import Purchase, Unit
from panels.fusion.privacy.cover import Cover
from panels.fusion.types import Failure, FailureKind, Member, ModelClient, ModelRequest, Question, Reply
from panels.gateway import client_class

logger = logging.getLogger(__name__)

# What a bought reply is found by: the example, and the key of the request.
Address = tuple[int, str]


async def _nothing_held(address: Address, /) -> HeldReply | None:
    del address
    return None


class Stopped(Exception):
    """The worker begins nothing new: this answer has not been begun, and is left for another worker."""


class Desk:
    """Gets replies for units. Members that several arms share are asked once per example, whatever the run reuses.

    ``held`` brings a reply of an arbiter that need not be bought again.
    """

    def __init__(
        self,
        *,
        clients: Mapping[str, ModelClient],
        slots: int,
        held: Callable[[Address], Awaitable[HeldReply | None]] = _nothing_held,
    ) -> None:
        self._clients, self._held = clients, held
        self._queue = CallQueue(slots=slots)
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing new; answers of which a call has been sent are still finished."""
        self._stopping = True

    async def reply(self, unit: Unit, *, seat: int, stage: int) -> Reply | Failure:
        """The reply for a seat of the unit. Raises Stopped."""
        purchase = unit.seats[seat]
        if purchase.result is None and unit.batch.replay is not None:
            purchase.result = await _replay(unit.batch.replay, purchase, unit)
        if purchase.result is None:
            await self._share(purchase, unit, call_priority(stage=stage, position=unit.item.position))
        assert purchase.result is not None
        return _comparable(purchase.result, unit.item.cover)

    async def arbitrate(self, purchase: Purchase, unit: Unit) -> Reply | Failure:
        """The arbiter's reply for the unit. Raises Stopped."""
        unit.asked.append(purchase)
        if purchase.result is None:
            await self._share(purchase, unit, arbiter_priority(position=unit.item.position))
        assert purchase.result is not None
        return _comparable(purchase.result, unit.item.cover)

    async def _share(self, purchase: Purchase, unit: Unit, priority: Priority) -> None:
        purchase.wanted_by.append(unit)
        unit.begun = unit.begun or purchase.bought
        # A task that ended without a result was stopped before it was sent; an answer that has begun asks once more.
        if purchase.task is None or purchase.task.done():
            purchase.task = asyncio.create_task(self._buy(purchase, priority))
        await purchase.task

    async def _buy(self, purchase: Purchase, priority: Priority) -> None:
        if purchase.looks_up and await self._is_held(purchase):
            return
        async with self._queue.slot(priority):
            if self._stopping and not any(unit.begun for unit in purchase.wanted_by):
                raise Stopped
            for unit in purchase.wanted_by:
                unit.begun = True
            purchase.bought = True
            purchase.result = await self._complete(purchase)

    async def _is_held(self, purchase: Purchase) -> bool:
        reply = await self._held((purchase.wanted_by[0].item.example_id, purchase.key))
        purchase.looks_up = False
        if reply is not None:
            purchase.result, purchase.call_id = reply.reply, reply.call_id
        return reply is not None

    async def _complete(self, purchase: Purchase) -> Reply | Failure:
        client = self._clients[purchase.request.model]
        if purchase.cover is not None:
            return await _complete_covered(client, purchase, purchase.cover)
        try:
            return await client.complete(purchase.request)
        except Exception as error:
            # A client that breaks its promise must not take the run's other answers with it.
            logger.exception("client for model %s raised", purchase.model.name)
            return Failure(kind=FailureKind.MALFORMED, detail=f"{type(error).__name__}: {error}")


async def _replay(replay: ModelClient, purchase: Purchase, unit: Unit) -> Reply | Failure:
    result = await replay.complete(purchase.request)
    if unit.item.cover is None:
        return result
    return covered_recording(result, unit.item.cover, unit.item.scored.question.kind)


def _comparable(result: Reply | Failure, cover: Cover | None) -> Reply | Failure:
    """As the engine compares it; what is stored of a reply stays as it came."""
    if cover is None or isinstance(result, Failure):
        return result
    return replace(result, text=cover.comparable(result.text))


async def _complete_covered(client: ModelClient, purchase: Purchase, cover: Cover) -> Reply | Failure:
    """Nothing masked goes outside, and what an in-house member says is masked before anybody else sees it."""
    member = Member(model=purchase.request.model, in_house=purchase.in_house)

    def body_of(request: ModelRequest) -> bytes:
        wire = client_class(purchase.model.kind).wire
        return wire.request_body(replace(request, model=purchase.model.name))

    try:
        result = await cover.guarded(client, member, body_of).complete(purchase.request)
    except Exception as error:
        # As without masking, but for its words: they may quote the prompt.
        name = type(error).__name__
        logger.error("client for model %s raised %s on a masked prompt", purchase.model.name, name)
        return Failure(kind=FailureKind.MALFORMED, detail=name)
    return cover.covered(result, member)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitAsk:
    """The engine's ``Ask`` for one unit."""

    desk: Desk
    unit: Unit

    async def __call__(self, *, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure:
        del question, member
        return await self.desk.reply(self.unit, seat=seat, stage=stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableClient:
    """Stands for a model whose provider cannot be reached at all, for example for want of a key."""

    reason: str

    async def complete(self, request: object) -> Reply | Failure:
        del request
        return Failure(kind=FailureKind.AUTHENTICATION, detail=self.reason)
