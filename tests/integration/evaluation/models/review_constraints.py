"""What the database refuses of review sessions, items, slots and votes, by the constraint that does."""

from __future__ import annotations

from uuid import uuid4

from evaluation.models import Adjudication, ReviewAssignment, ReviewItem, ReviewSession, ReviewSlot, ReviewVote
from tests.constraints import Check, Unique
from tests.factories import NOW, make_dataset_version, make_experiment, make_model, make_panel_version, make_run
from tests.review_factories import (
    make_adjudication,
    make_leased_slot,
    make_person,
    make_review_item,
    make_review_session,
    make_rubric,
    make_vote,
)


def make_session() -> ReviewSession:
    return make_review_session()


def make_session_of_arms() -> ReviewSession:
    panels = [make_panel_version([[make_model()]]) for _ in range(2)]
    run = make_run(make_experiment(panels))
    first, second = run.experiment.arms.order_by("position")
    return make_review_session(run=run, first_arm=first, second_arm=second)


def make_assignment() -> ReviewAssignment:
    return ReviewAssignment.objects.create(session=make_review_session(), person=make_person(), created_at=NOW)


def make_item() -> ReviewItem:
    return make_review_item(example=make_dataset_version(examples=1).examples.get())


def make_gold() -> ReviewItem:
    return make_review_item(kind="gold", expected={"first": [1, 2]})


def make_open_slot() -> ReviewSlot:
    return make_review_item(slots=1).slots.get()


def make_slot() -> ReviewSlot:
    return make_leased_slot()


def make_done_slot() -> ReviewSlot:
    return make_vote().slot


def make_imported_slot() -> ReviewSlot:
    item = make_review_item()
    return ReviewSlot.objects.create(
        session=item.session, item=item, number=0, position=0, state="done", rater="annotator1", acted_at=NOW
    )


def make_skipped_slot() -> ReviewSlot:
    slot = make_leased_slot()
    ReviewSlot.objects.filter(pk=slot.pk).update(state="skipped", lease_until=None, acted_at=NOW, skip_reason="unclear")
    return slot


def make_given_vote() -> ReviewVote:
    return make_vote()


def make_settled() -> Adjudication:
    return make_adjudication()


REVIEW_CONSTRAINTS: dict[str, Check | Unique] = {
    "rubric_version_number_unique": Unique(make=make_rubric, fields=["name", "number"]),
    "rubric_version_number_from_one": Check(make=make_rubric, changes={"number": 0}),
    "rubric_version_name_not_empty": Check(make=make_rubric, changes={"name": ""}),
    "review_session_state_known": Check(make=make_session, changes={"state": "lost"}),
    "review_session_method_known": Check(make=make_session_of_arms, changes={"method": "taste"}),
    "review_session_title_not_empty": Check(make=make_session, changes={"title": ""}),
    "review_session_has_seed": Check(make=make_session, changes={"seed": ""}),
    "review_session_is_of_two_arms_or_imported": Check(make=make_session_of_arms, changes={"second_arm": None}),
    "review_session_stratified_by_something": Check(make=make_session_of_arms, changes={"method": "stratified"}),
    "review_session_overlap_is_share": Check(make=make_session, changes={"overlap": 1.1}),
    "review_session_overlap_votes_few": Check(make=make_session, changes={"overlap_votes": 4}),
    "review_session_gold_is_share": Check(make=make_session, changes={"gold_share": 0.6}),
    "review_session_closed_has_time": Check(make=make_session, changes={"state": "closed"}),
    "review_assignment_unique": Unique(make=make_assignment, fields=["session", "person"]),
    "review_assignment_role_known": Check(make=make_assignment, changes={"role": "guest"}),
    "review_item_position_unique": Unique(make=make_item, fields=["session", "position"]),
    "review_item_example_unique": Unique(make=make_item, fields=["session", "example"]),
    "review_item_kind_known": Check(make=make_gold, changes={"kind": "silver"}),
    "review_item_states_known": Check(make=make_item, changes={"second_state": "rude"}),
    "review_item_inclusion_is_probability": Check(make=make_item, changes={"inclusion": 0.0}),
    "review_item_question_not_empty": Check(make=make_item, changes={"question": ""}),
    "review_item_regular_wants_votes": Check(make=make_item, changes={"wanted": 0}),
    "review_item_known_one_has_expectation": Check(make=make_item, changes={"expected": {"first": [1]}}),
    "adjudication_facts_are_levels": Check(make=make_settled, changes={"second_facts": 6}),
    "adjudication_preference_is_level": Check(make=make_settled, changes={"preference": 6}),
    "adjudication_has_reason": Check(make=make_settled, changes={"reason": ""}),
    "review_slot_number_unique": Unique(make=make_open_slot, fields=["item", "number"]),
    "review_slot_person_unique": Unique(make=make_slot, fields=["item", "person"], also={"number": 7}),
    "review_slot_rater_unique": Unique(make=make_imported_slot, fields=["item", "rater"], also={"number": 7}),
    "review_slot_holder_fits_state": Check(make=make_open_slot, changes={"lease_token": uuid4()}),
    "review_slot_leased_has_end": Check(make=make_slot, changes={"lease_until": None}),
    "review_slot_acted_has_time": Check(make=make_done_slot, changes={"acted_at": None}),
    "review_slot_skipped_has_reason": Check(make=make_skipped_slot, changes={"skip_reason": ""}),
    "review_slot_revealed_after_vote": Check(make=make_slot, changes={"revealed_at": NOW}),
    "review_vote_revision_unique": Unique(make=make_given_vote, fields=["slot", "revision"]),
    "review_vote_revision_from_one": Check(make=make_given_vote, changes={"revision": 0}),
    "review_vote_phase_known": Check(make=make_given_vote, changes={"phase": "second"}),
    "review_vote_facts_are_levels": Check(make=make_given_vote, changes={"facts_a": 6}),
    "review_vote_preference_is_level": Check(make=make_given_vote, changes={"preference": 6}),
    "review_vote_says_something": Check(
        make=make_given_vote, changes={"facts_a": None, "facts_b": None, "preference": None}
    ),
    "review_vote_seconds_not_negative": Check(make=make_given_vote, changes={"seconds": -1.0}),
}  # fmt: skip
# The one that compares two columns of the same row has a test of its own.
OF_THEIR_OWN = frozenset({"review_session_arms_differ"})
