from __future__ import annotations

from datetime import timedelta

import pytest

from evaluation.models import ReviewSession, ReviewSlot, ReviewVote
from evaluation.policies import WrongState
from evaluation.services.review_sheets import Chip, InvalidSheet
from evaluation.services.review_slots import LEASE, LeaseLost, claim_slots
from evaluation.services.review_votes import (
    NothingToUndo,
    NotRevisable,
    VoteStands,
    reveal_slot,
    revise_vote,
    skip_slot,
    submit_vote,
    undo_step,
    vote_after_reveal,
)
from evaluation.stats.review_sides import first_is_a
from tests.factories import NOW
from tests.integration.evaluation.services.review_sheets import fine
from tests.review_factories import make_queue, make_review_item, make_review_session, make_reviewers

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> ReviewSession:
    return make_review_session(reveals=True)


def claim(session, person, now=NOW) -> ReviewSlot:
    return claim_slots(session=session, person=person, now=now)[0]


def submit(slot, person, now=NOW, **fields) -> ReviewVote:
    return submit_vote(token=slot.token, person=person, sheet=fine(**fields), now=now)


def rate(session, person, now=NOW, **fields) -> ReviewVote:
    return submit(claim(session, person, now), person, now, **fields)


def problems(error) -> dict[str, str]:
    return dict(error.value.problems)


def test_a_vote_is_stored_with_the_side_it_was_given_on(session):
    make_queue(session, items=1, slots=1)
    (person,) = make_reviewers(session)
    slot = claim(session, person)
    chips = (Chip(side="a", sentence=2, text="It runs 10 years.", kind="contradicts_evidence"),)
    vote = submit(slot, person, facts_a=3, preference=5, note="Ten?", chips=chips, flagged=True, seconds=31.5)
    vote.refresh_from_db()
    assert vote.first_is_a is first_is_a(session.seed, slot.item_id, 0)
    assert (vote.facts_a, vote.facts_b, vote.preference, vote.note, vote.seconds) == (3, 1, 5, "Ten?", 31.5)
    assert vote.chips == [{"side": "a", "sentence": 2, "text": "It runs 10 years.", "kind": "contradicts_evidence"}]
    slot.refresh_from_db()
    assert (slot.state, slot.acted_at, slot.lease_until) == ("done", NOW, None)


def test_the_same_vote_twice_is_one_and_another_one_is_refused(session):
    make_queue(session, items=1, slots=1)
    (person,) = make_reviewers(session)
    slot = claim(session, person)
    first = submit(slot, person, seconds=3.0)
    assert submit(slot, person, seconds=9.0).pk == first.pk
    with pytest.raises(VoteStands):
        submit(slot, person, facts_a=2)
    assert ReviewVote.objects.count() == 1


def test_a_token_is_worth_nothing_in_other_hands(session):
    make_queue(session, items=1, slots=1)
    one, other = make_reviewers(session, 2)
    slot = claim(session, one)
    for act in (submit, lambda slot, person: skip_slot(token=slot.token, person=person, reason="known", now=NOW)):
        with pytest.raises(LeaseLost):
            act(slot, other)
    assert not ReviewVote.objects.exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"facts_a": None}, "facts_a"),
        ({"facts_b": 6}, "facts_b"),
        ({"facts_b": 0}, "facts_b"),
        ({"preference": None}, "preference"),
        ({"preference": 6}, "preference"),
        ({"note": "x" * 4_001}, "note"),
        ({"facts_a": 3, "chips": (Chip(side="c", sentence=0, text="", kind="outdated"),)}, "chips"),
        ({"facts_a": 3, "chips": (Chip(side="a", sentence=0, text="", kind="rude"),)}, "chips"),
        ({"facts_a": 3, "chips": (Chip(side="a", sentence=-1, text="", kind="outdated"),)}, "chips"),
        ({"facts_a": 2, "chips": (Chip(side="a", sentence=0, text="", kind="outdated"),)}, "chips"),
        ({"facts_a": 3, "chips": (Chip(side="a", sentence=0, text="x" * 1_001, kind="outdated"),)}, "chips"),
        ({"facts_a": 3, "chips": (Chip(side="a", sentence=0, text="", kind="outdated"),) * 61}, "chips"),
    ],
)
def test_a_sheet_that_makes_no_sense_is_refused_and_the_lease_stays(session, fields, field):
    make_queue(session, items=1, slots=1)
    (person,) = make_reviewers(session)
    slot = claim(session, person)
    with pytest.raises(InvalidSheet) as error:
        submit(slot, person, **fields)
    assert set(problems(error)) == {field}
    slot.refresh_from_db()
    assert slot.state == "leased"


def test_a_refusal_has_no_facts_to_rate(session):
    item = make_review_item(session, slots=1, second_state="refusal", second_text="")
    (person,) = make_reviewers(session)
    slot = claim(session, person)
    silent = "facts_b" if first_is_a(session.seed, item.pk, 0) else "facts_a"
    with pytest.raises(InvalidSheet) as error:
        submit(slot, person)
    assert problems(error) == {silent: f"{silent[-1].upper()} is no answer, so it has no facts to rate."}
    assert getattr(submit(slot, person, **{silent: None}), silent) is None


