from __future__ import annotations

from evaluation.scorers.values import Score, ScoredExample
from panels.fusion.agreement import same_number
from panels.fusion.answers import canonical, normalise_short
from panels.fusion.types import AnswerKind, BallotValue, Fused


def score_exact(fused: Fused, example: ScoredExample) -> Score | None:
    """Right if the answer equals an accepted one: numbers within the tolerance, open answers as SQuAD normalises."""
    readable = [canonical(accepted, question=example.question) for accepted in example.accepted]
    targets = [target for target in readable if target is not None]
    if not targets:
        return None
    if fused.winner is None or fused.winner.value is None:
        return Score(correct=False)
    value = fused.winner.value
    return Score(correct=any(_equal(value, target, example) for target in targets))


def _equal(value: BallotValue, target: BallotValue, example: ScoredExample) -> bool:
    if isinstance(value, float) and isinstance(target, float):
        return same_number(value, target, example.question.tolerance)
    if example.question.kind in {AnswerKind.SHORT, AnswerKind.TEXT}:
        return normalise_short(str(value)) == normalise_short(str(target))
    return value == target
