"""What a review session to be can show and takes: on the form that makes one, before anybody has rated anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
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

    ``measured``: the pace is theirs, not the usual one. ``available`` are the items that the run has.
    """

    plan: ReviewPlan
    reviewers: int
    finish: datetime | None
    measured: bool
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
    people: Iterable[User],
    now: datetime,
) -> PlannedReview:
    chosen = [person.pk for person in people]
    recent = _recent_votes(chosen, now)
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
        available=run.experiment.dataset_version.example_count,
    )


def _recent_votes(people: list[int], now: datetime) -> list[ReviewVote]:
    given = ReviewVote.objects.filter(slot__person__in=people, revision=1, created_at__gte=now - _LOOK_BACK)
    return list(given.only("seconds", "created_at").order_by("-pk")[:_MOST_VOTES])


def reviewable_runs() -> QuerySet[Run]:
    """Finished runs, newest first."""
    finished = Run.objects.filter(state=Run.State.FINISHED)
    return finished.select_related("experiment__dataset_version__dataset", "experiment__workflow").order_by("-pk")


def people_in(*groups: str) -> QuerySet[User]:
    """Who can be named, by group."""
    return User.objects.filter(is_active=True, groups__name__in=groups).distinct().order_by("username")
