"""How long whole answers take, step by step."""

from __future__ import annotations

from typing import Any

from evaluation.charts.monitoring.columns import count_column
from evaluation.charts.monitoring.drawing import Line, lines
from evaluation.charts.monitoring.frame import Column, Drawing, Frame, StepChart
from evaluation.selectors.monitoring import StepFigures
from fusion_site.lib.chart import PANEL, Look
from fusion_site.lib.figures import format_count, format_milliseconds

_SHARES = (0.5, 0.95, 0.99)
_LOOKS = (
    Look(key="base", symbol="square", dash="2px,2px"),
    PANEL,
    Look(key="sky", symbol="pentagon", dash="8px,3px"),
)


def _draw(frame: Frame) -> Drawing | None:
    if not frame.page.answers.measured:
        return None
    found = [_percentiles(step) for step in frame.steps]
    series = [
        Line(name=f"P{share * 100:.0f}", values=[_ms(times[place]) for times in found], look=look)
        for place, (share, look) in enumerate(zip(_SHARES, _LOOKS, strict=True))
    ]
    figure = lines(frame, series, hover="%{y:,.0f} ms")
    _add_target(figure, frame)
    measured = format_count(frame.page.answers.measured)
    return Drawing(
        subtitle=f"ms, end to end, {measured} answers that were measured",
        finding=_finding(frame, [times[1] for times in found]),
        figure=figure,
    )


def _percentiles(step: StepFigures) -> tuple[float | None, ...]:
    return step.answers.latencies(*_SHARES)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _add_target(figure: dict[str, Any], frame: Frame) -> None:
    target = frame.page.wanted.target_p95_ms
    if target is None:
        return
    line = {"color": "--ink-2", "width": 1, "dash": "2px,2px"}
    figure["layout"]["shapes"] = [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": target, "y1": target, "line": line}
    ]
    word = f"P95 target {format_milliseconds(target)}"
    figure["labels"].append({"x": frame.places[0], "y": target, "text": word, "color": "--ink-3"})


def _finding(frame: Frame, p95: list[float | None]) -> str:
    whole = _words(frame.page.answers.latency_at(0.95))
    slowest, name = max((seconds, name) for seconds, name in zip(p95, frame.names, strict=True) if seconds is not None)
    return f"95 % of the answers came within {whole}; in the slowest step, {name}, within {_words(slowest)}."


def _words(seconds: float | None) -> str:
    return format_milliseconds(_ms(seconds))


def _column(place: int) -> Column:
    share = _SHARES[place] * 100
    return Column(
        key=f"p{share:.0f}_s", head=f"P{share:.0f}, ms", read=lambda step: _percentiles(step)[place], words=_words
    )


LATENCY = StepChart(
    name="latency",
    title="Latency",
    lacking="No answer has a measured latency.",
    columns=(count_column("measured", "Measured answers", lambda step: step.answers.measured), *map(_column, range(3))),
    draw=_draw,
)
