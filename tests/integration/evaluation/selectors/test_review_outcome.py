from __future__ import annotations

import pytest

from evaluation.models import ReviewSession, ReviewVote
from evaluation.selectors.review_outcome import review_outcome
from evaluation.stats.review_levels import Verdict
from tests.factories import NOW
from tests.review_factories import make_adjudication, make_review_item, make_review_session, make_vote

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> ReviewSession:
    return make_review_session()


def rated(session: ReviewSession, *votes: dict, **fields):
    """An item with its votes, the first arm on side A unless a vote says otherwise."""
    item = make_review_item(session, **fields)
    for vote in votes:
        make_vote(item, **vote)
    return item


def test_a_rate_counts_failures_of_what_was_answered_and_settled(session):
    rated(session, {"facts_a": 3, "facts_b": 1})
    rated(session, {"facts_a": 4, "facts_b": 2})
    rated(session, {"facts_a": 2, "facts_b": 1})
    rated(session, {"facts_a": 5, "facts_b": 1})
    rated(session, {"facts_a": None, "facts_b": 1}, first_state="refusal", first_text="")
    make_review_item(session)
    outcome = review_outcome(session)
    first, second = outcome.arms
    assert (outcome.items, outcome.judged) == (6, 5)
    assert (first.hallucination.events, first.hallucination.n) == (2, 3)
    assert (first.minor_slip.events, first.minor_slip.n) == (1, 3)
    assert (first.cant_tell.events, first.cant_tell.n) == (1, 4)
    assert (first.answered.events, first.answered.n) == (4, 5)
    assert (second.hallucination.events, second.hallucination.n) == (0, 5)


def test_sides_are_mapped_back_to_the_arms(session):
    rated(session, {"facts_a": 1, "facts_b": 4, "preference": 1, "first_is_a": False})
    outcome = review_outcome(session)
    assert [arm.hallucination.events for arm in outcome.arms] == [1, 0]
    assert (outcome.preference.wins, outcome.preference.losses) == (0, 1)
    assert (outcome.sides.wins, outcome.sides.losses) == (1, 0)


def test_the_last_blind_revision_counts_and_no_vote_after_a_reveal(session):
    item = rated(session, {"facts_a": 4, "facts_b": 1, "preference": 5})
    slot = item.slots.get()
    common = {"slot": slot, "first_is_a": True, "facts_b": 1, "created_at": NOW}
    ReviewVote.objects.create(revision=2, facts_a=1, preference=1, **common)
    ReviewVote.objects.create(revision=3, facts_a=3, preference=5, phase="revealed", **common)
    outcome = review_outcome(session)
    assert outcome.arms[0].hallucination.events == 0
    assert outcome.preference.wins == 1


def test_what_an_adjudicator_decides_stands_in_place_of_the_votes(session):
    item = rated(session, {"facts_a": 1}, {"facts_a": 4})
    assert review_outcome(session).arms[0].undecided == 1
    assert review_outcome(session).arms[0].hallucination is None
    make_adjudication(item, first_facts=3, second_facts=1, preference=5)
    outcome = review_outcome(session)
    assert outcome.arms[0].hallucination.events == 1
    assert outcome.arms[0].undecided == 0
    assert outcome.preference.losses == 1


def test_an_oversample_is_weighted_back(session):
    rated(session, {"facts_a": 3}, inclusion=1.0)
    rated(session, {"facts_a": 1}, inclusion=0.25)
    outcome = review_outcome(session)
    assert outcome.is_weighted
    assert outcome.arms[0].hallucination.estimate == pytest.approx(1 / 5)


def test_known_items_count_in_no_rate(session):
    rated(session, {"facts_a": 3}, kind="gold", expected={"first": [3]})
    assert review_outcome(session).items == 0


def test_preference_is_one_result_an_item(session):
    rated(session, {"preference": 1}, {"preference": 2}, {"preference": 5})
    rated(session, {"preference": 3})
    rated(session, {"preference": 0})
    outcome = review_outcome(session)
    assert (outcome.preference.wins, outcome.preference.losses, outcome.same, outcome.unusable) == (1, 0, 1, 1)


def test_a_clear_preference_is_a_verdict(session):
    for _ in range(14):
        rated(session, {"preference": 4})
    conclusion = review_outcome(session).conclusion
    assert (conclusion.state, conclusion.title, conclusion.more) == ("pass", "Second answer is better", None)


