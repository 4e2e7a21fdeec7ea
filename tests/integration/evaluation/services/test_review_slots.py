from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from evaluation.models import ReviewSession, ReviewSlot
from evaluation.policies import WrongState
from evaluation.services.review_slots import (
    LEASE,
    LeaseLost,
    NotAssigned,
    claim_slots,
    expire_leases,
    pause_reviewer,
    release_slot,
    renew_lease,
)
from evaluation.services.review_votes import submit_vote
from tests.factories import NOW
from tests.integration.evaluation.services.review_sheets import fine
from tests.review_factories import (
    make_leased_slot,
    make_person,
    make_queue,
    make_review_item,
    make_review_session,
    make_reviewers,
)

pytestmark = pytest.mark.django_db

LATER = NOW + LEASE + timedelta(seconds=1)


def claim(session, person, *, now=NOW, wanted=1):
    return claim_slots(session=session, person=person, now=now, wanted=wanted)


def vote(slot, person, *, now=NOW):
    return submit_vote(token=slot.token, person=person, sheet=fine(), now=now)


@pytest.fixture
def session() -> ReviewSession:
    return make_review_session()


def test_the_first_item_goes_to_the_first_who_asks(session):
    make_queue(session, items=3, slots=1)
    one, other = make_reviewers(session, 2)
    assert [claim(session, one)[0].position, claim(session, other)[0].position] == [0, 1]


def test_an_item_that_wants_two_votes_goes_to_two_people_and_no_third(session):
    make_queue(session, items=1, slots=2)
    people = make_reviewers(session, 3)
    slots = [claim(session, person) for person in people]
    assert [len(own) for own in slots] == [1, 1, 0]
    assert [own[0].number for own in slots[:2]] == [0, 1]


def test_asking_again_gives_the_same_item_and_renews_its_lease(session):
    make_queue(session, items=2, slots=1)
    (person,) = make_reviewers(session)
    first = claim(session, person)[0]
    again = claim(session, person, now=NOW + timedelta(minutes=5))[0]
    assert again.lease_token == first.lease_token
    again.refresh_from_db()
    assert again.lease_until == NOW + timedelta(minutes=5) + LEASE


def test_an_item_fetched_ahead_is_not_seen_and_can_be_given_back(session):
    make_queue(session, items=2, slots=1)
    one, other = make_reviewers(session, 2)
    current, ahead = claim(session, one, wanted=2)
    assert (current.seen_at, ahead.seen_at) == (NOW, None)
    assert not release_slot(token=current.token, person=one)
    assert not release_slot(token=ahead.token, person=other)
    assert release_slot(token=ahead.token, person=one)
    assert claim(session, other)[0].pk == ahead.pk


def test_what_was_on_the_screen_last_comes_first(session):
    make_queue(session, items=2, slots=1)
    (person,) = make_reviewers(session)
    current, ahead = claim(session, person, wanted=2)
    vote(current, person)
    renew_lease(token=ahead.token, person=person, now=NOW)
    ahead.refresh_from_db()
    assert ahead.seen_at == NOW
    assert claim(session, person, wanted=2)[0].pk == ahead.pk


def test_a_lease_that_ran_out_passes_to_somebody_else_who_asks(session):
    make_queue(session, items=1, slots=1)
    one, other = make_reviewers(session, 2)
    slot = claim(session, one)[0]
    assert claim(session, other, now=NOW + LEASE - timedelta(seconds=1)) == []
    assert claim(session, other, now=LATER)[0].pk == slot.pk
    with pytest.raises(LeaseLost):
        vote(slot, one, now=LATER)
    with pytest.raises(LeaseLost):
        renew_lease(token=slot.token, person=one, now=LATER)


def test_a_lease_that_ran_out_is_its_reviewers_until_then(session):
    make_queue(session, items=2, slots=1)
    (person,) = make_reviewers(session)
    slot = claim(session, person)[0]
    assert claim(session, person, now=LATER)[0].pk == slot.pk
    much_later = LATER + timedelta(hours=3)
    assert vote(slot, person, now=much_later).slot_id == slot.pk


def test_a_heartbeat_keeps_the_lease(session):
    make_queue(session, items=1, slots=1)
    one, other = make_reviewers(session, 2)
    slot = claim(session, one)[0]
    renew_lease(token=slot.token, person=one, now=NOW + timedelta(minutes=14))
    assert claim(session, other, now=LATER) == []


def test_a_claim_renews_what_is_held_and_notes_what_is_on_the_screen(session):
    make_queue(session, items=3, slots=1)
    (person,) = make_reviewers(session)
    _, second, third = claim(session, person, wanted=3)
    later = NOW + timedelta(minutes=14)
    held = claim_slots(session=session, person=person, now=later, wanted=3, screen=second.token)
    assert held[0].token == second.token
    third.refresh_from_db()
    assert (held[0].seen_at, third.seen_at) == (later, None)
    assert {slot.lease_until for slot in held} == {later + LEASE}


