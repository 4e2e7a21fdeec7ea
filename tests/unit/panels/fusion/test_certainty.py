from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion.certainty import sure_consensus
from panels.fusion.outcomes import Ballot, BallotValue, Tally
from panels.fusion.strategies import count_ballots
from panels.fusion.types import AnswerKind, Question, Similarity, StrategyName
from tests.unit.panels.fusion.fused import ballot, question

MAJORITY, WEIGHTED = StrategyName.MAJORITY, StrategyName.WEIGHTED
CHOICES = ("A", "B", "C")


def never_alike(left: str, right: str, /) -> float:
    return 0.0


def split(seats: list[Ballot], out: set[int]) -> tuple[list[Ballot], list[Ballot]]:
    inside = [seat for seat in seats if seat.seat not in out]
    return inside, [replace(seat, value=None) for seat in seats if seat.seat in out]


def endings(
    inside: list[Ballot],
    outstanding: list[Ballot],
    values: tuple[BallotValue | None, ...],
    asked: Question,
    strategy: StrategyName,
    similarity: Similarity = never_alike,
) -> list[Tally]:
    """The vote after every assignment of ``values`` to the seats that are out."""
    return [
        count_ballots(
            [*inside, *(replace(seat, value=value) for seat, value in zip(outstanding, assigned, strict=True))],
            strategy=strategy,
            question=asked,
            similarity=similarity,
        )
        for assigned in product(values, repeat=len(outstanding))
    ]


@st.composite
def panels(draw: st.DrawFn, values: tuple[BallotValue | None, ...]) -> tuple[list[Ballot], list[Ballot]]:
    """Up to six seats in up to two stages, some of the latest stage still out."""
    count = draw(st.integers(1, 6))
    first_of_latest = draw(st.integers(0, count - 1))
    weights = st.sampled_from([0.0, 0.5, 1.0, 1.0, 2.0])
    seats = [
        ballot(draw(st.sampled_from(values)), seat=seat, stage=int(seat >= first_of_latest), weight=draw(weights))
        for seat in range(count)
    ]
    out = draw(st.sets(st.integers(first_of_latest, count - 1), min_size=1, max_size=4))
    return split(seats, out)


@settings(deadline=None)
@given(panels((*CHOICES, None)), st.sampled_from([MAJORITY, WEIGHTED]))
def test_a_closed_vote_is_sure_exactly_when_no_assignment_changes_the_winner(
    seats: tuple[list[Ballot], list[Ballot]], strategy: StrategyName
) -> None:
    asked = question(choices=CHOICES)
    inside, outstanding = seats
    sure = sure_consensus(inside, outstanding, strategy=strategy, question=asked, similarity=never_alike)
    ends = endings(inside, outstanding, (*CHOICES, None), asked, strategy)
    winners = {tally.winner.value if tally.winner else None for tally in ends}
    assert (sure is not None) == (len(winners) == 1 and None not in winners)
    if sure is not None:
        assert sure <= min(tally.consensus for tally in ends) + 1e-9


NUMBERS = (10.0, 10.5, 11.0, 50.0, -10.0, 0.0)
SHORTS = ("paris", "The Paris", "paris london", "london", "london rome", "rome", "rome paris", "")


@pytest.mark.parametrize(
    ("kind", "values", "tolerance"),
    [
        (AnswerKind.NUMBER, NUMBERS, 1e-6),
        (AnswerKind.NUMBER, NUMBERS, 0.05),
        (AnswerKind.NUMBER, NUMBERS, 1.5),
        (AnswerKind.SHORT, SHORTS, 0.0),
    ],
)
@settings(deadline=None)
@given(st.data(), st.sampled_from([MAJORITY, WEIGHTED]))
def test_no_assignment_changes_the_leading_group_of_an_open_vote_that_is_sure(
    kind: AnswerKind, values: tuple[BallotValue, ...], tolerance: float, data: st.DataObject, strategy: StrategyName
) -> None:
    asked = replace(question(kind), tolerance=tolerance)
    inside, outstanding = data.draw(panels(values).filter(lambda seats: len(seats[1]) <= 3))
    assert_sound(inside, outstanding, values, asked, strategy, never_alike)


TEXTS = ("p", "q", "r", "s", "t")
PAIRS = [(left, right) for left in TEXTS for right in TEXTS if left < right]


