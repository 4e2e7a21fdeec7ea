"""The results page, read from what was stored when the run ended; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from evaluation.models import Run, RunResult
from evaluation.results import RESULT_FORMAT, ArmScore, Change, Comparison, ResultData, Uplift, from_json
from evaluation.selectors.findings import (
    comparison_finding,
    cost_finding,
    latency_finding,
    power_finding,
    uplift_finding,
    voters_finding,
)
from evaluation.selectors.items import ItemFilter
from evaluation.selectors.runs import ArmHead, arm_heads, arms_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRow:
    """One line of the scorecard. ``cost`` is the change against the baseline, None for the baseline itself."""

    head: ArmHead
    score: ArmScore
    cost: Change | None
    voters: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCell:
    """One cell of the 2×2 table; ``query`` asks the item table for its items."""

    label: str
    count: int
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow:
    """One arm against the baseline: the four cells (both, only arm, only baseline, neither) and what they say."""

    head: ArmHead
    comparison: Comparison
    cells: tuple[PairedCell, PairedCell, PairedCell, PairedCell]
    accuracy: str
    power: str
    cost: str
    latency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpliftRow:
    head: ArmHead
    uplift: Uplift
    finding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPage:
    """Arms with the baseline first, comparisons and uplifts in the order of the arms."""

    run: Run
    data: ResultData
    baseline: ArmRow
    arms: tuple[ArmRow, ...]
    comparisons: tuple[ComparisonRow, ...]
    uplifts: tuple[UpliftRow, ...]
    computed_at: datetime

    @property
    def heads(self) -> dict[int, ArmHead]:
        """How each arm looks, by its id."""
        return {row.head.pk: row.head for row in self.arms}


def run_results(run: Run, *, known_heads: Mapping[int, ArmHead] | None = None) -> ResultsPage | None:
    """None while the result is not computed yet, or was stored in another format.

    One query, and two more where the heads of the arms are not known yet.
    """
    stored = RunResult.objects.filter(run=run, format=RESULT_FORMAT).first()
    if stored is None:
        return None
    data = from_json(stored.data)
    heads = arm_heads(arms_of(run)) if known_heads is None else known_heads
    changes = {comparison.arm_id: comparison.cost for comparison in data.comparisons}
    scores = {score.arm_id: score for score in data.arms}
    rows = tuple(_arm_row(head, scores[arm_id], changes.get(arm_id)) for arm_id, head in heads.items())
    return ResultsPage(
        run=run,
        data=data,
        baseline=rows[0],
        arms=rows,
        comparisons=tuple(_comparison_row(one, heads, tests=_tests(data)) for one in data.comparisons),
        uplifts=tuple(
            UpliftRow(head=heads[uplift.arm_id], uplift=uplift, finding=uplift_finding(uplift))
            for uplift in data.uplifts
        ),
        computed_at=stored.computed_at,
    )


def _arm_row(head: ArmHead, score: ArmScore, cost: Change | None) -> ArmRow:
    return ArmRow(head=head, score=score, cost=cost, voters=voters_finding(score))


def _tests(data: ResultData) -> int:
    return sum(comparison.p_value is not None for comparison in data.comparisons)


def _comparison_row(comparison: Comparison, heads: Mapping[int, ArmHead], *, tests: int) -> ComparisonRow:
    return ComparisonRow(
        head=heads[comparison.arm_id],
        comparison=comparison,
        cells=(
            _cell(comparison, "Both right", comparison.both, "both"),
            _cell(comparison, f"Only {comparison.arm} right", comparison.only_arm, "won"),
            _cell(comparison, f"Only {comparison.baseline} right", comparison.only_baseline, "lost"),
            _cell(comparison, "Neither right", comparison.neither, "neither"),
        ),
        accuracy=comparison_finding(comparison, tests=tests),
        power=power_finding(comparison),
        cost=cost_finding(comparison),
        latency=latency_finding(comparison),
    )


def _cell(comparison: Comparison, label: str, count: int, versus: str) -> PairedCell:
    query = ItemFilter(arm=comparison.arm_id, versus=versus).query()
    return PairedCell(label=label, count=count, query=query)