def test_a_paused_session_takes_the_vote_under_way_and_a_closed_one_does_not(session):
    make_queue(session, items=2, slots=1)
    (person,) = make_reviewers(session)
    slot = claim(session, person)
    ReviewSession.objects.update(state="paused")
    submit(slot, person)
    ReviewSession.objects.update(state="open")
    slot = claim(session, person)
    ReviewSession.objects.update(state="closed", closed_at=NOW)
    with pytest.raises(WrongState, match="closed"):
        submit(slot, person)


# The third reviewer


def levels(item, first, second, number):
    """A sheet's facts for the arms' levels, on the sides that the slot shows."""
    is_a = first_is_a(item.session.seed, item.pk, number)
    return {"facts_a": first, "facts_b": second} if is_a else {"facts_a": second, "facts_b": first}


def rated(session, item, *votes, **fields):
    """Votes (first, second) of a reviewer each."""
    for person, (first, second) in zip(make_reviewers(session, len(votes)), votes, strict=True):
        slot = claim(session, person)
        submit(slot, person, **levels(item, first, second, slot.number), **fields)
    item.refresh_from_db()
    return item


def test_two_levels_apart_opens_a_third_slot_and_one_level_does_not(session):
    item = rated(session, make_review_item(session, slots=2), (1, 1), (2, 1))
    assert (item.slots.count(), item.dispute) == (2, None)
    item = rated(session, make_review_item(session, slots=2), (1, 1), (3, 1))
    third = item.slots.get(number=2)
    assert (third.state, third.by_rule, item.dispute) == ("open", True, None)


@pytest.mark.parametrize("said", [{"unsure": True}, {"preference": 3}])
def test_whoever_is_unsure_gets_a_third(session, said):
    item = rated(session, make_review_item(session, slots=2), (1, 1), (1, 1), **said)
    assert item.slots.count() == (3 if said.get("unsure") else 2)


def test_who_cannot_tell_is_followed_by_another_even_without_overlap(session):
    item = rated(session, make_review_item(session, slots=1), (5, 1))
    assert list(item.slots.order_by("number").values_list("state", flat=True)) == ["done", "open"]
    item = rated(session, item, (1, 1))
    assert item.slots.count() == 3
    item = rated(session, item, (1, 1))
    assert (item.slots.count(), item.dispute) == (3, None)


def test_what_three_leave_undecided_is_disputed(session):
    item = rated(session, make_review_item(session, slots=2), (1, 1), (4, 1))
    assert item.dispute is None
    item = rated(session, item, (5, 1))
    assert item.dispute == 3.5


def test_pass_against_fail_by_one_level_is_disputed_at_once(session):
    item = rated(session, make_review_item(session, slots=2), (2, 1), (3, 1))
    assert (item.slots.count(), item.dispute) == (2, 1.0)


def test_a_revision_that_agrees_withdraws_the_third_slot_while_nobody_has_it(session):
    item = make_review_item(session, slots=2)
    one, other, third = make_reviewers(session, 3)
    submit(claim(session, one), one, facts_a=1, facts_b=1)
    vote = rate(session, other, facts_a=4, facts_b=4)
    assert item.slots.count() == 3
    revise_vote(token=vote.slot.token, person=other, sheet=fine(facts_a=1, facts_b=2), now=NOW)
    assert item.slots.count() == 2
    revise_vote(token=vote.slot.token, person=other, sheet=fine(facts_a=4, facts_b=4), now=NOW)
    claim(session, third)
    revise_vote(token=vote.slot.token, person=other, sheet=fine(facts_a=1, facts_b=1), now=NOW)
    assert item.slots.count() == 3


# Skip, undo, revise


def test_a_skipped_item_goes_to_somebody_else_on_the_same_side(session):
    item = make_review_item(session, slots=2)
    people = make_reviewers(session, 4)
    for person in people[:2]:
        skip_slot(token=claim(session, person).token, person=person, reason="expertise", now=NOW)
    numbers = dict(item.slots.values_list("number", "state"))
    assert numbers == {0: "skipped", 1: "skipped", 2: "open", 3: "open"}
    for person in people[2:]:
        submit(claim(session, person), person)
    assert ReviewVote.objects.count() == 2
    assert {vote.first_is_a for vote in ReviewVote.objects.all()} == {True, False}


def test_a_skip_needs_one_of_the_reasons(session):
    make_queue(session, items=1, slots=1)
    (person,) = make_reviewers(session)
    with pytest.raises(ValueError, match="bored"):
        skip_slot(token=claim(session, person).token, person=person, reason="bored", now=NOW)


def test_a_skip_sent_twice_opens_one_slot(session):
    item = make_review_item(session, slots=1)
    (person,) = make_reviewers(session)
    token = claim(session, person).token
    for _ in range(2):
        skip_slot(token=token, person=person, reason="broken", now=NOW)
    assert item.slots.count() == 2
    with pytest.raises(LeaseLost):
        submit_vote(token=token, person=person, sheet=fine(), now=NOW)