def test_too_few_items_say_how_many_more(session):
    for preference in (1, 5, 3, 3):
        rated(session, {"preference": preference, "seconds": 30.0})
    conclusion = review_outcome(session).conclusion
    # A quarter of the items is rated twice: 384 items take 480 votes of half a minute.
    assert (conclusion.more, conclusion.minutes) == (384, 240)
    assert conclusion.title == "Label 384 more (240 minutes)"
    assert "It takes another session" in conclusion.words


def test_enough_items_without_a_preference_bound_the_difference(session):
    for number in range(200):
        rated(session, {"preference": 2 if number % 2 else 4})
    conclusion = review_outcome(session).conclusion
    assert conclusion.title == "No difference as large as 57 % against 43 %"


def test_agreement_is_of_items_that_two_rated(session):
    assert review_outcome(session).facts_agreement == (None, None)
    for level in (1, 2, 4):
        rated(session, {"facts_a": level, "preference": 1}, {"facts_a": level, "preference": 1})
    rated(session, {"facts_a": 5})
    outcome = review_outcome(session)
    first, second = outcome.facts_agreement
    assert (first.alpha, first.share) == (1.0, 1.0)
    assert (second.alpha, second.share) == (None, 1.0)
    assert outcome.preference_agreement.alpha is None


def test_a_preference_in_an_oversample_is_weighted_back(session):
    for _ in range(16):
        rated(session, {"preference": 1}, inclusion=1.0)
    rated(session, {"preference": 5}, inclusion=0.05)
    outcome = review_outcome(session)
    assert outcome.preference.win_rate == pytest.approx(16 / 36)
    assert outcome.preference.e_value > 20
    assert outcome.conclusion.more is not None


def test_the_difference_is_of_items_settled_for_both(session):
    for _ in range(9):
        rated(session, {"facts_a": 3, "facts_b": 1})
    rated(session, {"facts_a": 1, "facts_b": 3})
    rated(session, {"facts_a": 5, "facts_b": 3})
    found = review_outcome(session)
    assert (found.difference.n, found.difference.discordant) == (10, 10)
    assert found.difference.estimate == pytest.approx(0.8)
    assert found.conclusion.title == "Second answer is better"
    assert "80.0 points" in found.conclusion.words


def test_fewer_errors_are_no_verdict_before_all_items_are_judged(session):
    for _ in range(10):
        rated(session, {"facts_a": 3, "facts_b": 1})
    make_review_item(session)
    assert review_outcome(session).conclusion.title.startswith("Label 194 more")


def test_what_is_preferred_and_errs_more_is_no_winner(session):
    for _ in range(14):
        rated(session, {"facts_a": 3, "facts_b": 1, "preference": 1})
    conclusion = review_outcome(session).conclusion
    assert (conclusion.state, conclusion.title) == ("risk", "First answer is preferred, but errs more")


def test_longer_answers_that_win_show(session):
    rated(session, {"preference": 1}, first_text="much longer than the other", second_text="short")
    rated(session, {"preference": 1}, first_text="short", second_text="much longer than the other")
    rated(session, {"preference": 1}, first_text="equal", second_text="equal")
    outcome = review_outcome(session)
    assert (outcome.lengths.wins, outcome.lengths.losses) == (1, 1)


def test_what_to_read_first_is_ordered_by_harm(session):
    rated(session, {"facts_a": 1, "flagged": True}, question="flagged")
    rated(session, {"facts_a": 3}, question="failed")
    rated(session, {"facts_a": 1}, {"facts_a": 3}, question="undecided")
    rated(session, {"facts_a": 4}, question="harmful")
    rated(session, {"facts_a": 3, "flagged": True}, question="failed, flagged")
    rated(session, {"facts_a": 1}, question="fine")
    found = review_outcome(session).to_read
    assert [one.item.question for one in found] == ["harmful", "undecided", "failed, flagged", "failed", "flagged"]
    assert found[0].first is Verdict.FAIL


def test_a_result_takes_few_queries(session, django_assert_max_num_queries):
    for _ in range(10):
        rated(session, {"preference": 4}, {"preference": 3})
    with django_assert_max_num_queries(6):
        review_outcome(session)
