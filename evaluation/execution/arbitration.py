"""How the engine reaches an arbiter in a run: what was bought before is taken, else it is asked before any member."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace

from evaluation.execution.desk import Address, Desk
from evaluation.execution.plan import RunPlan
from evaluation.execution.replies import HeldReply
from evaluation.execution.units import Purchase, Unit
from panels.fusion.pricing import worst_case_cost
from panels.fusion.privacy.cover import Cover
from panels.fusion.replies import NOT_MASKED, reply_key
from panels.fusion.types import Failure, FailureKind, ModelRequest, Question, Reply
from panels.gateway import client_class

FindHeld = Callable[[Collection[Address]], Awaitable[Mapping[Address, HeldReply]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitArbiter:
    """The engine's ``AskArbiter`` for one unit."""

    plan: RunPlan
    desk: Desk
    unit: Unit

    async def __call__(self, *, question: Question, request: ModelRequest, attempt: int) -> Reply | Failure:
        del question, attempt
        return await self.desk.arbitrate(self._purchase(request), self.unit)

    def _purchase(self, request: ModelRequest) -> Purchase:
        """Arms of one example that ask the same share one reply; so do equal examples, where replies are reused."""
        made = arbiter_purchase(self.plan, request, cover=self.unit.item.cover)
        if (made.worst_nanousd or 0) > self.unit.arbiter_nanousd:
            made.result = Failure(kind=FailureKind.CEILING, detail="the request is longer than money was set aside for")
        name = (made.key, 0 if self.plan.reuse else self.unit.item.example_id)
        return self.unit.batch.arbitrations.setdefault(name, made)


def arbiter_purchase(plan: RunPlan, request: ModelRequest, *, cover: Cover | None = None) -> Purchase:
    model = plan.models[request.model]
    on_the_wire = replace(request, model=model.name)
    worst = None
    if model.price is not None:
        body_bytes = len(client_class(model.kind).wire.request_body(on_the_wire))
        worst = worst_case_cost(model.price, body_bytes=body_bytes, max_tokens=request.sampling.max_tokens)
    return Purchase(
        model=model,
        request=request,
        key=reply_key(
            provider=model.provider,
            request=on_the_wire,
            masking=NOT_MASKED if cover is None else cover.arbiter_masking,
        ),
        worst_nanousd=worst,
        cover=cover,
        looks_up=True,
        shared=plan.arbiter_arms > 1,
    )


class BoughtBefore:
    """Looks up replies whose keys are only known when the candidates are in, many in one query, one query at a time."""

    def __init__(self, find: FindHeld) -> None:
        self._find = find
        self._turn = asyncio.Lock()
        self._wanted: set[Address] = set()
        self._found: dict[Address, HeldReply | None] = {}

    async def __call__(self, address: Address) -> HeldReply | None:
        self._wanted.add(address)
        async with self._turn:
            if address not in self._found:
                # Whoever comes to its turn asks for all who wait by then.
                wanted, self._wanted = self._wanted | {address}, set()
                held = await self._find(wanted)
                self._found |= {each: held.get(each) for each in wanted}
            return self._found.pop(address)
