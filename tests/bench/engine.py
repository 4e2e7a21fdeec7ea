"""What the engine adds to a fused request: the time it takes, less the slowest call of its stage and the arbiter's.

Three members and an arbiter that is asked every time, on simulated providers that answer after 50 ms, over loopback
with the clients that live answers use; once one at a time, once with 32 under way, both also with masking. Required
one at a time: at most 2 ms in the median and 10 ms in 99 of 100. With 32 under way the wait for a processor that
others use counts as well, so the figures depend on the machine.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from evaluation.execution.live_records import Participants
from evaluation.execution.plan import plan_model
from evaluation.sample import pilot
from panels.fusion.live import Live
from panels.fusion.live_answer import LiveAnswer, Privacy, Reach, answer_live
from panels.fusion.types import (
    AnswerKind,
    Arbiter,
    ArbiterWhen,
    Member,
    Message,
    Panel,
    Question,
    Reply,
    Stage,
    StrategyName,
)
from panels.gateway import clients_for
from panels.models import LanguageModel
from panels.selectors.terms import NO_TERMS
from panels.specs import inventory_key
from tests.bench.figures import percentile, report
from tests.bench.live import point_models
from tests.bench.upstream import serve_upstream

LATENCY_MS = 50
MEMBERS = ("sim-atlas-small", "sim-beacon-lite", "sim-cobalt-medium")
ARBITER = "sim-atlas-large"
ALONE, TOGETHER, AT_ONCE = 200, 1_600, 32
WARM = 20
P50_MS, P99_MS = 2, 10
SENSITIVE = {"customer": "Ada Lovelace"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    panel: Panel
    reach: Reach
    questions: Iterator[Question]

    async def overhead_s(self, *, masked: bool) -> float:
        started = time.monotonic()
        answer = await answer_live(
            question=next(self.questions),
            panel=self.panel,
            reach=self.reach,
            live=Live(started=started),
            privacy=Privacy(sensitive=SENSITIVE) if masked else None,
        )
        return time.monotonic() - started - awaited_s(answer)

    async def alone(self, *, masked: bool) -> list[float]:
        return [await self.overhead_s(masked=masked) for _ in range(ALONE)]

    async def together(self, *, masked: bool) -> list[float]:
        left = iter(range(TOGETHER))

        async def one_after_the_other() -> list[float]:
            return [await self.overhead_s(masked=masked) for _ in left]

        found = await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
        return [seconds for each in found for seconds in each]


def main(folder: Path) -> None:
    answers = Path(pilot.__file__).parent / "content_summary.jsonl"
    with serve_upstream(latency_ms=LATENCY_MS, answers=answers) as base_url:
        point_models(base_url)
        models = list(LanguageModel.objects.select_related("provider").filter(name__in=[*MEMBERS, ARBITER]))
        asyncio.run(measure(models, read_questions(answers)))


async def measure(models: Sequence[LanguageModel], questions: Sequence[Question]) -> None:
    async with opened(models, questions) as bench:
        for masked in (False, True):
            words = "masked requests" if masked else "requests"
            for _ in range(WARM):
                await bench.overhead_s(masked=masked)
            # What start-up left behind is not looked at again and again; what requests leave behind is.
            gc.freeze()
            say(f"engine overhead of {words}, one at a time", await bench.alone(masked=masked), limits=True)
            say(f"engine overhead of {words}, {AT_ONCE} at once", await bench.together(masked=masked), limits=True)


@asynccontextmanager
async def opened(models: Sequence[LanguageModel], questions: Sequence[Question]) -> Any:
    participants = Participants(models={inventory_key(model.pk): plan_model(model, NO_TERMS) for model in models})
    keys = {model.name: inventory_key(model.pk) for model in models}
    async with clients_for(models, AT_ONCE * (len(MEMBERS) + 1)) as clients:
        reach = Reach(
            clients=clients,
            prices={key: model.price for key, model in participants.models.items()},
            body_of=participants.body_of,
            secret=b"of this bench alone, 32 bytes or more",
        )
        yield Bench(panel=panel_of(keys.__getitem__), reach=reach, questions=cycle(questions))


def panel_of(key: Callable[[str], str]) -> Panel:
    return Panel(
        strategy=StrategyName.SYNTHESIS,
        stages=(Stage(members=tuple(Member(model=key(name)) for name in MEMBERS)),),
        arbiter=Arbiter(model=key(ARBITER), prompt="synthesis-1", when=ArbiterWhen.ALWAYS),
        max_cost_nanousd=10**9,
    )


def read_questions(path: Path) -> list[Question]:
    items = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Question(
            item_id="",
            messages=tuple(Message(role=each["role"], content=each["content"]) for each in item["prompt"]),
            kind=AnswerKind.TEXT,
        )
        for item in items
    ]


def awaited_s(answer: LiveAnswer) -> float:
    """The slowest member's call and the arbiter's, as the clients measured them."""
    fused = answer.fused
    assert fused is not None
    assert fused.arbitration is not None
    assert fused.arbitration.analysis is not None
    assert not answer.degraded
    arbitrated = [latency_s(call.result) for call in fused.arbitration.calls]
    return max(latency_s(call.result) for call in fused.calls) + sum(arbitrated)


def latency_s(result: object) -> float:
    assert isinstance(result, Reply)
    assert result.latency_s is not None
    return result.latency_s


def say(name: str, seconds: Sequence[float], *, limits: bool) -> None:
    figures = [percentile(seconds, share) * 1000 for share in (0.5, 0.99)]
    allowed = f" (at most {P50_MS} and {P99_MS})" if limits else ""
    report(name, f"{len(seconds):,} requests", f"P50 {figures[0]:.2f} ms, P99 {figures[1]:.2f} ms{allowed}")
