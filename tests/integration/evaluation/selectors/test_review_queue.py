from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import pytest

from evaluation.models import ReviewSession, ReviewSlot
from evaluation.selectors.review_queue import (
    calibration_feedback,
    disputed_items,
    own_sessions,
    progress_of,
    revealed,
    review_card,
)
from evaluation.services.review_sessions import assign_person
from evaluation.services.review_slots import claim_slots
from evaluation.services.review_votes import reveal_slot, skip_slot, submit_vote
from evaluation.stats.review_sides import first_is_a
from tests.factories import NOW
from tests.integration.evaluation.finished_runs import make_finished_run
from tests.integration.evaluation.services.review_sheets import fine
from tests.review_factories import (
    make_leased_slot,
    make_person,
    make_queue,
    make_review_item,
    make_review_session,
    make_reviewers,
    make_vote,
)

pytestmark = pytest.mark.django_db


def claim(session, person) -> ReviewSlot:
    return claim_slots(session=session, person=person, now=NOW)[0]


def rate(session, person, *, now=NOW, **given):
    return submit_vote(token=claim(session, person).token, person=person, sheet=fine(**given), now=now)


def test_a_card_shows_the_texts_on_the_sides_of_the_slot():
    item = make_review_item(second_state="refusal", second_text="")
    cards = [review_card(make_leased_slot(item, number=number)) for number in range(2)]
    assert {card.a_text for card in cards} == {"The first answer.", ""}
    for number, card in enumerate(cards):
        shown_first = first_is_a(item.session.seed, item.pk, number)
        assert card.a_text == (item.first_text if shown_first else item.second_text)
        assert (card.asks_a, card.asks_b) == (shown_first, not shown_first)
        assert (card.a_state == "refusal") is not shown_first


def test_a_card_holds_no_identifier_but_the_token():
    slot = make_leased_slot()
    card = review_card(slot)
    assert card.token == slot.lease_token
    numbers = [getattr(card, field.name) for field in fields(card) if isinstance(getattr(card, field.name), int)]
    assert all(isinstance(number, bool) for number in numbers)


@pytest.mark.parametrize("shown", [True, False])
def test_evidence_and_reference_are_sent_only_where_the_session_shows_them(shown):
    session = make_review_session(shows_evidence=shown, shows_reference=shown)
    card = review_card(make_leased_slot(make_review_item(session, evidence="It says so.", reference="A")))
    assert (card.evidence, card.reference) == (("It says so.", "A") if shown else ("", ""))


def test_progress_counts_what_this_person_can_still_do():
    session = make_review_session(calibration_count=1)
    make_review_item(session, position=0, kind="calibration", expected={"first": [1]})
    for position in range(1, 5):
        make_review_item(session, position=position, slots=1)
    make_review_item(session, position=9, kind="gold", expected={"first": [1]})
    one, other = make_reviewers(session, 2, calibrated_at=None)
    assert (progress_of(session, one).done, progress_of(session, one).total) == (0, 5)
    rate(session, one, seconds=30.0)
    rate(session, one, seconds=60.0)
    skip_slot(token=claim(session, one).token, person=one, reason="unclear", now=NOW)
    progress = progress_of(session, one)
    assert (progress.done, progress.total, progress.minutes_left) == (3, 5, None)
    rate(session, one, seconds=90.0)
    assert progress_of(session, one).minutes_left == 1
    assert (progress_of(session, other).done, progress_of(session, other).total) == (0, 3)


def test_a_list_has_own_sessions_and_queues_to_join_open_ones_first():
    person = make_person("reviewer")
    closed = make_review_session(title="closed", state="closed", closed_at=NOW)
    settling = make_review_session(title="settling")
    make_review_session(title="draft", state="draft", open_queue=True)
    make_review_session(title="somebody else's")
    make_review_session(title="queue", open_queue=True, created_at=NOW + timedelta(days=1))
    assign_person(session=closed, person=person, role="reviewer", now=NOW)
    assign_person(session=settling, person=person, role="adjudicator", now=NOW)
    lines = [(line.session.title, line.joined, line.role) for line in own_sessions(person)]
    assert lines == [("queue", False, "reviewer"), ("settling", True, "adjudicator"), ("closed", True, "reviewer")]


def test_calibration_tells_what_was_expected():
    item = make_review_item(kind="calibration", expected={"first": [1, 2], "second": [3]})
    slot = make_vote(slot=make_leased_slot(item, personal=True), facts_a=2, facts_b=1, first_is_a=True).slot
    lines = [(line.letter, line.given, line.expected, line.fits) for line in calibration_feedback(slot)]
    assert lines == [
        ("A", "Minor slip", "All supported or minor slip", True),
        ("B", "All supported", "Major error", False),
    ]


def test_of_gold_nothing_is_told_nor_of_what_is_not_rated():
    gold = make_review_item(kind="gold", expected={"first": [1]})
    assert calibration_feedback(make_vote(slot=make_leased_slot(gold, personal=True)).slot) == ()
    known = make_review_item(kind="calibration", expected={"first": [1]})
    assert calibration_feedback(make_leased_slot(known, personal=True)) == ()


def test_the_reveal_names_the_arms_and_what_the_reference_says():
    finished = make_finished_run("R", "W")
    session = make_review_session(
        run=finished.run, first_arm=finished.panel, second_arm=finished.baseline, reveals=True
    )
    item = make_review_item(
        session,
        slots=1,
        first_answer=finished.answers(finished.panel)[0],
        second_answer=finished.answers(finished.baseline)[0],
    )
    (person,) = make_reviewers(session)
    slot = rate(session, person).slot
    assert revealed(slot) == ()
    sides = revealed(reveal_slot(token=slot.token, person=person, now=NOW))
    by_arm = {side.arm: (side.letter, side.judge) for side in sides}
    first, second = ("A", "B") if first_is_a(session.seed, item.pk, 0) else ("B", "A")
    assert by_arm == {
        "arm 1": (first, "Wrong, by the reference"),
        "arm 0": (second, "Right, by the reference"),
    }


def test_an_imported_pair_has_no_arms_to_name():
    slot = make_vote().slot
    ReviewSlot.objects.filter(pk=slot.pk).update(revealed_at=NOW)
    slot.refresh_from_db()
    assert {(side.arm, side.judge) for side in revealed(slot)} == {("First answer", ""), ("Second answer", "")}


def test_disputes_come_with_the_lowest_agreement_first():
    session = make_review_session()
    items = [
        make_review_item(session, position=place, dispute=dispute) for place, dispute in enumerate([1, None, 3, 1])
    ]
    assert [item.pk for item in disputed_items(session)] == [items[2].pk, items[0].pk, items[3].pk]


def test_the_list_of_a_reviewer_takes_few_queries(django_assert_max_num_queries):
    person = make_person("reviewer")
    for _ in range(3):
        session = make_review_session()
        make_queue(session, items=3, slots=1)
        assign_person(session=session, person=person, role="reviewer", now=NOW)
    assert ReviewSession.objects.count() == 3
    with django_assert_max_num_queries(2 + 3 * 4):
        own_sessions(person)