def test_calibration_stays_ahead_of_what_was_fetched_after_it(session):
    make_review_item(session, slots=1, position=7)
    for position in (0, 1):
        make_review_item(session, kind="calibration", position=position, expected={"first": [1]})
    (person,) = make_reviewers(session, calibrated_at=None)
    fetched = claim(session, person, wanted=3)
    assert [slot.position for slot in fetched] == [0, 1, 7]
    assert [slot.position for slot in claim(session, person, wanted=3)] == [0, 1, 7]
    vote(fetched[0], person)
    assert claim(session, person)[0].position == 1


def test_what_was_left_behind_goes_first(session):
    make_queue(session, items=2, slots=1)
    one, other = make_reviewers(session, 2)
    left = make_leased_slot(make_review_item(session, position=90), person=one, lease_until=NOW)
    assert claim(session, other)[0].pk == left.pk
    assert claim(session, one)[0].position == 0


def test_nobody_gets_an_item_twice(session):
    make_queue(session, items=1, slots=3)
    (person,) = make_reviewers(session)
    vote(claim(session, person)[0], person)
    assert claim(session, person, now=LATER) == []


def test_expired_leases_can_be_opened_all_at_once(session):
    make_queue(session, items=2, slots=1)
    (person,) = make_reviewers(session)
    claim(session, person, wanted=2)
    assert expire_leases(session=session, now=NOW) == 0
    assert expire_leases(session=session, now=LATER) == 2
    assert not ReviewSlot.objects.exclude(state="open").exists()


def test_a_pause_gives_back_what_was_fetched_ahead(session):
    make_queue(session, items=2, slots=1)
    (person,) = make_reviewers(session)
    current, ahead = claim(session, person, wanted=2)
    pause_reviewer(session=session, person=person, now=NOW)
    current.refresh_from_db()
    ahead.refresh_from_db()
    assert (current.state, ahead.state) == ("leased", "open")
    assert session.assignments.get().paused_at == NOW
    claim(session, person)
    assert session.assignments.get().paused_at is None


@pytest.mark.parametrize("state", ["draft", "paused", "closed"])
def test_only_an_open_session_hands_out_items(session, state):
    make_queue(session, items=1, slots=1)
    (person,) = make_reviewers(session)
    ReviewSession.objects.update(state=state, closed_at=NOW if state == "closed" else None)
    with pytest.raises(WrongState, match=state):
        claim(session, person)


def test_only_its_reviewers_get_items(session):
    make_queue(session, items=1, slots=1)
    (adjudicator,) = make_reviewers(session, role="adjudicator")
    for person in (make_person("reviewer"), adjudicator):
        with pytest.raises(NotAssigned):
            claim(session, person)


def test_calibration_comes_first_and_everybody_gets_all_of_it(session):
    for position in range(2):
        make_review_item(session, position=position, kind="calibration", expected={"first": [1]})
    make_review_item(session, position=2, slots=1)
    people = make_reviewers(session, 2, calibrated_at=None)
    for person in people:
        kinds = []
        for _ in range(2):
            slot = claim(session, person)[0]
            kinds.append(slot.item.kind)
            assert session.assignments.get(person=person).calibrated_at is None
            vote(slot, person)
        assert kinds == ["calibration", "calibration"]
        assert session.assignments.get(person=person).calibrated_at == NOW
    assert claim(session, people[0])[0].item.kind == "regular"
    sides = ReviewSlot.objects.filter(item__position=0).order_by("number").values_list("number", flat=True)
    assert list(sides) == [0, 1]


def test_gold_is_mixed_in_by_its_share_and_never_twice(session):
    ReviewSession.objects.update(gold_share=0.25)
    session.refresh_from_db()
    make_queue(session, items=60, slots=1)
    for position in range(60, 80):
        make_review_item(session, position=position, kind="gold", expected={"first": [1]})
    (person,) = make_reviewers(session)
    kinds: Counter[str] = Counter()
    for _ in range(40):
        slot = claim(session, person)[0]
        kinds[slot.item.kind] += 1
        vote(slot, person)
    assert 4 <= kinds["gold"] <= 17
    assert ReviewSlot.objects.filter(person=person, state="done").count() == 40


def test_a_known_item_fetched_ahead_and_given_back_leaves_no_slot(session):
    for position in range(2):
        make_review_item(session, position=position, kind="calibration", expected={"first": [1]})
    (person,) = make_reviewers(session, calibrated_at=None)
    _, ahead = claim(session, person, wanted=2)
    assert release_slot(token=ahead.token, person=person)
    assert ReviewSlot.objects.count() == 1


def test_a_claim_takes_few_queries_however_long_the_queue(session, django_assert_max_num_queries):
    make_queue(session, items=200, slots=2)
    one, other = make_reviewers(session, 2)
    for _ in range(30):
        vote(claim(session, one)[0], one)
    with django_assert_max_num_queries(11):
        claim(session, other, wanted=2)
