"""A live answer on virtual time: clients by script, a body that is the JSON of its messages, prices by model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from panels.fusion.live import Live
from panels.fusion.live_answer import Held, Late, LiveAnswer, Privacy, Reach, answer_live
from panels.fusion.pricing import Price
from panels.fusion.privacy.cover import Masking
from panels.fusion.types import (
    AnswerKind,
    Arbiter,
    ArbiterWhen,
    Failure,
    FailureKind,
    Member,
    Message,
    ModelRequest,
    Panel,
    Question,
    Reply,
    Sampling,
    Stage,
    StrategyName,
    Usage,
)
from tests.unit.panels.fusion.virtual_time import now, run_virtually

SECRET = b"a secret of the installation"
TOKENS = Sampling(max_tokens=40)
USED = Usage(prompt_tokens=10, completion_tokens=2)
PRICE = Price(in_nanousd_per_mtok=1_000_000, out_nanousd_per_mtok=10_000_000)  # 1 and 10 nano-dollars a token
COST = 30

Line: TypeAlias = "str | Reply | Failure | Callable[[ModelRequest], str | Reply | Failure]"


def said(text: str, **fields: Any) -> Reply:
    return replace(Reply(text=text, usage=USED), **fields)


def dead(kind: FailureKind = FailureKind.SERVER, detail: str = "down", **fields: Any) -> Failure:
    return replace(Failure(kind=kind, detail=detail), **fields)


@dataclass(slots=True)
class ScriptedModel:
    """Answers with each line in turn, the last one for ever, each after its seconds. Remembers what it was sent."""

    lines: Sequence[tuple[float, Line]]
    requests: list[ModelRequest] = field(default_factory=list)

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        seconds, line = self.lines[min(len(self.requests), len(self.lines) - 1)]
        self.requests.append(request)
        await asyncio.sleep(seconds)
        found = line(request) if callable(line) else line
        return replace(said(found) if isinstance(found, str) else found, latency_s=seconds)

    @property
    def seen(self) -> str:
        return "\n".join(message.content for request in self.requests for message in request.messages)


def model(*lines: Line, after: float = 0) -> ScriptedModel:
    return ScriptedModel([(after, line) for line in lines])


def timed(*lines: tuple[float, Line]) -> ScriptedModel:
    return ScriptedModel(lines)


def body_of(request: ModelRequest) -> bytes:
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    return json.dumps({"model": request.model, "messages": messages}).encode()


def ask(text: str = "Which?", kind: AnswerKind = AnswerKind.TEXT, **fields: Any) -> Question:
    return replace(Question(item_id="", messages=(Message(role="user", content=text),), kind=kind), **fields)


CHOICE = ask(kind=AnswerKind.CHOICE, choices=("A", "B", "C"))


def panel_of(*names: str, in_house: Sequence[str] = (), judge: str = "", **changes: Any) -> Panel:
    """One stage; with ``judge`` it synthesises, and asks it every time."""
    members = tuple(Member(model=name, sampling=TOKENS, in_house=name in in_house) for name in names)
    arbiter = Arbiter(model=judge, prompt="synthesis-1", when=ArbiterWhen.ALWAYS, sampling=TOKENS) if judge else None
    strategy = StrategyName.SYNTHESIS if judge else StrategyName.MAJORITY
    return replace(Panel(strategy=strategy, stages=(Stage(members=members),), arbiter=arbiter), **changes)


@dataclass(slots=True)
class Told:
    """What came of it, after how long, and what came late."""

    answer: LiveAnswer
    seconds: float
    late: list[tuple[float, Late]]


def answered(
    question: Question,
    panel: Panel,
    clients: Mapping[str, ScriptedModel],
    *,
    sensitive: Mapping[str, str] | None = None,
    prices: Mapping[str, Price | None] | None = None,
    held: Callable[[ModelRequest, Masking], Awaitable[Held]] | None = None,
    p95_s: float | None = None,
    body: Callable[[ModelRequest], bytes] = body_of,
    interested: bool = True,
) -> Told:
    """The request comes in at 0. ``sensitive`` None masks nothing; ``interested`` in what comes late."""
    late: list[tuple[float, Late]] = []

    async def on_late(found: Late) -> None:
        late.append((now(), found))

    async def main() -> Told:
        live = Live(started=0.0, clock=now, p95_of=lambda member: p95_s)
        reach = Reach(
            clients=clients,
            prices=dict.fromkeys(clients, PRICE) if prices is None else prices,
            body_of=body,
            secret=SECRET,
        )
        reach = replace(reach, on_late=on_late) if interested else reach
        privacy = None if sensitive is None else Privacy(sensitive=sensitive)
        answer = await answer_live(
            question=question,
            panel=panel,
            reach=reach if held is None else replace(reach, find_held=held),
            live=live,
            privacy=privacy,
        )
        seconds = now()
        await live.drain()
        return Told(answer=answer, seconds=seconds, late=late)

    return run_virtually(main)
