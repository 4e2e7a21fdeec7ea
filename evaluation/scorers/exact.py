from __future__ import annotations

from evaluation.scorers.values import Score, ScoredExample
from panels.fusion.agreement import same_number
from panels.fusion.answers import canonical, normalise_short
from panels.fusion.fields import equal_field, field_kind, field_value
from panels.fusion.json_text import JsonObject, read_object
from panels.fusion.outcomes import BallotValue, Fused
from panels.fusion.types import AnswerKind, Question


def score_exact(fused: Fused, example: ScoredExample) -> Score | None:
    """Right if the answer equals an accepted one: numbers within the tolerance, open answers as SQuAD normalises.

    A ``json`` answer is right if each field equals the reference's under its own kind and it has no further ones;
    ``share`` is the share of the reference's fields that are right, with the accepted answer that comes closest.
    """
    readable = [canonical(accepted, question=example.question) for accepted in example.accepted]
    targets = [target for target in readable if target is not None]
    if not targets:
        return None
    if example.question.kind is AnswerKind.JSON:
        return max((_score_fields(fused.value, target, example.question) for target in targets), key=_goodness)
    if fused.value is None:
        return Score(correct=False)
    value = fused.value
    return Score(correct=any(_equal(value, target, example) for target in targets))


def _equal(value: BallotValue, target: BallotValue, example: ScoredExample) -> bool:
    if isinstance(value, float) and isinstance(target, float):
        return same_number(value, target, example.question.tolerance)
    if example.question.kind in {AnswerKind.SHORT, AnswerKind.TEXT}:
        return normalise_short(str(value)) == normalise_short(str(target))
    return value == target


def _score_fields(value: BallotValue | None, target: BallotValue, question: Question) -> Score:
    answer, reference = _object(value), _object(target)
    if answer is None or reference is None:
        return Score(correct=False, share=0.0)
    right = sum(_is_right(name, answer, reference, question) for name in reference)
    correct = right == len(reference) == len(answer)
    return Score(correct=correct, share=right / len(reference) if reference else float(correct))


def _object(value: BallotValue | None) -> JsonObject | None:
    return None if value is None else read_object(str(value))


def _is_right(name: str, answer: JsonObject, reference: JsonObject, question: Question) -> bool:
    wanted = field_value(reference, name)
    kind = field_kind(name, schema=question.schema, values=[wanted])
    return equal_field(field_value(answer, name), wanted, kind=kind, question=question)


def _goodness(score: Score) -> tuple[bool, float]:
    return score.correct, score.share or 0.0
