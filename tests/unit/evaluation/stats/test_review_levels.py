from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.stats.review_levels import (
    CANT_TELL,
    Judgement,
    Verdict,
    Winner,
    dispute_of,
    judgement,
    mirrored,
    needs_another,
    settle,
    settled_level,
    verdict_of,
    votes_wanted,
    winner_of,
)

LEVELS = st.integers(1, 5)


def said(first: int | None, second: int | None = 1, *, unsure: bool = False, preference: int | None = 3) -> Judgement:
    return Judgement(first=first, second=second, preference=preference, unsure=unsure)


@pytest.mark.parametrize(
    ("level", "verdict"),
    [(1, Verdict.PASS), (2, Verdict.PASS), (3, Verdict.FAIL), (4, Verdict.FAIL), (5, Verdict.CANT_TELL)],
)
def test_one_and_two_pass_three_and_four_fail_and_five_is_neither(level, verdict):
    assert verdict_of(level) is verdict


def test_a_vote_is_mapped_back_to_the_answers():
    given_ = {"facts_a": 1, "facts_b": 4, "preference": 1, "unsure": True}
    straight, swapped = judgement(**given_, first_is_a=True), judgement(**given_, first_is_a=False)  # type: ignore[arg-type]
    assert straight == Judgement(first=1, second=4, preference=1, unsure=True)
    assert swapped == Judgement(first=4, second=1, preference=5, unsure=True)


@given(st.one_of(st.none(), st.integers(0, 5)), st.booleans())
def test_mapping_twice_changes_nothing(preference, first_is_a):
    assert mirrored(mirrored(preference, first_is_a), first_is_a) == preference


def test_both_unusable_and_the_same_have_no_side():
    assert [mirrored(level, False) for level in (0, 1, 2, 3, 4, 5, None)] == [0, 5, 4, 3, 2, 1, None]


@pytest.mark.parametrize(
    ("judgements", "needed"),
    [
        ([said(1), said(2)], False),
        ([said(2), said(3)], False),  # one level apart, though one passes and the other fails
        ([said(1), said(3)], True),
        ([said(1, 1), said(1, 4)], True),
        ([said(1), said(1, unsure=True)], True),
        ([said(CANT_TELL)], True),
        ([said(1), said(CANT_TELL)], True),
        ([said(None, 1), said(None, 2)], False),
        ([said(1, preference=2), said(1, preference=3)], False),
        ([said(1, preference=2), said(1, preference=4)], True),
        ([said(1, preference=5), said(1, preference=4)], False),
        ([said(1, preference=0), said(1, preference=5)], False),  # unusable is no level of preference
        ([said(1, preference=None), said(1, preference=5)], False),
        ([], False),
    ],
)
def test_another_vote_is_needed_two_levels_apart_or_where_somebody_is_unsure(judgements, needed):
    assert needs_another(judgements) is needed


@pytest.mark.parametrize(
    ("planned", "judgements", "wanted"),
    [
        (2, [], 2),
        (2, [said(1)], 2),
        (2, [said(1, unsure=True)], 2),  # the second is planned anyway
        (2, [said(1), said(3)], 3),
        (2, [said(1), said(1)], 2),
        (2, [said(1), said(3), said(3)], 3),
        (1, [said(CANT_TELL)], 2),
        (1, [said(CANT_TELL), said(1)], 3),
        (1, [said(2)], 1),
        (3, [said(1), said(4)], 3),
        (3, [said(1), said(4), said(2)], 3),  # never a fourth
    ],
)
def test_how_many_votes_an_item_wants(planned, judgements, wanted):
    assert votes_wanted(planned, judgements) == wanted


@pytest.mark.parametrize(
    ("levels", "verdict", "level"),
    [
        ([], Verdict.UNJUDGED, None),
        ([2], Verdict.PASS, 2),
        ([1, 2], Verdict.PASS, 2),
        ([1, 1, 2], Verdict.PASS, 1),
        ([2, 3], Verdict.UNDECIDED, None),
        ([3, 4, 1], Verdict.FAIL, 4),
        ([1, 3, 3], Verdict.FAIL, 3),
        ([5, 5, 1], Verdict.CANT_TELL, 5),
        ([5, 1, 3], Verdict.UNDECIDED, None),
    ],
)
def test_most_votes_settle_an_answer(levels, verdict, level):
    assert settle(levels) is verdict
    assert settled_level(levels) == level


@given(st.lists(LEVELS, max_size=5), st.randoms())
def test_the_order_of_votes_does_not_matter(levels, chance):
    shuffled = list(levels)
    chance.shuffle(shuffled)
    assert settle(shuffled) is settle(levels)
    assert settled_level(shuffled) == settled_level(levels)


@pytest.mark.parametrize(
    ("planned", "judgements", "dispute"),
    [
        (2, [said(1), said(3)], None),  # a third is on its way
        (2, [said(2), said(3)], 1),
        (2, [said(1), said(3), said(CANT_TELL)], 2.5),
        (2, [said(1, 1), said(4, 4), said(CANT_TELL, CANT_TELL)], 7),
        (2, [said(1), said(3), said(3)], None),
        (1, [said(3)], None),
        (1, [], None),
    ],
)
def test_a_dispute_is_what_the_wanted_votes_leave_undecided(planned, judgements, dispute):
    assert dispute_of(planned, judgements) == dispute


@pytest.mark.parametrize(
    ("preferences", "winner"),
    [
        ([], None),
        ([1], Winner.FIRST),
        ([2, 4], Winner.SAME),
        ([3], Winner.SAME),
        ([5, 5, 1], Winner.SECOND),
        ([0], Winner.UNUSABLE),
        ([0, 0, 2], Winner.UNUSABLE),
        ([0, 2], Winner.FIRST),
        ([3, 4], Winner.SECOND),
    ],
)
def test_an_item_has_one_winner(preferences, winner):
    assert winner_of(preferences) is winner


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_swapping_the_answers_swaps_the_winner(preferences):
    swapped = [mirrored(preference, False) for preference in preferences]
    opposite = {Winner.FIRST: Winner.SECOND, Winner.SECOND: Winner.FIRST}
    winner = winner_of(preferences)
    assert winner is not None
    assert winner_of(swapped) is opposite.get(winner, winner)  # type: ignore[arg-type]
