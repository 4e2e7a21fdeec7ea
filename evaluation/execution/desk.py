"""How the engine reaches a member in a run: one reply for all who want the same, within the slots of the lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.execution.queue import CallQueue, Priority, call_priority
from evaluation.execution.units import Purchase, Unit
from panels.fusion.types import Failure, FailureKind, Member, ModelClient, Question, Reply

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """The worker begins nothing new: this answer has not been begun, and is left for another worker."""


class Desk:
    """Gets replies for units. Members that several arms share are asked once per example, whatever the run reuses."""

    def __init__(self, *, clients: Mapping[str, ModelClient], slots: int) -> None:
        self._clients = clients
        self._queue = CallQueue(slots=slots)
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing new; answers of which a call has been sent are still finished."""
        self._stopping = True

    async def reply(self, unit: Unit, *, seat: int, stage: int) -> Reply | Failure:
        """The reply for a seat of the unit. Raises Stopped."""
        purchase = unit.seats[seat]
        if purchase.result is None and unit.batch.replay is not None:
            purchase.result = await unit.batch.replay.complete(purchase.request)
        if purchase.result is None:
            await self._share(purchase, unit, call_priority(stage=stage, position=unit.item.position))
        assert purchase.result is not None
        return purchase.result

    async def _share(self, purchase: Purchase, unit: Unit, priority: Priority) -> None:
        purchase.wanted_by.append(unit)
        unit.begun = unit.begun or purchase.bought
        # A task that ended without a result was stopped before it was sent; an answer that has begun asks once more.
        if purchase.task is None or purchase.task.done():
            purchase.task = asyncio.create_task(self._buy(purchase, priority))
        await purchase.task

    async def _buy(self, purchase: Purchase, priority: Priority) -> None:
        async with self._queue.slot(priority):
            if self._stopping and not any(unit.begun for unit in purchase.wanted_by):
                raise Stopped
            for unit in purchase.wanted_by:
                unit.begun = True
            purchase.bought = True
            purchase.result = await self._complete(purchase)

    async def _complete(self, purchase: Purchase) -> Reply | Failure:
        try:
            return await self._clients[purchase.request.model].complete(purchase.request)
        except Exception as error:
            # A client that breaks its promise must not take the run's other answers with it.
            logger.exception("client for model %s raised", purchase.model.name)
            return Failure(kind=FailureKind.MALFORMED, detail=f"{type(error).__name__}: {error}")


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