@settings(deadline=None)
@given(panels(TEXTS), st.sets(st.sampled_from(PAIRS)))
def test_no_assignment_changes_the_leading_group_of_free_texts_however_they_resemble_each_other(
    seats: tuple[list[Ballot], list[Ballot]], alike: set[tuple[str, str]]
) -> None:
    def similarity(left: str, right: str, /) -> float:
        return float(left == right or (min(left, right), max(left, right)) in alike)

    asked = question(AnswerKind.TEXT)
    assert_sound(*seats, TEXTS, asked, MAJORITY, similarity)


def assert_sound(
    inside: list[Ballot],
    outstanding: list[Ballot],
    values: tuple[BallotValue, ...],
    asked: Question,
    strategy: StrategyName,
    similarity: Similarity,
) -> None:
    sure = sure_consensus(inside, outstanding, strategy=strategy, question=asked, similarity=similarity)
    if sure is None:
        return
    lead = count_ballots([*inside, *outstanding], strategy=strategy, question=asked, similarity=similarity).groups[0]
    said = {ballot.value for ballot in lead.ballots}
    for tally in endings(inside, outstanding, (*values, None), asked, strategy, similarity):
        assert said & {ballot.value for ballot in tally.groups[0].ballots}
        assert tally.consensus >= sure - 1e-9


def sure(
    kind: AnswerKind, *values: BallotValue | None, out: set[int], strategy: StrategyName = MAJORITY
) -> float | None:
    inside, outstanding = split([ballot(value, seat=seat) for seat, value in enumerate(values)], out)
    return sure_consensus(inside, outstanding, strategy=strategy, question=question(kind), similarity=never_alike)


def test_two_of_three_is_sure_for_every_kind_that_votes_as_a_whole() -> None:
    assert sure(AnswerKind.CHOICE, "A", "A", None, out={2}) == pytest.approx(2 / 3)
    assert sure(AnswerKind.NUMBER, 7.0, 7.0, None, out={2}) == pytest.approx(2 / 3)
    assert sure(AnswerKind.SHORT, None, "paris", "The Paris!", out={0}) == pytest.approx(2 / 3)
    assert sure(AnswerKind.TEXT, None, "as it is", "as it is", out={0}) == pytest.approx(2 / 3)
    assert sure(AnswerKind.TEXT, "as it is", "as it is", None, out={2}) == pytest.approx(2 / 3)


def test_one_of_two_is_not_sure_of_a_tie() -> None:
    assert sure(AnswerKind.CHOICE, "A", None, out={1}) == 0.5  # seat 0 wins a tie in one stage
    assert sure(AnswerKind.CHOICE, None, "A", out={0}) is None
    assert sure(AnswerKind.TEXT, "as it is", None, out={1}) is None


def test_a_free_text_before_the_others_may_unite_them() -> None:
    texts = ("a", "a", "a", "b", "c", "d")
    assert sure(AnswerKind.TEXT, *texts, "x", out={6}) == pytest.approx(3 / 7)
    assert sure(AnswerKind.TEXT, *texts[:3], "x", *texts[3:], out={3}) is None  # with "x" before b, c, d: four


def test_weighted_free_text_is_never_sure_before_the_last_reply() -> None:
    assert sure(AnswerKind.TEXT, "a", "a", None, out={2}, strategy=WEIGHTED) is None


OBJECTS = ('{"a":1,"b":1}', '{"a":1,"b":2}', '{"a":2}', '{"a":2,"b":1}', "{}")


@settings(deadline=None)
@given(panels(OBJECTS), st.sampled_from([MAJORITY, WEIGHTED]))
def test_a_json_answer_that_is_sure_stays_what_it_is(
    seats: tuple[list[Ballot], list[Ballot]], strategy: StrategyName
) -> None:
    asked, (inside, outstanding) = question(AnswerKind.JSON), seats
    least = sure_consensus(inside, outstanding, strategy=strategy, question=asked, similarity=never_alike)
    if least is None:
        return
    ends = endings(inside, outstanding, (*OBJECTS, None), asked, strategy)
    assert len({tally.merged or tally.winner.value for tally in ends if tally.winner}) == 1
    assert least <= min(tally.consensus for tally in ends) + 1e-9


def test_fields_that_may_yet_go_another_way_are_not_sure() -> None:
    assert sure(AnswerKind.JSON, *OBJECTS[:1] * 3, OBJECTS[1], None, out={4}) == pytest.approx(3 / 5)
    assert sure(AnswerKind.JSON, *OBJECTS[:1] * 2, *OBJECTS[1:3], None, out={4}) is None


def test_nothing_is_sure_while_nobody_has_answered() -> None:
    assert sure(AnswerKind.CHOICE, None, None, out={1}) is None
