"""What an arm's accuracy costs, and which arms are worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from evaluation.charts.words import escaped, label, listed, named
from evaluation.results import ArmScore, MemberScore, ResultData
from evaluation.selectors.items import ItemFilter
from evaluation.stats.interval import Interval
from evaluation.stats.pareto import frontier
from fusion_site.lib.chart import Chart, Look
from fusion_site.lib.figures import NANO, format_count, format_interval, format_money, format_number

_STEPS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """Cost in dollars per 1,000 requests, accuracy in percent."""

    name: str
    cost: float
    accuracy: float
    interval: Interval
    nanousd: int
    arm: ArmScore | None


def cost_chart(data: ResultData, *, looks: Mapping[int, Look], items_url: str) -> Chart | None:
    """Accuracy by cost, arms with their interval, members that were called on every example as open circles."""
    arms = [point for arm in data.arms for point in _arm_points(arm)]
    if not arms:
        return None
    points = [*arms, *_member_points(data)]
    edge = [points[index] for index in frontier([(point.cost, point.accuracy) for point in points])]
    marks = [_mark(point, looks, items_url) for point in arms]
    traces = [_frontier_trace(edge), _members_trace(points[len(arms) :]), *marks]
    return Chart(
        id="cost",
        title="Cost against accuracy",
        subtitle=(
            f"Accuracy, % of {_scored_words(data)}, by list cost in $ per 1,000 requests. Bars: 95 % interval. "
            "Open circles: members alone. Line: the best measured at each cost. The axis does not start at 0."
        ),
        finding=_cost_finding(arms, edge),
        figure={"data": traces, "layout": _cost_layout(points), "labels": _cost_labels(arms, looks)},
        heads=("Arm or member", "Cost, $ per request", "Accuracy, %", "95 % interval", "On the frontier"),
        rows=tuple(_cost_row(point, on_edge=point in edge) for point in points),
    )


def _arm_points(arm: ArmScore) -> list[_Point]:
    if arm.cost_per_request_nanousd is None or arm.accuracy is None or arm.interval is None:
        return []
    return [_point(arm.name, arm.cost_per_request_nanousd, arm.accuracy, arm.interval, arm)]


def _member_points(data: ResultData) -> list[_Point]:
    """Members with a price and a ballot on every example, each once, without those that are an arm of their own."""
    known = {arm.members[0].voter for arm in data.arms if arm.is_single}
    points = []
    for arm in data.arms:
        for member in arm.members:
            if member.voter not in known and member.called == data.items == member.n:
                known.add(member.voter)
                points += _alone(member)
    return points


def _alone(member: MemberScore) -> list[_Point]:
    if member.cost_nanousd is None or member.accuracy is None or member.interval is None:
        return []
    return [_point(member.voter, round(member.cost_nanousd / member.called), member.accuracy, member.interval, None)]


def _point(name: str, nanousd: int, accuracy: float, interval: Interval, arm: ArmScore | None) -> _Point:
    return _Point(
        name=name, cost=nanousd * 1000 / NANO, accuracy=accuracy * 100, interval=interval, nanousd=nanousd, arm=arm
    )


def _frontier_trace(edge: Sequence[_Point]) -> dict[str, Any]:
    steps = _staircase([(point.cost, point.accuracy) for point in edge])
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [cost for cost, _ in steps],
        "y": [accuracy for _, accuracy in steps],
        "line": {"color": "--ink-3", "width": 1.25},
        "hoverinfo": "skip",
    }


def _staircase(corners: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Right, then up, from corner to corner; so many points that the page can keep its labels off the line."""
    steps = list(corners[:1])
    for (x, y), (to_x, to_y) in pairwise(corners):
        steps += [(x + (to_x - x) * step / _STEPS, y) for step in range(1, _STEPS + 1)]
        steps += [(to_x, y + (to_y - y) * step / _STEPS) for step in range(1, _STEPS + 1)]
    return steps


def _members_trace(points: Sequence[_Point]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [point.cost for point in points],
        "y": [point.accuracy for point in points],
        "text": [escaped(point.name) for point in points],
        "marker": {"symbol": "circle-open", "size": 7, "color": "--ink-3", "line": {"width": 1.2}},
        "hovertemplate": "%{text} alone<br>$%{x:.4~f} per 1,000 · %{y:.1f} %<extra></extra>",
    }


def _mark(point: _Point, looks: Mapping[int, Look], items_url: str) -> dict[str, Any]:
    arm_id = point.arm.arm_id if point.arm else 0
    look = looks[arm_id]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [point.cost],
        "y": [point.accuracy],
        "text": [escaped(point.name)],
        "customdata": [items_url + ItemFilter(arm=arm_id).query()],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [point.interval.high * 100 - point.accuracy],
            "arrayminus": [point.accuracy - point.interval.low * 100],
            "color": look.color,
            "thickness": 1.25,
            "width": 0,
        },
        "marker": {"symbol": look.symbol, "size": 10, "color": look.color},
        "hovertemplate": "%{text}<br>$%{x:.4~f} per 1,000 · %{y:.1f} % "
        f"({format_interval((point.interval.low, point.interval.high))})<extra></extra>",
    }


def _cost_layout(points: Sequence[_Point]) -> dict[str, Any]:
    """The accuracy axis spans the intervals of the arms and the members' marks, in whole steps of five points."""
    low = min(_lowest(point) for point in points)
    high = max(point.interval.high * 100 if point.arm else point.accuracy for point in points)
    dearest = max(point.cost for point in points)
    return {
        "xaxis": {"title": "List cost, $ per 1,000 requests", "range": [-0.02 * dearest, dearest * 1.12 or 1]},
        "yaxis": {"range": [max(0, 5 * (low // 5)), min(101, 5 * (high // 5) + 5)], "ticksuffix": " %"},
    }


def _lowest(point: _Point) -> float:
    return point.interval.low * 100 if point.arm else point.accuracy


def _cost_labels(arms: Sequence[_Point], looks: Mapping[int, Look]) -> list[dict[str, Any]]:
    return [
        {
            "x": point.cost,
            "y": point.accuracy,
            "text": label(point.name),
            "color": looks[point.arm.arm_id].text_color if point.arm else "--ink-2",
        }
        for point in arms
    ]


def _cost_finding(arms: Sequence[_Point], edge: Sequence[_Point]) -> str:
    """Measured values: whether a difference is more than chance is said with the comparisons."""
    winners = [named(point.name) for point in edge if point.arm]
    beaten = [named(point.name) for point in arms if point not in edge]
    said = [f"On the frontier: {listed(winners)}."] if winners else []
    if beaten:
        said.append(f"At no higher cost than {listed(beaten)}, something else was measured at least as accurate.")
    return " ".join(said)


def _cost_row(point: _Point, *, on_edge: bool) -> tuple[str, ...]:
    name = point.name if point.arm else f"{point.name} alone"
    interval = format_interval((point.interval.low, point.interval.high))
    return name, format_money(point.nanousd, 4), format_number(point.accuracy), interval, "yes" if on_edge else "no"


def _scored_words(data: ResultData) -> str:
    scored = {arm.n for arm in data.arms}
    return f"{format_count(scored.pop())} examples" if len(scored) == 1 else "scored examples"
