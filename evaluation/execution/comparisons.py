"""Two sides on the same examples: every arm against the baseline, and every panel against its best member."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from evaluation.execution.tallies import ArmTally, Marks, RunTally, Voter
from evaluation.results import Change, Comparison, Detectable, Uplift
from evaluation.stats.bootstrap import Statistic, paired_bootstrap
from evaluation.stats.multiplicity import holm
from evaluation.stats.paired import PairedTable, mcnemar_midp, newcombe_paired, paired_table
from evaluation.stats.power import detectable_difference

_RESAMPLES = 2_000
# Below this the 95th percentile is the largest value, and its resamples say nothing about it.
_FEWEST_TIMED_PAIRS = 20


def compare_arms(tally: RunTally) -> tuple[Comparison, ...]:
    """Every other arm against the baseline, in the order of the arms, p-values also adjusted over all of them."""
    baseline = next(arm for arm in tally.arms if arm.arm.is_baseline)
    others = [arm for arm in tally.arms if arm is not baseline]
    return _with_holm([_compare(arm, baseline, seed=tally.run.pk) for arm in others])


def uplifts_over_best_member(tally: RunTally) -> tuple[Uplift, ...]:
    """For every panel of several members that has a fully scored member."""
    uplifts = (_uplift_over(arm, _best_member(arm)) for arm in tally.arms if len(arm.seats) > 1)
    return tuple(uplift for uplift in uplifts if uplift is not None)


def uplifts_over_arbiter(tally: RunTally) -> tuple[Uplift, ...]:
    """For every panel with an arbiter that the run also asks alone, as an arm or a member, on all it scored."""
    uplifts = (_uplift_over(arm, _arbiter_alone(arm, tally)) for arm in tally.arms)
    return tuple(uplift for uplift in uplifts if uplift is not None)


def _compare(arm: ArmTally, baseline: ArmTally, *, seed: int) -> Comparison:
    table = _table(arm.marks, baseline.marks)
    return Comparison(
        arm_id=arm.arm.pk,
        arm=arm.arm.name,
        baseline_id=baseline.arm.pk,
        baseline=baseline.arm.name,
        pairs=table.n,
        both=table.both,
        only_arm=table.only_arm,
        only_baseline=table.only_baseline,
        neither=table.neither,
        difference=table.difference if table.n else None,
        interval=newcombe_paired(table) if table.n else None,
        p_value=mcnemar_midp(table.only_arm, table.only_baseline) if table.n else None,
        p_holm=None,
        detectable=_detectable(table) if table.n else None,
        cost=_change(arm.costs, baseline.costs, statistic="mean", seed=seed),
        p95=_change(arm.latencies, baseline.latencies, statistic="p95", seed=seed, fewest=_FEWEST_TIMED_PAIRS),
    )


def _with_holm(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    tested = [comparison.p_value for comparison in comparisons if comparison.p_value is not None]
    adjusted = iter(holm(tested))
    return tuple(
        replace(comparison, p_holm=None if comparison.p_value is None else next(adjusted)) for comparison in comparisons
    )


def _table(arm: Iterable[bool | None], baseline: Iterable[bool | None]) -> PairedTable:
    pairs = [(left, right) for left, right in zip(arm, baseline, strict=True) if left is not None and right is not None]
    return paired_table([left for left, _ in pairs], [right for _, right in pairs])


def _detectable(table: PairedTable) -> Detectable:
    discordance = table.discordant / table.n
    return Detectable(
        at_10=detectable_difference(table.n, 0.10),
        at_20=detectable_difference(table.n, 0.20),
        discordance=discordance,
        at_observed=detectable_difference(table.n, discordance) if table.discordant else None,
    )


def _change(
    arm: Sequence[float], baseline: Sequence[float], *, statistic: Statistic, seed: int, fewest: int = 1
) -> Change | None:
    """Over the examples where both sides are known; None for fewer than ``fewest`` of them."""
    pairs = [
        (left, right) for left, right in zip(arm, baseline, strict=True) if not (math.isnan(left) or math.isnan(right))
    ]
    if len(pairs) < fewest:
        return None
    difference = paired_bootstrap(
        [left for left, _ in pairs],
        [right for _, right in pairs],
        statistic=statistic,
        resamples=_RESAMPLES,
        seed=seed,
    )
    return Change(
        pairs=len(pairs),
        estimate=difference.estimate,
        interval=difference.interval,
        relative=difference.relative_estimate,
        relative_interval=difference.relative_interval,
    )


def _uplift_over(arm: ArmTally, alone: Voter | None) -> Uplift | None:
    if alone is None:
        return None
    table = _table(arm.marks, alone.marks)
    return Uplift(
        arm_id=arm.arm.pk,
        arm=arm.arm.name,
        member=alone.name,
        member_correct=table.both + table.only_baseline,
        pairs=table.n,
        both=table.both,
        only_arm=table.only_arm,
        only_member=table.only_baseline,
        neither=table.neither,
        difference=table.difference,
        interval=newcombe_paired(table),
        p_value=mcnemar_midp(table.only_arm, table.only_baseline),
    )


def _best_member(arm: ArmTally) -> Voter | None:
    """The member with the most right answers on the arm's scored examples, of those that have a mark on all of them.

    A member of a later stage is only called on what was disputed, so it counts where another arm called it on all.
    The first in panel order wins a tie.
    """
    whole = [seat.voter for seat in arm.seats.values() if _covers(seat.voter.marks, arm.marks)]
    if not whole or not arm.marks.scored:
        return None
    return max(whole, key=lambda voter: sum(_right_where_scored(voter.marks, arm.marks)))


def _arbiter_alone(arm: ArmTally, tally: RunTally) -> Voter | None:
    """The arbiter's model as a voter: rather one that is an arm by itself; of several, the first in the run."""
    if arm.arbiter is None or not arm.marks.scored:
        return None
    single = [seat.voter for other in tally.arms if len(other.seats) == 1 for seat in other.seats.values()]
    voters = (voter for voter in (*single, *tally.voters.values()) if voter.model_id == arm.arbiter.model.pk)
    return next((voter for voter in voters if _covers(voter.marks, arm.marks)), None)


def _covers(marks: Marks, wanted: Marks) -> bool:
    return all(own is not None for own, scored in zip(marks, wanted, strict=True) if scored is not None)


def _right_where_scored(marks: Marks, wanted: Marks) -> Iterable[bool]:
    return (own is True for own, scored in zip(marks, wanted, strict=True) if scored is not None)
