"""How fast people review."""

from __future__ import annotations

from statistics import median

from django.contrib.auth.models import User

from evaluation.models import ReviewSession, ReviewVote

# The last so many votes say how fast somebody is now.
_RECENT = 30
_FEWEST = 3


def own_pace_s(session: ReviewSession, person: User) -> float | None:
    """Seconds an item takes this person, the median of the last ones; None before there are three."""
    votes = ReviewVote.objects.filter(slot__session=session, slot__person=person, revision=1, seconds__isnull=False)
    return _middle(list(votes.order_by("-pk").values_list("seconds", flat=True)[:_RECENT]))


def session_pace_s(session: ReviewSession) -> float | None:
    """Seconds an item takes in this session, the median over all votes; None before there are three."""
    votes = ReviewVote.objects.filter(slot__session=session, revision=1, seconds__isnull=False)
    return _middle(list(votes.values_list("seconds", flat=True)))


def _middle(seconds: list[float | None]) -> float | None:
    known = [each for each in seconds if each is not None]
    return median(known) if len(known) >= _FEWEST else None
