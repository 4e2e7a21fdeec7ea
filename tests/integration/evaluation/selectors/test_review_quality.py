from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from evaluation.models import ReviewSession, ReviewSlot, ReviewVote
from evaluation.selectors.review_quality import own_calibration, own_gold, session_quality
from tests.factories import NOW
from tests.review_factories import make_leased_slot, make_person, make_review_item, make_review_session, make_vote

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> ReviewSession:
    return make_review_session()


def give(session: ReviewSession, person: User, number: int, *, kind: str = "regular", **vote: Any) -> None:
    for _ in range(number):
        expected = None if kind == "regular" else {"first": [1, 2], "second": [3]}
        item = make_review_item(session, kind=kind, expected=expected)
        make_vote(slot=make_leased_slot(item, person=person, personal=kind != "regular"), **vote)


def titles(session: ReviewSession) -> list[str]:
    return [alarm.title for alarm in session_quality(session).alarms]


def test_known_levels_are_those_of_all_reviewers_together(session):
    give(session, make_person("reviewer"), 2, kind="gold", facts_a=2, facts_b=1)
    give(session, make_person("reviewer"), 1, kind="gold", facts_a=3, facts_b=1, first_is_a=False)
    give(session, make_person("reviewer"), 1, kind="calibration", facts_a=None, facts_b=4)
    found = session_quality(session)
    assert (found.gold.given, found.gold.right) == (6, 4)
    assert (found.calibration.given, found.calibration.right) == (1, 0)
    assert found.gold.interval is not None
    assert found.gold.share == pytest.approx(4 / 6)


def test_only_regular_items_count_for_sides_and_ties(session):
    person = make_person("reviewer")
    give(session, person, 3, preference=1)
    give(session, person, 1, preference=3)
    give(session, person, 1, preference=0)
    give(session, person, 4, kind="gold", preference=5)
    found = session_quality(session)
    assert (found.sides.wins, found.sides.losses, found.ties, found.votes) == (3, 0, 1, 5)


def test_an_imported_vote_is_nobodys_here(session):
    item = make_review_item(session)
    slot = ReviewSlot.objects.create(
        session=session, item=item, number=0, position=0, state="done", rater="r1", acted_at=NOW
    )
    ReviewVote.objects.create(slot=slot, revision=1, first_is_a=True, preference=1, created_at=NOW)
    assert session_quality(session).votes == 0


def test_without_votes_nothing_is_said(session):
    found = session_quality(session)
    assert (found.gold.share, found.gold.interval, found.alarms) == (None, None, ())


def test_an_alarm_names_no_reviewer(session):
    good, bad = make_person("reviewer"), make_person("reviewer", username="the-bad-one")
    give(session, good, 6, kind="gold", facts_a=1, facts_b=3)
    give(session, bad, 4, kind="gold", facts_a=4, facts_b=1)
    assert titles(session) == []  # eight levels are too few
    give(session, bad, 1, kind="calibration", facts_a=4, facts_b=3)
    assert titles(session) == ["1 of 2 reviewers: often misses known answers"]
    assert "the-bad-one" not in str(session_quality(session))


@pytest.mark.parametrize(
    ("votes", "title"),
    [
        ({"preference": 1}, "prefers one side"),
        ({"preference": 3}, "finds most items the same"),
        ({"preference": 0, "seconds": 2.0}, "rates much faster"),
    ],
)
def test_what_stands_out_raises_an_alarm(session, votes, title):
    for _ in range(2):
        give(session, make_person("reviewer"), 3, preference=0, seconds=30.0)
    give(session, make_person("reviewer"), 20, **votes)
    assert titles(session) == [f"1 of 3 reviewers: {title}"]


def test_many_skips_are_an_alarm(session):
    person = make_person("reviewer")
    give(session, person, 15, preference=0)
    for _ in range(5):
        slot = make_leased_slot(make_review_item(session), person=person)
        ReviewSlot.objects.filter(pk=slot.pk).update(
            state="skipped", lease_until=None, acted_at=NOW, skip_reason="unclear"
        )
    assert titles(session) == ["1 of 1 reviewers: skips many items"]


def test_gold_is_shown_in_blocks_so_that_no_item_gives_itself_away(session):
    person = make_person("reviewer")
    own = ReviewVote.objects.filter(slot__person=person, revision=1)
    give(session, person, 4, kind="gold", facts_a=1, facts_b=3)
    assert own_gold(own).given == 0
    give(session, person, 3, kind="gold", facts_a=4, facts_b=3)
    assert (own_gold(own).given, own_gold(own).right) == (10, 9)
    give(session, person, 1, kind="calibration", facts_a=4, facts_b=3)
    assert (own_calibration(own).given, own_calibration(own).right) == (2, 1)


def test_quality_takes_two_queries(session, django_assert_num_queries):
    give(session, make_person("reviewer"), 5, kind="gold")
    with django_assert_num_queries(2):
        session_quality(session)
