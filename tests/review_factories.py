"""Rows of review sessions for tests, each with as little said as the test needs."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group, User

from evaluation.models import (
    Adjudication,
    ReviewAssignment,
    ReviewItem,
    ReviewSession,
    ReviewSlot,
    ReviewVote,
    RubricVersion,
)
from tests.factories import NOW

SEED = "5e" * 32
_numbers = count(1)


def make_person(*groups: str, **fields: Any) -> User:
    person = User.objects.create_user(**({"username": f"person-{next(_numbers)}"} | fields))
    person.groups.set(Group.objects.filter(name__in=groups))
    return person


def make_rubric(**fields: Any) -> RubricVersion:
    number = next(_numbers)
    defaults = {"name": f"Rubric {number}", "number": 1, "questions": [], "sha256": f"{number:064}", "created_at": NOW}
    return RubricVersion.objects.create(**(defaults | fields))


def make_review_session(**fields: Any) -> ReviewSession:
    """Open, and imported unless a run and its arms are given."""
    defaults = {
        "title": f"Session {next(_numbers)}",
        "state": "open",
        "seed": SEED,
        "method": "imported" if "run" not in fields else "random",
        "gold_share": 0.0,
        "calibration_count": 0,
        "created_at": NOW,
    }
    rubric = fields.pop("rubric", None) or make_rubric()
    return ReviewSession.objects.create(rubric=rubric, **(defaults | fields))


def make_review_item(session: ReviewSession | None = None, *, slots: int = 0, **fields: Any) -> ReviewItem:
    """A regular item with ``slots`` open slots."""
    session = session or make_review_session()
    defaults: dict[str, Any] = {
        "position": next(_numbers),
        "question": "Which one?",
        "first_text": "The first answer.",
        "second_text": "The second answer.",
        "wanted": max(slots, 1) if fields.get("kind", "regular") == "regular" else 0,
    }
    item = ReviewItem.objects.create(session=session, **(defaults | fields))
    ReviewSlot.objects.bulk_create(
        ReviewSlot(session=session, item=item, number=number, position=item.position) for number in range(slots)
    )
    return item


def make_queue(session: ReviewSession, *, items: int, slots: int) -> list[ReviewItem]:
    """``items`` regular items with ``slots`` open slots each, stored at once."""
    made = ReviewItem.objects.bulk_create(
        ReviewItem(
            session=session,
            position=position,
            question=f"Question {position}?",
            first_text=f"First {position}.",
            second_text=f"Second {position}.",
            wanted=slots,
        )
        for position in range(items)
    )
    ReviewSlot.objects.bulk_create(
        ReviewSlot(session=session, item=item, number=number, position=item.position)
        for item in made
        for number in range(slots)
    )
    return made


def make_reviewers(session: ReviewSession, number: int = 1, **fields: Any) -> list[User]:
    people = [make_person("reviewer") for _ in range(number)]
    defaults = {"created_at": NOW, "calibrated_at": NOW}
    ReviewAssignment.objects.bulk_create(
        ReviewAssignment(session=session, person=person, **(defaults | fields)) for person in people
    )
    return people


def make_leased_slot(item: ReviewItem | None = None, **fields: Any) -> ReviewSlot:
    item = item or make_review_item()
    defaults = {
        "number": item.slots.count(),
        "position": item.position,
        "state": "leased",
        "lease_token": uuid4(),
        "lease_until": NOW + timedelta(minutes=15),
    }
    person = fields.pop("person", None) or make_person("reviewer")
    return ReviewSlot.objects.create(session=item.session, item=item, person=person, **(defaults | fields))


def make_vote(item: ReviewItem | None = None, *, slot: ReviewSlot | None = None, **fields: Any) -> ReviewVote:
    """A done slot with one vote, the first arm on side A."""
    slot = slot or make_leased_slot(item)
    ReviewSlot.objects.filter(pk=slot.pk).update(state="done", lease_until=None, acted_at=NOW)
    defaults = {"revision": 1, "first_is_a": True, "facts_a": 1, "facts_b": 1, "preference": 3, "created_at": NOW}
    return ReviewVote.objects.create(slot=slot, **(defaults | fields))


def make_adjudication(item: ReviewItem | None = None, **fields: Any) -> Adjudication:
    defaults = {"first_facts": 1, "second_facts": 3, "preference": 1, "reason": "The page says so.", "created_at": NOW}
    by = fields.pop("by", None) or make_person("adjudicator")
    return Adjudication.objects.create(item=item or make_review_item(), by=by, **(defaults | fields))
