"""How long the answers take, arm by arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.charts.words import escaped, label, listed, named
from evaluation.results import ArmScore, LatencyCurve, ResultData
from fusion_site.lib.chart import Chart, Look
from fusion_site.lib.figures import format_count, format_milliseconds


def latency_chart(data: ResultData, *, looks: Mapping[int, Look], target_ms: int | None = None) -> Chart | None:
    """The share of answers within a time, one line an arm; the axis ends at the slowest arm's P99."""
    if not data.latency:
        return None
    end = max(_reached(curve, 0.99) for curve in data.latency) * 1000
    shapes = [_across(95.0), *([_upright(target_ms)] if target_ms else [])]
    labels = [_word(0, 91, "P95")]
    if target_ms:
        labels.append(_word(target_ms, 4, f"target {format_milliseconds(target_ms)}"))
    scores = {arm.arm_id: arm for arm in data.arms}
    return Chart(
        id="latency",
        title="Latency",
        subtitle="Share of measured answers within x ms, end to end. The axis ends at the slowest arm's P99.",
        finding=_latency_finding([scores[curve.arm_id] for curve in data.latency]),
        figure={
            "data": [_curve_trace(curve, looks[curve.arm_id]) for curve in data.latency],
            "layout": {
                "shapes": shapes,
                "xaxis": {"title": "Latency, ms", "range": [0, max(end, target_ms or 0) * 1.05 or 1]},
                "yaxis": {"range": [0, 101], "dtick": 25, "ticksuffix": " %"},
            },
            "labels": [*labels, *(_curve_label(place, curve, looks) for place, curve in enumerate(data.latency))],
        },
        heads=("Arm", "Measured answers", "P50, ms", "P95, ms", "95 % interval of P95, ms"),
        rows=tuple(_latency_row(scores[curve.arm_id]) for curve in data.latency),
    )


def _reached(curve: LatencyCurve, share: float) -> float:
    """Seconds within which that share of the answers came."""
    return next((seconds for seconds, within in zip(curve.seconds, curve.share, strict=True) if within >= share), 0.0)


def _curve_trace(curve: LatencyCurve, look: Look) -> dict[str, Any]:
    """Begins at a share of 0, so that a curve of few steps is still drawn whole."""
    name = escaped(curve.arm)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [curve.seconds[0] * 1000, *(seconds * 1000 for seconds in curve.seconds)],
        "y": [0.0, *(share * 100 for share in curve.share)],
        "line": {"shape": "hv", "color": look.color, "dash": look.dash, "width": 1.75},
        "hovertemplate": f"{name}: %{{y:.1f}} % within %{{x:,.0f}} ms<extra></extra>",
    }


def _curve_label(place: int, curve: LatencyCurve, looks: Mapping[int, Look]) -> dict[str, Any]:
    return {
        "x": _reached(curve, 0.5) * 1000,
        "y": 50.0,
        "along": place,
        "text": label(curve.arm),
        "color": looks[curve.arm_id].text_color,
    }


def _latency_finding(arms: Sequence[ArmScore]) -> str:
    said = [f"{named(arm.name)} within {_milliseconds(arm.p95_s)}" for arm in arms]
    return f"95 % of the answers arrive: {listed(said)}."


def _latency_row(arm: ArmScore) -> tuple[str, ...]:
    bounds = arm.p95_interval
    interval = "no interval" if bounds is None else f"{_milliseconds(bounds.low)} to {_milliseconds(bounds.high)}"
    return arm.name, format_count(arm.measured), _milliseconds(arm.p50_s), _milliseconds(arm.p95_s), interval


def _milliseconds(seconds: float | None) -> str:
    return format_milliseconds(None if seconds is None else seconds * 1000)


def _across(y: float) -> dict[str, Any]:
    line = {"color": "--rule-2", "width": 1}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line, "layer": "below"}


def _upright(x: float) -> dict[str, Any]:
    line = {"color": "--ink-2", "width": 1, "dash": "2px,2px"}
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": x, "x1": x, "line": line}


def _word(x: float, y: float, text: str) -> dict[str, Any]:
    return {"x": x, "y": y, "text": text, "color": "--ink-3"}
