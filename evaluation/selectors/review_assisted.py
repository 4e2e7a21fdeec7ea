"""What few human verdicts and the scorer's many say together of an arm's hallucination rate."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.models import Answer, Arm, ReviewSession
from evaluation.selectors.review_judged import JudgedItem
from evaluation.stats.prediction_powered import AssistedRate, assisted_rate
from evaluation.stats.review_levels import Verdict

_FEWEST = 10


def assisted_hallucination(session: ReviewSession, judged: Sequence[JudgedItem]) -> tuple[AssistedRate | None, ...]:
    """By arm, with the dataset's scorer as the judge; None where that says nothing.

    It does for random samples of a run alone: other items are not drawn like those that the judge saw alone.
    """
    if session.method != ReviewSession.Method.RANDOM:
        return (None, None)
    return (_assisted(session, session.first_arm, judged, 0), _assisted(session, session.second_arm, judged, 1))


def _assisted(session: ReviewSession, arm: Arm | None, judged: Sequence[JudgedItem], place: int) -> AssistedRate | None:
    scored = Answer.objects.filter(run=session.run_id, arm=arm, correct__isnull=False)
    wrong: dict[int | None, float] = {
        example: float(not correct) for example, correct in scored.values_list("example", "correct")
    }
    settled = [one for one in judged if one.verdict(place) in {Verdict.PASS, Verdict.FAIL}]
    both = [one for one in settled if one.item.example_id in wrong]
    seen = {one.item.example_id for one in judged}
    alone = [judge for example, judge in wrong.items() if example not in seen]
    if len(both) < _FEWEST or not alone:
        return None
    people = [one.verdict(place) is Verdict.FAIL for one in both]
    return assisted_rate(people, [wrong[one.item.example_id] for one in both], alone)
