from __future__ import annotations

from panels.fusion.agreement import group_ballots, medoid
from panels.fusion.answers import dice
from panels.fusion.outcomes import BallotValue
from panels.fusion.types import AnswerKind
from tests.unit.panels.fusion.fused import ballots, question


def _groups(*values: BallotValue | None, kind: AnswerKind) -> list[list[BallotValue | None]]:
    grouped = group_ballots(ballots(*values), question=question(kind), similarity=dice)
    return [[ballot.value for ballot in group] for group in grouped]


def test_closed_kinds_group_by_equality_in_panel_order() -> None:
    assert _groups("B", None, "A", "B", kind=AnswerKind.CHOICE) == [["B", "B"], ["A"]]


def test_an_answer_joins_the_first_group_whose_first_member_it_matches() -> None:
    # "x y" matches "w x" and "y z" at F1 0.5 only; "w x y" matches both at 0.8 and joins the first.
    assert _groups("w x", "y z", "w x y", kind=AnswerKind.SHORT) == [["w x", "w x y"], ["y z"]]


def test_matching_is_with_the_first_member_not_with_any() -> None:
    groups = _groups("p q r", "q r s", "r s t", kind=AnswerKind.SHORT)
    assert groups == [["p q r", "q r s"], ["r s t"]]


def test_similar_texts_group_at_one_half() -> None:
    assert _groups("alpha beta", "beta gamma", kind=AnswerKind.TEXT) == [["alpha beta", "beta gamma"]]
    assert _groups("alpha beta one", "beta gamma two", kind=AnswerKind.TEXT) == [["alpha beta one"], ["beta gamma two"]]


def test_the_medoid_of_equal_answers_is_the_heaviest_then_the_earliest() -> None:
    cast = ballots("same words", "same words")
    assert medoid(cast, weights=[1.0, 2.0], similarity=dice).seat == 1
    assert medoid(cast, weights=[1.0, 1.0], similarity=dice).seat == 0
