"""A review session of the sample pilot, so that a newcomer can rate as reviewers do: blind, three keys an item."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User

from evaluation.models import ReviewSession, Run
from evaluation.sample.pilot import LOGINS
from evaluation.sample.workflows import SALES
from evaluation.services.review_sessions import SessionPlan, create_review_session, start_review_session

TITLE = "Does the panel answer better than the current model?"
_ITEMS, _CALIBRATION = 20, 3
_GOLD, _OVERLAP = 0.05, 0.25


def offer_review(*, now: datetime) -> None:
    """Opens a session over the sales assistant's sample run: its current model against the first panel.

    Nothing happens before that run is finished, nor where the workflow has a session already: whatever became of it is
    the user's. What the two answer differently comes first: most answers of a few words are the same.
    """
    run = _finished_run()
    if run is None or ReviewSession.objects.filter(workflow__slug=SALES.slug).exists():
        return
    current, panel = run.experiment.arms.order_by("-is_baseline", "position")[:2]
    plan = SessionPlan(
        title=TITLE,
        run=run,
        first_arm=current,
        second_arm=panel,
        method=ReviewSession.Method.DISAGREEMENT,
        size=_ITEMS,
        calibration_count=_CALIBRATION,
        gold_share=_GOLD,
        overlap=_OVERLAP,
        reveals=True,
        open_queue=True,
        reviewers=_people_in("reviewer"),
        adjudicators=_people_in("adjudicator"),
    )
    owner = User.objects.get(username="manager")
    start_review_session(session=create_review_session(plan=plan, by=owner, now=now), now=now)


def _people_in(group: str) -> tuple[User, ...]:
    """The sample's own logins: a session names nobody who did not ask for it."""
    names = [name for name, own in LOGINS.items() if own == group]
    return tuple(User.objects.filter(username__in=names).order_by("username"))


def _finished_run() -> Run | None:
    ours = Run.objects.filter(experiment__workflow__slug=SALES.slug, experiment__title=SALES.experiment_title)
    runs = ours.filter(state=Run.State.FINISHED)
    return runs.select_related("experiment__workflow", "experiment__dataset_version").order_by("pk").first()
