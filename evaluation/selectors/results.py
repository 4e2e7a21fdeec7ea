"""The results page, read from what was stored when the run ended; nothing is computed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from evaluation.models import Run, RunResult
from evaluation.results import (
    READABLE_FORMATS,
    ArmCalibration,
    ArmScore,
    Change,
    Comparison,
    ResultData,
    Uplift,
    from_json,
)
from evaluation.selectors.findings import (
    arbiter_finding,
    calibration_finding,
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
class ConfidenceRow:
    """What one arm's confidence is worth, in figures and in words."""

    head: ArmHead
    calibration: ArmCalibration
    finding: str

    @property
    def has_diagram(self) -> bool:
        """Its diagram then says the finding."""
        return self.calibration.tells_apart


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterRow:
    """A panel against its arbiter alone. ``uplift`` is None where no arm asks it alone; ``finding`` says so."""

    head: ArmHead
    uplift: Uplift | None
    finding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPage:
    """Arms with the baseline first; comparisons, uplifts and confidence in the order of the arms.

    ``confidence`` is empty where the result was stored before there was any.
    """

    run: Run
    data: ResultData
    baseline: ArmRow
    arms: tuple[ArmRow, ...]
    comparisons: tuple[ComparisonRow, ...]
    uplifts: tuple[UpliftRow, ...]
    arbiters: tuple[ArbiterRow, ...]
    confidence: tuple[ConfidenceRow, ...]
    computed_at: datetime

    @property
    def has_confidence(self) -> bool:
        """Whether any arm had enough labelled answers."""
        return any(row.calibration.fitted for row in self.confidence)

    @property
    def heads(self) -> dict[int, ArmHead]:
        """How each arm looks, by its id."""
        return {row.head.pk: row.head for row in self.arms}


def run_results(run: Run, *, known_heads: Mapping[int, ArmHead] | None = None) -> ResultsPage | None:
    """None while the result is not computed yet, or was stored in a format that cannot be read.

    One query, and two more where the heads of the arms are not known yet.
    """
    stored = RunResult.objects.filter(run=run, format__in=READABLE_FORMATS).first()
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
        arbiters=tuple(_arbiter_rows(data, heads)),
        confidence=tuple(_confidence_row(one, heads) for one in data.calibrations),
        computed_at=stored.computed_at,
    )


def _arm_row(head: ArmHead, score: ArmScore, cost: Change | None) -> ArmRow:
    return ArmRow(head=head, score=score, cost=cost, voters=voters_finding(score))


def _confidence_row(calibration: ArmCalibration, heads: Mapping[int, ArmHead]) -> ConfidenceRow:
    return ConfidenceRow(
        head=heads[calibration.arm_id], calibration=calibration, finding=calibration_finding(calibration)
    )


def _arbiter_rows(data: ResultData, heads: Mapping[int, ArmHead]) -> Iterator[ArbiterRow]:
    uplifts = {uplift.arm_id: uplift for uplift in data.arbiter_uplifts}
    for arm_id, head in heads.items():
        arm = next(score for score in data.arms if score.arm_id == arm_id)
        if arm.arbiter is None or not arm.n:
            continue
        uplift = uplifts.get(arm_id)
        lacking = f"No arm asks {arm.arbiter.model} alone on these examples, so its part cannot be told apart."
        yield ArbiterRow(head=head, uplift=uplift, finding=arbiter_finding(uplift) if uplift else lacking)


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
