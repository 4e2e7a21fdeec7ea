from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from evaluation.models import ReviewSlot, RubricVersion
from tests.constraints import Check, refuse
from tests.factories import NOW
from tests.integration.evaluation.models import review_constraints as rows
from tests.review_factories import make_rubric, make_vote

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", sorted(rows.REVIEW_CONSTRAINTS))
def test_the_database_refuses(name):
    refuse("evaluation", name, rows.REVIEW_CONSTRAINTS[name])


def test_the_arms_of_a_session_differ():
    session = rows.make_session_of_arms()
    check = Check(make=lambda: session, changes={"second_arm": session.first_arm_id})
    refuse("evaluation", "review_session_arms_differ", check)


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (rows.make_slot, {"lease_token": None}),
        (rows.make_slot, {"state": "open", "lease_until": None}),
        (rows.make_slot, {"person": None}),
        (rows.make_slot, {"rater": "annotator1"}),
        (rows.make_done_slot, {"person": None}),
        (rows.make_imported_slot, {"rater": ""}),
        (rows.make_imported_slot, {"lease_token": uuid4()}),
        (rows.make_skipped_slot, {"person": None}),
    ],
)
def test_a_slot_is_held_by_one_person_or_was_given_by_one_rater(make, changes):
    refuse("evaluation", "review_slot_holder_fits_state", Check(make=make, changes=changes))


@pytest.mark.parametrize("make", [rows.make_open_slot, rows.make_done_slot])
def test_only_a_leased_slot_has_a_lease(make):
    changes = {"lease_until": NOW + timedelta(minutes=15)}
    refuse("evaluation", "review_slot_leased_has_end", Check(make=make, changes=changes))


def test_a_token_is_of_one_slot():
    one, other = rows.make_slot(), rows.make_slot()
    with pytest.raises(IntegrityError), transaction.atomic():
        ReviewSlot.objects.filter(pk=other.pk).update(lease_token=one.lease_token)


@pytest.mark.parametrize("changes", [{"facts_b": 0}, {"facts_a": 0}, {"facts_b": 6}])
def test_facts_are_one_to_five_on_both_sides(changes):
    refuse("evaluation", "review_vote_facts_are_levels", Check(make=rows.make_given_vote, changes=changes))


def test_a_gold_item_without_expectation_is_refused():
    refuse(
        "evaluation",
        "review_item_known_one_has_expectation",
        Check(make=rows.make_gold, changes={"expected": None}),
    )


def test_equal_rubrics_are_one():
    one, other = make_rubric(), make_rubric()
    with pytest.raises(IntegrityError), transaction.atomic():
        RubricVersion.objects.filter(pk=other.pk).update(sha256=one.sha256)


def test_whoever_voted_stays_known():
    vote = make_vote()
    person = vote.slot.person
    assert person is not None
    with pytest.raises(ProtectedError):
        person.delete()


def test_reviewers_may_vote_and_no_more():
    def permissions(name):
        return set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))

    assert permissions("reviewer") == {"add_reviewvote"}
    assert permissions("adjudicator") == {"add_reviewvote", "add_adjudication"}
    assert {"add_reviewsession", "change_reviewsession", "add_run"} <= permissions("product manager")
