"""Members that take their time, on virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from panels.fusion.live import Live
from panels.fusion.outcomes import MemberCall, Vote
from panels.fusion.schedule import hold_vote
from panels.fusion.types import AnswerKind, Failure, Member, Panel, Question, Reply
from tests.unit.panels.fusion.fused import question, reply
from tests.unit.panels.fusion.virtual_time import now, run_virtually


def after(seconds: float, result: str | Reply | Failure) -> tuple[float, Reply | Failure]:
    return seconds, reply(result) if isinstance(result, str) else result


@dataclass(slots=True)
class TimedAsk:
    """Answers each model when scripted; its second request by the second line of the script. Remembers all."""

    script: dict[str, list[tuple[float, Reply | Failure]]]
    asked: list[tuple[float, str]] = field(default_factory=list)
    cancelled: list[tuple[float, str]] = field(default_factory=list)

    async def __call__(self, *, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure:
        before = sum(model == member.model for _, model in self.asked)
        self.asked.append((now(), member.model))
        seconds, result = self.script[member.model][before]
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.append((now(), member.model))
            raise
        return replace(result, latency_s=seconds)


@dataclass(slots=True)
class Held:
    """A vote held on virtual time: when it was over, and what came after it."""

    vote: Vote
    seconds: float
    late: list[tuple[float, MemberCall]]


def script(**members: tuple[float, Reply | Failure] | list[tuple[float, Reply | Failure]]) -> TimedAsk:
    return TimedAsk({name: lines if isinstance(lines, list) else [lines] for name, lines in members.items()})


def hold(
    panel: Panel, ask: TimedAsk, *, p95_s: dict[str, float] | None = None, kind: AnswerKind = AnswerKind.CHOICE
) -> Held:
    """The request came in at 0."""
    late: list[tuple[float, MemberCall]] = []

    async def on_late(call: MemberCall) -> None:
        late.append((now(), call))

    async def main() -> Held:
        live = Live(started=0.0, clock=now, on_late=on_late, p95_of=lambda member: (p95_s or {}).get(member.model))
        vote = await hold_vote(question=question(kind), panel=panel, ask=ask, live=live)
        seconds = now()
        await live.drain()
        return Held(vote=vote, seconds=seconds, late=late)

    return run_virtually(main)
