"""Whether a panel is right as often as it says: the reliability diagram."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.results import ArmCalibration
from evaluation.selectors.findings import calibration_finding, format_confidence
from evaluation.selectors.items import ItemFilter
from evaluation.stats.calibration import ConfidenceMap, Step
from fusion_site.lib.chart import Cell, Chart, Look
from fusion_site.lib.figures import format_count, format_interval, format_percent

_MOST_LABELS = 6
_DIAGONAL_POINTS = 21
_ROUNDED = 0.01  # thousandths, more than the ends of a step were rounded by


def calibration_chart(calibration: ArmCalibration, *, looks: Mapping[int, Look], items_url: str) -> Chart | None:
    """What the panel said out of fold against how often it was right, a mark a step; None without a map.

    Nor is there anything to draw of one step, which says the same of every answer.
    """
    fitted = calibration.fitted
    if fitted is None or not calibration.tells_apart:
        return None
    look, arm_id = looks[calibration.arm_id], calibration.arm_id
    return Chart(
        id=f"calibration-{arm_id}",
        title=f"Calibration, {calibration.arm}",
        subtitle=(
            f"Right, % of {format_count(fitted.n)} labelled answers, by confidence, in {len(fitted.steps)} steps of "
            "consensus. Bars: 95 % interval. On the line, what it says is what happens. The axes may not start at 0."
        ),
        finding=calibration_finding(calibration),
        figure={
            "data": [_diagonal(), _marks(fitted, look, arm_id, items_url)],
            "layout": _layout(fitted.steps),
            "labels": _labels(fitted.steps, look),
        },
        heads=(
            "Consensus",
            "Labelled answers",
            "Confidence, out of fold",
            "Right, %",
            "95 % interval",
            "Confidence now",
        ),
        rows=tuple(_row(step, arm_id, items_url) for step in fitted.steps),
    )


def _diagonal() -> dict[str, Any]:
    """So many points that the page can keep its labels off the line."""
    shares = [place / (_DIAGONAL_POINTS - 1) for place in range(_DIAGONAL_POINTS)]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": shares,
        "y": [share * 100 for share in shares],
        "line": {"color": "--ink-3", "width": 1, "dash": "3px,3px"},
        "hoverinfo": "skip",
    }


def _marks(fitted: ConfidenceMap, look: Look, arm_id: int, items_url: str) -> dict[str, Any]:
    """The area of a mark stands for its answers."""
    steps = fitted.steps
    right = [step.correct / step.n * 100 for step in steps]
    largest = max(step.n for step in steps)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [step.held_out for step in steps],
        "y": right,
        "text": [format_count(step.n) for step in steps],
        "customdata": [_step_url(step, arm_id, items_url) for step in steps],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [step.interval.high * 100 - share for step, share in zip(steps, right, strict=True)],
            "arrayminus": [share - step.interval.low * 100 for step, share in zip(steps, right, strict=True)],
            "color": look.color,
            "thickness": 1.25,
            "width": 0,
        },
        "marker": {
            "symbol": look.symbol,
            "size": [5 + 11 * math.sqrt(step.n / largest) for step in steps],
            "color": look.color,
            "opacity": 1,
        },
        "hovertemplate": "said %{x:.2f}, right %{y:.1f} %<br>%{text} labelled answers<extra></extra>",
    }


def _layout(steps: Sequence[Step]) -> dict[str, Any]:
    """Both axes span the same shares, from the whole tenth below the lowest mark and interval."""
    lowest = min(min(step.held_out, step.interval.low) for step in steps)
    low = math.floor(lowest * 10) / 10
    return {
        "xaxis": {"title": "Confidence", "range": [low, 1.02], "showgrid": True, "tickformat": ".1f"},
        "yaxis": {"range": [low * 100, 102], "ticksuffix": " %"},
        "annotations": [
            _note("right more often than it says", {"x": 0, "y": 1, "xanchor": "left", "yanchor": "top"}),
            _note("right less often than it says", {"x": 1, "y": 0, "xanchor": "right", "yanchor": "bottom"}),
        ],
    }


def _note(text: str, place: Mapping[str, float | str]) -> dict[str, Any]:
    font = {"size": 11, "color": "--ink-3"}
    return {"text": text, "xref": "paper", "yref": "paper", "showarrow": False, "font": font, **place}


def _labels(steps: Sequence[Step], look: Look) -> list[dict[str, Any]]:
    """More of them would hide the marks; the table has them all."""
    if len(steps) > _MOST_LABELS:
        return []
    return [
        {
            "x": step.held_out,
            "y": step.correct / step.n * 100,
            "text": f"n {format_count(step.n)}",
            "color": look.text_color,
        }
        for step in steps
    ]


def _row(step: Step, arm_id: int, items_url: str) -> tuple[str | Cell, ...]:
    return (
        Cell(text=_step_name(step), url=_step_url(step, arm_id, items_url)),
        format_count(step.n),
        format_confidence(step.held_out),
        format_percent(step.correct / step.n),
        format_interval((step.interval.low, step.interval.high)),
        format_confidence(step.confidence),
    )


def _step_name(step: Step) -> str:
    low, high = f"{step.low:.2f}", f"{step.high:.2f}"
    return low if low == high else f"{low} to {high}"


def _step_url(step: Step, arm_id: int, items_url: str) -> str:
    """In thousandths around the step: its ends are rounded, the consensus that the items have is not."""
    low, high = math.floor(step.low * 1000 - _ROUNDED), math.floor(step.high * 1000 + _ROUNDED) + 1
    return (
        items_url
        + ItemFilter(arm=arm_id, consensus_from=max(low, 0) / 1000, consensus_to=min(high, 1000) / 1000).query()
    )
