"""Who may do what in evaluation. Everybody who can log in may read everything, but for those who only review."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.exceptions import PermissionDenied

from evaluation.models import ReviewAssignment, ReviewSession

WHO_RUNS_EXPERIMENTS = "Product managers can start, pause and cancel runs."
WHO_EDITS_DATASETS = "Product managers can import datasets."
WHO_CHANGES_WORKFLOWS = "Product managers can change targets and masking."
WHO_MAKES_REVIEWS = "Product managers can make review sessions."
WHO_OWNS_A_REVIEW = "This page is for the owner of the review session."
WHO_REVIEWS = "You are not a reviewer of this session."
WHO_ADJUDICATES = "Disputes are settled by this session's adjudicators and its owner."
WHO_MANAGES_KEYS = "API keys are managed by product managers and administrators."
REVIEW_GROUPS = frozenset({"reviewer", "adjudicator"})

Person = User | AnonymousUser


def require_experimenter(person: Person) -> User:
    """The person, who may. Raises PermissionDenied.

    One permission covers experiments and their runs: starting either spends money.
    """
    return _require(person, "evaluation.add_run", WHO_RUNS_EXPERIMENTS)


def require_dataset_editor(person: Person) -> None:
    """Raises PermissionDenied."""
    _require(person, "evaluation.add_dataset", WHO_EDITS_DATASETS)


def require_workflow_editor(person: Person) -> User:
    """The person, who may. Raises PermissionDenied."""
    return _require(person, "evaluation.change_workflow", WHO_CHANGES_WORKFLOWS)


def may_change_workflows(person: Person) -> bool:
    return _may(person, "evaluation.change_workflow")


def may_run_experiments(person: Person) -> bool:
    return _may(person, "evaluation.add_run")


def may_edit_datasets(person: Person) -> bool:
    return _may(person, "evaluation.add_dataset")


def require_key_manager(person: Person) -> User:
    """The person, who may. Raises PermissionDenied."""
    return _require(person, "evaluation.add_apikey", WHO_MANAGES_KEYS)


def require_review_maker(person: Person) -> None:
    """Raises PermissionDenied."""
    _require(person, "evaluation.add_reviewsession", WHO_MAKES_REVIEWS)


def require_review_owner(person: Person, session: ReviewSession) -> None:
    """Raises PermissionDenied. Whoever made the session owns it, and so does every product manager."""
    if not owns_review(person, session):
        raise PermissionDenied(WHO_OWNS_A_REVIEW)


def require_review_reviewer(assignment: ReviewAssignment | None) -> None:
    """Raises PermissionDenied. ``assignment`` is the person's own part in the session."""
    if assignment is None or assignment.role != ReviewAssignment.Role.REVIEWER:
        raise PermissionDenied(WHO_REVIEWS)


def require_review_adjudicator(person: Person, session: ReviewSession, assignment: ReviewAssignment | None) -> None:
    """Raises PermissionDenied."""
    assigned = assignment is not None and assignment.role == ReviewAssignment.Role.ADJUDICATOR
    if not (assigned or owns_review(person, session)):
        raise PermissionDenied(WHO_ADJUDICATES)


def owns_review(person: Person, session: ReviewSession) -> bool:
    made = person.pk is not None and session.created_by_id == person.pk
    return made or _may(person, "evaluation.change_reviewsession")


def may_make_reviews(person: Person) -> bool:
    return _may(person, "evaluation.add_reviewsession")


def may_change_person(person: Person, other: User | None) -> bool:
    """Administrators change people, but only somebody who may do everything changes another who may."""
    allowed = _may(person, "auth.change_user")
    return allowed and (person.is_superuser or other is None or not other.is_superuser)


def may_change_group(person: Person, group: Group | None) -> bool:
    """Administrators change groups, but not one that they are in: nobody raises themselves."""
    if not _may(person, "auth.change_group"):
        return False
    return person.is_superuser or group is None or not person.groups.filter(pk=group.pk).exists()


def may_rate(person: Person) -> bool:
    """Whether they may join an open queue; whoever is named by a session's owner reviews in it anyway."""
    return _may(person, "evaluation.add_reviewvote")


def sees_only_reviews(groups: Collection[str], *, is_superuser: bool) -> bool:
    """Whether somebody in these groups sees their own review sessions and nothing else."""
    return not is_superuser and bool(groups) and REVIEW_GROUPS.issuperset(groups)


def _require(person: Person, permission: str, who: str) -> User:
    if not _may(person, permission):
        raise PermissionDenied(who)
    return cast("User", person)  # nobody else has permissions


def _may(person: Person, permission: str) -> bool:
    return person.has_perm(permission)
