from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from evaluation.models import Adjudication, ReviewItem, ReviewSlot
from evaluation.selectors.review_queue import SAYS_NOTHING


class NotDisputed(Exception):
    """The item waits for votes, its votes agree, or somebody has settled it."""


class OwnVote(Exception):
    """The person has voted on the item and cannot judge between the votes."""


class InvalidAdjudication(Exception):
    """Levels that cannot be stored. ``problems`` are (field, message) pairs."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(message for _, message in problems))


@transaction.atomic
def adjudicate_item(
    *,
    item: ReviewItem,
    by: User,
    first_facts: int | None,
    second_facts: int | None,
    preference: int | None,
    reason: str,
    now: datetime,
) -> Adjudication:
    """Settles a disputed item, in terms of its first and second answer; from then on this counts, not the votes.

    ``preference`` None leaves that question to the votes. Raises NotDisputed, OwnVote and InvalidAdjudication.
    """
    locked = ReviewItem.objects.select_for_update().get(pk=item.pk)
    if locked.dispute is None:
        raise NotDisputed("There is nothing to settle: the votes agree, or somebody has settled it.")
    if ReviewSlot.objects.filter(item=item, person=by, state=ReviewSlot.State.DONE).exists():
        raise OwnVote("You have voted on this item yourself. Somebody else has to settle it.")
    problems = [*_problems(locked, first_facts, second_facts, preference, reason)]
    if problems:
        raise InvalidAdjudication(problems)
    ReviewItem.objects.filter(pk=item.pk).update(dispute=None)
    return Adjudication.objects.create(
        item=item,
        first_facts=first_facts,
        second_facts=second_facts,
        preference=preference,
        reason=reason.strip(),
        by=by,
        created_at=now,
    )


def _problems(
    item: ReviewItem, first: int | None, second: int | None, preference: int | None, reason: str
) -> Iterator[tuple[str, str]]:
    sides = (("first_facts", item.first_state, first), ("second_facts", item.second_state, second))
    for field, state, level in sides:
        if state in SAYS_NOTHING and level is not None:
            yield field, "This side is no answer, so it has no facts to rate."
        if state not in SAYS_NOTHING and level not in range(1, 6):
            yield field, "Rate the facts from 1 to 5."
    if preference is not None and preference not in range(6):
        yield "preference", "Preference is 1 to 5, or 0 if both are unusable."
    if not reason.strip():
        yield "reason", "Say what settles it."
