"""What a review session to be can show and takes: on the form that makes one, before anybody has rated anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import median

from django.contrib.auth.models import User
from django.db.models import QuerySet

from evaluation.models import ReviewVote, Run
from evaluation.stats.review_plan import ReviewPlan, finish_at, plan_review

_LOOK_BACK = timedelta(days=14)
_MOST_VOTES = 2_000
_FEWEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReview:
    """``finish`` is when the votes are in if these people go on as in the last two weeks, None where they did not rate.

    ``measured``: the pace is theirs, not the usual one. The session takes ``taken`` items, calibration and gold
    included; the run has ``available``.
    """

    plan: ReviewPlan
    reviewers: int
    finish: datetime | None
    measured: bool
    taken: int
    available: int

    @property
    def hours_each(self) -> float:
        return self.plan.hours / self.reviewers


def planned_review(
    *,
    run: Run,
    size: int,
    overlap: float,
    overlap_votes: int,
    calibration: int,
    gold_share: float,
    people: Iterable[User] | None,
    now: datetime,
) -> PlannedReview:
    """``people`` None is everybody who has rated in the last two weeks, as an open queue has them."""
    recent = _recent_votes(people, now)
    chosen = {vote.slot.person_id for vote in recent} if people is None else {person.pk for person in people}
    seconds = [vote.seconds for vote in recent if vote.seconds is not None]
    plan = plan_review(
        items=size,
        overlap=overlap,
        overlap_votes=overlap_votes,
        reviewers=max(1, len(chosen)),
        calibration=calibration,
        gold_share=gold_share,
        pace_s=median(seconds) if len(seconds) >= _FEWEST else None,
    )
    return PlannedReview(
        plan=plan,
        reviewers=max(1, len(chosen)),
        finish=finish_at(given_at=[vote.created_at for vote in recent], left=plan.votes, now=now),
        measured=len(seconds) >= _FEWEST,
        taken=size + calibration + ceil(gold_share * size),
        available=run.experiment.dataset_version.example_count,
    )


def _recent_votes(people: Iterable[User] | None, now: datetime) -> list[ReviewVote]:
    given = ReviewVote.objects.filter(slot__person__isnull=False, revision=1, created_at__gte=now - _LOOK_BACK)
    if people is not None:
        given = given.filter(slot__person__in=[person.pk for person in people])
    columns = ("seconds", "created_at", "slot__person_id")
    return list(given.select_related("slot").only(*columns).order_by("-pk")[:_MOST_VOTES])


def reviewable_runs() -> QuerySet[Run]:
    """Finished runs, newest first."""
    finished = Run.objects.filter(state=Run.State.FINISHED)
    return finished.select_related("experiment__dataset_version__dataset", "experiment__workflow").order_by("-pk")


def people_in(*groups: str) -> QuerySet[User]:
    """Who can be named, by group."""
    return User.objects.filter(is_active=True, groups__name__in=groups).distinct().order_by("username")
