"""Lines, bars and stacked bars over the steps of a span, in one look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.charts.monitoring.frame import Frame
from evaluation.charts.words import escaped
from evaluation.selectors.monitoring import Rate
from fusion_site.lib.chart import Look

# From this many on an interval is narrower than its mark.
_CERTAIN = 10_000
# Two labels beside a stack need this much of its height to stay apart.
_APART = 11.0
_STRENGTHS = ("0.95", "0.6", "0.32", "0.12")

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One value a step, None where there is none. ``rates`` are drawn with their interval, in percent."""

    name: str
    values: Values
    look: Look
    rates: Sequence[Rate] = ()


def lines(frame: Frame, series: Sequence[Line], *, hover: str, suffix: str = "") -> dict[str, Any]:
    """``hover`` is how plotly writes a value: ``%{y:,.0f} ms``. The labels stand at the lines."""
    return {
        "data": [_line(frame, one, hover) for one in series],
        "layout": {
            "xaxis": frame.axis,
            "yaxis": {"rangemode": "tozero", "tickformat": ",", "ticksuffix": suffix, "nticks": 5},
        },
        "labels": [label for place, one in enumerate(series) if (label := _label(frame, place, one))],
    }


def _line(frame: Frame, line: Line, hover: str) -> dict[str, Any]:
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": frame.places,
        "y": list(line.values),
        "customdata": frame.names,
        "line": {"color": line.look.color, "dash": line.look.dash, "width": 1.75},
        "marker": _marks(line),
        "hovertemplate": f"{escaped(line.name)}, %{{customdata}}: {hover}<extra></extra>",
    }
    return trace | ({"error_y": _intervals(line)} if line.rates else {})


def _marks(line: Line) -> dict[str, Any]:
    """A point without a neighbour has no line and needs a mark; the last step, not over yet, has an open one."""
    last = len(line.values) - 1
    return {
        "color": line.look.color,
        "symbol": [f"{line.look.symbol}{'-open' if place == last else ''}" for place in range(last + 1)],
        "size": [6 if place == last or _is_alone(line.values, place) else 0 for place in range(last + 1)],
    }


def _is_alone(values: Values, place: int) -> bool:
    before = values[place - 1] if place else None
    after = values[place + 1] if place + 1 < len(values) else None
    return before is None and after is None


def _intervals(line: Line) -> dict[str, Any]:
    ends = [rate.interval if rate.n < _CERTAIN else None for rate in line.rates]
    shares = [rate.share or 0.0 for rate in line.rates]
    return {
        "type": "data",
        "symmetric": False,
        "array": [(end.high - share) * 100 if end else 0 for end, share in zip(ends, shares, strict=True)],
        "arrayminus": [(share - end.low) * 100 if end else 0 for end, share in zip(ends, shares, strict=True)],
        "color": f"{line.look.color}/0.4",
        "thickness": 1,
        "width": 0,
    }


def _label(frame: Frame, place: int, line: Line) -> dict[str, Any] | None:
    known = [(x, y) for x, y in zip(frame.places, line.values, strict=True) if y is not None]
    if not known:
        return None
    x, y = known[-1]
    return {"x": x, "y": y, "along": place, "text": escaped(line.name), "color": line.look.text_color}


def bars(frame: Frame, values: Values, *, look: Look, hover: str, prefix: str = "") -> dict[str, Any]:
    return {
        "data": [_bars(frame, values, f"{look.color}/0.75", f"%{{customdata}}: {hover}")],
        "layout": {
            "xaxis": frame.axis,
            "yaxis": {"rangemode": "tozero", "tickformat": ",", "tickprefix": prefix, "nticks": 5},
        },
    }


def _bars(frame: Frame, values: Values, color: str, hover: str) -> dict[str, Any]:
    """The last step is not over: its bar is a hatched one."""
    hatched = [""] * (len(values) - 1) + ["/"]
    return {
        "type": "bar",
        "x": frame.places,
        "y": list(values),
        "customdata": frame.names,
        "width": frame.page.steps.step.total_seconds() * 1000 * 0.84,
        "marker": {
            "color": color,
            "line": {"width": 0},
            "pattern": {"shape": hatched, "fgcolor": "--paper", "fillmode": "overlay", "size": 5, "solidity": 0.35},
        },
        "hovertemplate": f"{hover}<extra></extra>",
    }


def stack(frame: Frame, bands: Mapping[str, Values], *, look: Look) -> dict[str, Any]:
    """Shares of each step in percent, the first band at the bottom and darkest. Names stand beside the last bar."""
    traces = [
        _bars(frame, values, f"{look.color}/{strength}", f"{escaped(name)}, %{{customdata}}: %{{y:.1f}} %")
        for (name, values), strength in zip(bands.items(), _STRENGTHS, strict=True)
    ]
    layout = {
        "barmode": "stack",
        "margin": {"r": 76},
        "xaxis": frame.axis,
        "yaxis": {"range": [0, 100], "ticksuffix": " %", "tickvals": [0, 25, 50, 75, 100]},
        "annotations": _beside(bands),
    }
    return {"data": traces, "layout": layout}


def _beside(bands: Mapping[str, Values]) -> list[dict[str, Any]]:
    last = [next((value for value in reversed(values) if value is not None), 0.0) for values in bands.values()]
    middles = [sum(last[:place]) + value / 2 for place, value in enumerate(last)]
    common = {"xref": "paper", "x": 1, "xanchor": "left", "xshift": 4, "showarrow": False}
    return [
        {**common, "y": y, "yanchor": "middle", "text": escaped(name), "font": {"size": 11, "color": "--ink-3"}}
        for name, y in zip(bands, spread(middles), strict=True)
    ]


def spread(middles: Sequence[float], apart: float = _APART) -> list[float]:
    """Rising places of 0 to 100, moved as little as keeps them ``apart``: up from below, then down from the top."""
    placed: list[float] = []
    for middle in middles:
        placed.append(max(middle, placed[-1] + apart if placed else apart / 2))
    ceiling = 100 - apart / 2
    for place in reversed(range(len(placed))):
        placed[place] = min(placed[place], ceiling)
        ceiling = placed[place] - apart
    return placed
