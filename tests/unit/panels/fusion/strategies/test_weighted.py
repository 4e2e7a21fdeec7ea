from __future__ import annotations

import pytest

from panels.fusion.answers import dice
from panels.fusion.outcomes import BallotValue, Tally
from panels.fusion.strategies.weighted import weighted
from panels.fusion.types import AnswerKind
from tests.unit.panels.fusion.fused import ballot, ballots, question


def _weighted(*values: BallotValue | None, weights: tuple[float, ...], kind: AnswerKind = AnswerKind.CHOICE) -> Tally:
    return weighted(ballots(*values, weights=weights), question=question(kind), similarity=dice)


def _winner(tally: Tally) -> BallotValue | None:
    return tally.winner.value if tally.winner else None


def test_one_heavy_member_outweighs_two_light_ones() -> None:
    tally = _weighted("A", "B", "B", weights=(3.0, 1.0, 1.0))
    assert (_winner(tally), tally.consensus) == ("A", pytest.approx(0.6))


def test_the_weight_of_an_abstention_stays_in_the_denominator() -> None:
    assert _weighted("A", None, weights=(1.0, 3.0)).consensus == pytest.approx(0.25)


def test_all_weights_zero_count_ballots() -> None:
    tally = _weighted("A", "B", "B", weights=(0.0, 0.0, 0.0))
    assert (_winner(tally), tally.consensus) == ("B", pytest.approx(2 / 3))


def test_a_tie_goes_to_the_group_with_the_heaviest_member() -> None:
    # 0.1 + 0.2 is not 0.3 in binary; it is a tie all the same.
    assert _winner(_weighted("A", "A", "B", weights=(0.1, 0.2, 0.3))) == "B"
    assert _winner(_weighted("A", "B", "B", weights=(0.3, 0.1, 0.2))) == "A"


def test_a_tie_of_equal_members_goes_to_panel_order() -> None:
    assert _winner(_weighted("B", "A", weights=(1.0, 1.0))) == "B"


def test_a_tie_over_stages_goes_to_the_latest_stage_before_weight() -> None:
    cast = [ballot("A", seat=0, weight=2.0), ballot("B", seat=1, weight=1.0), ballot("B", seat=2, stage=1, weight=1.0)]
    assert _winner(weighted(cast, question=question(), similarity=dice)) == "B"


def test_all_abstaining_is_no_answer() -> None:
    tally = _weighted(None, None, weights=(1.0, 2.0))
    assert (_winner(tally), tally.consensus) == (None, 0.0)


def test_free_text_answers_with_the_weighted_medoid_of_the_panel() -> None:
    texts = ("red apple pie", "green apple pie", "blue whale song")
    assert _winner(_weighted(*texts, weights=(1.0, 1.0, 1.0), kind=AnswerKind.TEXT)) == "red apple pie"
    assert _winner(_weighted(*texts, weights=(1.0, 1.0, 5.0), kind=AnswerKind.TEXT)) == "blue whale song"