def test_an_undone_skip_is_leased_again_and_its_replacement_withdrawn(session):
    item = make_review_item(session, slots=1)
    (person,) = make_reviewers(session)
    token = claim(session, person).token
    skip_slot(token=token, person=person, reason="broken", now=NOW)
    undone = undo_step(session=session, person=person, now=NOW)
    assert (undone.slot.lease_token, undone.slot.state, undone.vote) == (token, "leased", None)
    assert undone.slot.lease_until == NOW + LEASE
    assert item.slots.count() == 1
    assert submit(undone.slot, person).revision == 1


def test_a_skip_that_somebody_took_up_cannot_be_undone(session):
    make_review_item(session, slots=1)
    one, other = make_reviewers(session, 2)
    skip_slot(token=claim(session, one).token, person=one, reason="broken", now=NOW)
    claim(session, other)
    with pytest.raises(NothingToUndo, match="Somebody else"):
        undo_step(session=session, person=one, now=NOW)


def test_undo_reaches_ten_items_back_and_leaves_every_vote_standing(session):
    make_queue(session, items=13, slots=1)
    (person,) = make_reviewers(session)
    votes = [rate(session, person, NOW + timedelta(seconds=n), facts_a=1 + n % 4) for n in range(12)]
    token = claim(session, person, NOW + timedelta(minutes=1)).token
    for expected in reversed(votes[2:]):
        undone = undo_step(session=session, person=person, now=NOW, before=token)
        assert undone.vote is not None
        assert (undone.vote.pk, undone.slot.state) == (expected.pk, "done")
        token = undone.slot.token
    with pytest.raises(NothingToUndo):
        undo_step(session=session, person=person, now=NOW, before=token)
    with pytest.raises(NotRevisable, match="last 10"):
        revise_vote(token=votes[1].slot.token, person=person, sheet=fine(facts_a=4), now=NOW)


def test_a_revision_is_a_row_of_its_own(session):
    make_queue(session, items=1, slots=1)
    (person,) = make_reviewers(session)
    vote = rate(session, person)
    token = vote.slot.token
    revised = revise_vote(token=token, person=person, sheet=fine(facts_a=4), now=NOW)
    again = revise_vote(token=token, person=person, sheet=fine(facts_a=4), now=NOW)
    assert (revised.revision, again.pk) == (2, revised.pk)
    assert list(vote.slot.votes.order_by("revision").values_list("facts_a", flat=True)) == [1, 4]
    with pytest.raises(InvalidSheet):
        revise_vote(token=token, person=person, sheet=fine(facts_a=9), now=NOW)


def test_what_was_not_voted_on_cannot_be_revised(session):
    make_queue(session, items=1, slots=1)
    (person,) = make_reviewers(session)
    with pytest.raises(LeaseLost):
        revise_vote(token=claim(session, person).token, person=person, sheet=fine(), now=NOW)


# After the reveal


def test_a_change_after_the_reveal_is_kept_beside_the_blind_vote(session):
    make_queue(session, items=1, slots=1)
    (person,) = make_reviewers(session)
    vote = rate(session, person)
    token = vote.slot.token
    with pytest.raises(NotRevisable, match="reveal first"):
        vote_after_reveal(token=token, person=person, sheet=fine(facts_a=3), now=NOW)
    assert reveal_slot(token=token, person=person, now=NOW).revealed_at == NOW
    later = NOW + timedelta(minutes=1)
    assert reveal_slot(token=token, person=person, now=later).revealed_at == NOW
    with pytest.raises(NotRevisable, match="final"):
        revise_vote(token=token, person=person, sheet=fine(facts_a=3), now=NOW)
    with pytest.raises(NothingToUndo):
        undo_step(session=session, person=person, now=NOW)
    second = vote_after_reveal(token=token, person=person, sheet=fine(facts_a=3), now=NOW)
    assert vote_after_reveal(token=token, person=person, sheet=fine(facts_a=3), now=NOW).pk == second.pk
    assert list(vote.slot.votes.order_by("revision").values_list("phase", "facts_a")) == [
        ("first", 1),
        ("revealed", 3),
    ]
    assert submit(vote.slot, person).pk == vote.pk


def test_nothing_is_revealed_before_the_vote_or_where_the_session_forbids_it(session):
    make_queue(session, items=1, slots=1)
    (person,) = make_reviewers(session)
    slot = claim(session, person)
    with pytest.raises(LeaseLost):
        reveal_slot(token=slot.token, person=person, now=NOW)
    ReviewSession.objects.update(reveals=False)
    submit(slot, person)
    with pytest.raises(NotRevisable, match="hidden"):
        reveal_slot(token=slot.token, person=person, now=NOW)


def test_a_skipped_calibration_item_counts_as_done(session):
    make_review_item(session, kind="calibration", expected={"first": [1]})
    (person,) = make_reviewers(session, calibrated_at=None)
    slot = claim(session, person)
    skip_slot(token=slot.token, person=person, reason="unclear", now=NOW)
    assert session.assignments.get().calibrated_at == NOW
    assert slot.item.slots.count() == 1
    assert undo_step(session=session, person=person, now=NOW).slot.state == "leased"
