from __future__ import annotations

from evaluation.scorers.values import Score, ScoredExample
from panels.fusion.agreement import same_number
from panels.fusion.answers import parse_number
from panels.fusion.outcomes import BallotValue, Fused


def score_number(fused: Fused, example: ScoredExample) -> Score | None:
    """Right if the answer is, as a number, an accepted one within the relative tolerance."""
    numbers = [parse_number(accepted) for accepted in example.accepted]
    targets = [number for number in numbers if number is not None]
    if not targets:
        return None
    answer = _as_number(fused.value)
    tolerance = example.question.tolerance
    return Score(correct=answer is not None and any(same_number(answer, target, tolerance) for target in targets))


def _as_number(value: BallotValue | None) -> float | None:
    return parse_number(value) if isinstance(value, str) else value
