"""What a run showed, computed once from its answers and stored, so that no page computes it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Case, OuterRef, Subquery, Value, When

from evaluation.execution.calibrations import CalibratedArm, calibrate_arms, store_calibrations
from evaluation.execution.comparisons import compare_arms, uplifts_over_arbiter, uplifts_over_best_member
from evaluation.execution.scorecards import arm_bands, arm_latency, correlate_voters, score_arm
from evaluation.execution.tallies import RunTally, tally_run
from evaluation.models import Answer, Run, RunResult
from evaluation.results import RESULT_FORMAT, ResultData, to_json


def compute_result(*, run_id: int, now: datetime) -> RunResult:
    """Computes and stores the result of a run, marks its answers won or lost against the baseline, and calibrates them.

    May be called again, at any time and by two workers at once: the same answers give the same result.
    """
    run = Run.objects.select_related("experiment__dataset_version").get(pk=run_id)
    tally = tally_run(run)
    calibrated = calibrate_arms(tally)
    data = to_json(result_of(tally, calibrated))
    with transaction.atomic():
        _mark_versus(run)
        store_calibrations(run, calibrated, positions=tally.positions, now=now)
        result, _ = RunResult.objects.update_or_create(
            run=run, defaults={"format": RESULT_FORMAT, "data": data, "computed_at": now}
        )
    return result


def result_of(tally: RunTally, calibrated: Sequence[CalibratedArm] = ()) -> ResultData:
    """Everything that pages, charts and the command line show, from the run's columns."""
    arms = tuple(score_arm(arm) for arm in tally.arms)
    curves = (arm_latency(arm) for arm in tally.arms)
    return ResultData(
        items=tally.items,
        arms=arms,
        comparisons=compare_arms(tally),
        uplifts=uplifts_over_best_member(tally),
        arbiter_uplifts=uplifts_over_arbiter(tally),
        bands=tuple(arm_bands(arm) for arm in tally.arms),
        latency=tuple(curve for curve in curves if curve is not None),
        correlation=correlate_voters(tally),
        calibrations=tuple(arm.score for arm in calibrated),
    )


def _mark_versus(run: Run) -> None:
    """One update. Arms go in by id: with them the baseline's answer is one look-up in the unique index."""
    arms = dict(run.experiment.arms.values_list("pk", "is_baseline"))
    baseline = next(arm_id for arm_id, is_baseline in arms.items() if is_baseline)
    others = [arm_id for arm_id in arms if arm_id != baseline]
    same_example = Answer.objects.filter(run=run, arm=baseline, example=OuterRef("example"))
    marked = Answer.objects.filter(run=run, arm__in=others).annotate(base=Subquery(same_example.values("correct")[:1]))
    marked.update(
        versus=Case(
            When(correct=True, base=True, then=Value(Answer.Versus.BOTH)),
            When(correct=True, base=False, then=Value(Answer.Versus.WON)),
            When(correct=False, base=True, then=Value(Answer.Versus.LOST)),
            When(correct=False, base=False, then=Value(Answer.Versus.NEITHER)),
            default=Value(""),
        )
    )
