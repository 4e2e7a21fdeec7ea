"""What the command line says of a finished comparison: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evaluation.results import ArmScore, Comparison, ResultData
from evaluation.stats.interval import Interval
from panels.fusion.pricing import dollars_from_nanousd

_ARM_HEADS = ("arm", "right", "of", "accuracy", "95 % interval", "abstained", "calls", "escalated", "cost", "consensus")
_COMPARISON_HEADS = ("against the baseline", "both", "only arm", "only base", "neither", "difference", "interval", "p")


def report_json(data: ResultData) -> dict[str, Any]:
    """Rates are shares in [0, 1], costs dollars; null is unknown."""
    return {
        "dataset": {"items": data.items},
        "arms": [_arm_json(arm) for arm in data.arms],
        "comparisons": [_comparison_json(comparison) for comparison in data.comparisons],
    }


def report_table(data: ResultData, *, title: str) -> str:
    """Aligned columns; a figure that is missing is a word."""
    blocks = [
        f"{title} · {data.items:,} items",
        *_aligned([_ARM_HEADS, *(_arm_row(arm) for arm in data.arms)]),
        "",
        *_aligned([_COMPARISON_HEADS, *(_comparison_row(comparison) for comparison in data.comparisons)]),
        "p is McNemar's mid-p, not adjusted for the number of comparisons.",
    ]
    return "\n".join(blocks if data.comparisons else blocks[: len(data.arms) + 2])


def _arm_json(arm: ArmScore) -> dict[str, Any]:
    return {
        "name": arm.name,
        "n": arm.n,
        "correct": arm.correct,
        "accuracy": arm.accuracy,
        "interval": _limits(arm.interval),
        "abstained": arm.abstained,
        "calls": arm.calls,
        "escalated": arm.escalated,
        "cost_usd": None if arm.cost_nanousd is None else float(dollars_from_nanousd(arm.cost_nanousd)),
        "mean_consensus": arm.mean_consensus,
    }


def _comparison_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "arm": comparison.arm,
        "baseline": comparison.baseline,
        "both": comparison.both,
        "only_arm": comparison.only_arm,
        "only_baseline": comparison.only_baseline,
        "neither": comparison.neither,
        "difference": comparison.difference,
        "interval": _limits(comparison.interval),
        "p_value": comparison.p_value,
    }


def _limits(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _arm_row(arm: ArmScore) -> tuple[str, ...]:
    return (
        f"{arm.name} (baseline)" if arm.is_baseline else arm.name,
        f"{arm.correct:,}",
        f"{arm.n:,}",
        "unscored" if arm.accuracy is None else f"{100 * arm.accuracy:.1f} %",
        _range(arm.interval, "none"),
        f"{arm.abstained:,}",
        f"{arm.calls:,}",
        f"{arm.escalated:,}",
        "unknown" if arm.cost_nanousd is None else f"${dollars_from_nanousd(arm.cost_nanousd):,.4f}",
        "none" if arm.mean_consensus is None else f"{arm.mean_consensus:.3f}",
    )


def _comparison_row(comparison: Comparison) -> tuple[str, ...]:
    cells = (comparison.both, comparison.only_arm, comparison.only_baseline, comparison.neither)
    return (
        comparison.arm,
        *(f"{cell:,}" for cell in cells),
        "unscored" if comparison.difference is None else f"{_signed(comparison.difference)} pt",
        _range(comparison.interval, "none", signed=True),
        _p_value(comparison.p_value),
    )


def _p_value(p_value: float | None) -> str:
    if p_value is None:
        return "none"
    return "<0.0001" if p_value < 0.0001 else f"{p_value:.4f}"


def _range(interval: Interval | None, missing: str, *, signed: bool = False) -> str:
    if interval is None:
        return missing
    low, high = (_signed(share) if signed else f"{100 * share:.1f}" for share in (interval.low, interval.high))
    return f"{low} to {high}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first column to the left, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *rest = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *rest])
