from __future__ import annotations

import pytest

from panels.fusion.answers import dice
from panels.fusion.outcomes import BallotValue, Tally
from panels.fusion.strategies.majority import majority
from panels.fusion.types import AnswerKind
from tests.unit.panels.fusion.fused import ballot, ballots, question


def _majority(*values: BallotValue | None, kind: AnswerKind = AnswerKind.CHOICE) -> Tally:
    return majority(ballots(*values), question=question(kind), similarity=dice)


def _winner(tally: Tally) -> BallotValue | None:
    return tally.winner.value if tally.winner else None


def test_plurality_wins_and_abstentions_stay_in_the_denominator() -> None:
    tally = _majority("B", "A", "A", None)
    assert (_winner(tally), tally.consensus) == ("A", 0.5)
    assert [group.support for group in tally.groups] == [2.0, 1.0]


def test_a_tie_goes_to_the_earliest_member() -> None:
    assert _winner(_majority("B", "A", "A", "B")) == "B"


def test_all_abstaining_is_no_answer() -> None:
    tally = _majority(None, None)
    assert (_winner(tally), tally.consensus, tally.groups) == (None, 0.0, ())


def test_numbers_group_within_the_relative_tolerance() -> None:
    tally = _majority(7.0, 1000.0, 1000.0005, kind=AnswerKind.NUMBER)
    assert (_winner(tally), tally.consensus) == (1000.0, pytest.approx(2 / 3))
    assert _winner(_majority(7.0, 1000.0, 1000.002, kind=AnswerKind.NUMBER)) == 7.0


def test_short_answers_group_by_token_f1() -> None:
    tally = _majority("Paris", "The Baird Television company", "Baird Television", kind=AnswerKind.SHORT)
    assert _winner(tally) == "The Baird Television company"


def test_free_text_answers_with_the_medoid_of_the_winning_group() -> None:
    texts = ("storm closes harbour ferry", "storm closes harbour", "storm harbour closes today", "cats purr")
    tally = _majority(*texts, kind=AnswerKind.TEXT)
    assert tally.groups[0].support == 3.0
    assert _winner(tally) == "storm closes harbour"


def test_a_tie_goes_to_the_group_with_a_member_of_the_latest_stage() -> None:
    cast = [ballot("A", seat=0), ballot("A", seat=1), ballot("B", seat=2), ballot("B", seat=3, stage=1)]
    assert _winner(majority(cast, question=question(), similarity=dice)) == "B"
