from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied

from evaluation.models import ReviewAssignment, ReviewSession
from evaluation.permissions import (
    may_change_workflows,
    may_make_reviews,
    may_rate,
    owns_review,
    require_review_adjudicator,
    require_review_maker,
    require_review_owner,
    require_review_reviewer,
    require_workflow_editor,
    sees_only_reviews,
)

OWNER, OTHER = User(pk=1, username="owner"), User(pk=2, username="other")
MANAGER = User(pk=3, username="manager", is_superuser=True)
SESSION = ReviewSession(created_by=OWNER)
REVIEWER = ReviewAssignment(role="reviewer")
ADJUDICATOR = ReviewAssignment(role="adjudicator")


@pytest.fixture(autouse=True)
def no_permissions(monkeypatch):
    monkeypatch.setattr(User, "has_perm", lambda user, permission: user.is_superuser)


def test_whoever_made_a_session_owns_it_and_so_do_managers():
    assert [owns_review(person, SESSION) for person in (OWNER, OTHER, MANAGER)] == [True, False, True]
    require_review_owner(OWNER, SESSION)
    with pytest.raises(PermissionDenied, match="owner"):
        require_review_owner(OTHER, SESSION)


def test_a_session_without_an_author_is_nobodys_who_has_not_logged_in():
    assert not owns_review(AnonymousUser(), ReviewSession(created_by=None))


def test_workflows_are_changed_by_managers():
    assert [may_change_workflows(person) for person in (OTHER, MANAGER)] == [False, True]
    require_workflow_editor(MANAGER)
    with pytest.raises(PermissionDenied, match="targets and masking"):
        require_workflow_editor(OTHER)


def test_sessions_are_made_by_managers():
    assert [may_make_reviews(person) for person in (OTHER, MANAGER)] == [False, True]
    require_review_maker(MANAGER)
    with pytest.raises(PermissionDenied):
        require_review_maker(OTHER)


def test_an_open_queue_is_for_those_who_review():
    assert [may_rate(person) for person in (OTHER, MANAGER, AnonymousUser())] == [False, True, False]


@pytest.mark.parametrize("assignment", [None, ADJUDICATOR])
def test_only_a_sessions_reviewer_reviews_in_it(assignment):
    require_review_reviewer(REVIEWER)
    with pytest.raises(PermissionDenied, match="not a reviewer"):
        require_review_reviewer(assignment)


def test_disputes_are_settled_by_adjudicators_and_the_owner():
    require_review_adjudicator(OTHER, SESSION, ADJUDICATOR)
    require_review_adjudicator(OWNER, SESSION, None)
    for assignment in (None, REVIEWER):
        with pytest.raises(PermissionDenied, match="adjudicators"):
            require_review_adjudicator(OTHER, SESSION, assignment)


@pytest.mark.parametrize(
    ("groups", "superuser", "only"),
    [
        (["reviewer"], False, True),
        (["reviewer", "adjudicator"], False, True),
        (["reviewer", "viewer"], False, False),
        (["product manager"], False, False),
        ([], False, False),
        (["reviewer"], True, False),
    ],
)
def test_who_only_reviews_sees_only_reviews(groups, superuser, only):
    assert sees_only_reviews(groups, is_superuser=superuser) is only
