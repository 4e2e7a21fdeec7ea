"""Small builders for engine values, so that a test shows only what it is about."""

from __future__ import annotations

import json

from panels.fusion.outcomes import Ballot, BallotValue
from panels.fusion.types import (
    AnswerKind,
    Failure,
    FailureKind,
    Member,
    Message,
    ModelRequest,
    Panel,
    Question,
    Recorded,
    Reply,
    Stage,
    StrategyName,
    Usage,
)


def question(kind: AnswerKind = AnswerKind.CHOICE, *, choices: tuple[str, ...] = ("A", "B", "C", "D")) -> Question:
    return Question(item_id="q1", messages=(Message(role="user", content="Which?"),), kind=kind, choices=choices)


def json_question(schema: object = None, *, tolerance: float = 1e-6) -> Question:
    """A question whose answer is an object; ``schema`` None asks for any."""
    text = "" if schema is None else json.dumps(schema)
    asked = (Message(role="user", content="Which?"),)
    return Question(item_id="q1", messages=asked, kind=AnswerKind.JSON, tolerance=tolerance, schema=text)


def ballot(value: BallotValue | None, *, seat: int = 0, stage: int = 0, weight: float = 1.0) -> Ballot:
    return Ballot(seat=seat, stage=stage, member=Member(model=f"m{seat}"), value=value, weight=weight)


def ballots(*values: BallotValue | None, weights: tuple[float, ...] | None = None) -> list[Ballot]:
    given = weights or (1.0,) * len(values)
    return [
        ballot(value, seat=seat, weight=weight) for seat, (value, weight) in enumerate(zip(values, given, strict=True))
    ]


def panel(*stages: tuple[str, ...], stop_at: float | None = None, settles: bool = False, **kwargs: object) -> Panel:
    built = tuple(
        Stage(members=tuple(Member(model=name) for name in names), settles=settles and number == len(stages) - 1)
        for number, names in enumerate(stages)
    )
    strategy = kwargs.get("strategy", StrategyName.MAJORITY)
    assert isinstance(strategy, StrategyName)
    return Panel(strategy=strategy, stages=built, stop_at=stop_at)


def reply(
    text: str, *, predicted: str | None = None, has_predicted: bool = False, correct: bool | None = None
) -> Reply:
    recorded = Recorded(predicted=predicted, has_predicted=has_predicted, correct=correct)
    return Reply(text=text, usage=Usage(prompt_tokens=10, completion_tokens=2), recorded=recorded)


DEAD = Failure(kind=FailureKind.TIMEOUT, detail="no first byte within 30 s")


class ScriptedAsk:
    """Answers each model as scripted and remembers in which order it was asked."""

    def __init__(self, script: dict[str, Reply | Failure]) -> None:
        self._script = script
        self.asked: list[tuple[str, int, int]] = []

    async def __call__(self, *, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure:
        self.asked.append((member.model, seat, stage))
        return self._script[member.model]


def request(model: str = "m", *, item_id: str = "q1") -> ModelRequest:
    return ModelRequest(
        model=model, messages=question().messages, sampling=Member(model=model).sampling, item_id=item_id
    )
