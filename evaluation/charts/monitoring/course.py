"""How answers come about: later stages, early ends, and what arbiters overturn."""

from __future__ import annotations

from collections.abc import Callable

from evaluation.charts.monitoring.columns import (
    ANSWERS,
    count_column,
    interval_words,
    percent,
    rate_columns,
    rate_words,
)
from evaluation.charts.monitoring.drawing import Line, lines
from evaluation.charts.monitoring.frame import Drawing, Frame, StepChart
from evaluation.selectors.monitoring import Rate
from evaluation.selectors.traffic import AnswerSums
from fusion_site.lib.chart import ARBITER, PANEL, Look
from fusion_site.lib.figures import format_count, format_percent

RateOf = Callable[[AnswerSums], Rate]
_EARLY = Look(key="sky", symbol="pentagon", dash="8px,3px")


def _escalated(answers: AnswerSums) -> Rate:
    return Rate(count=answers.escalated, n=answers.answers)


def _stopped_early(answers: AnswerSums) -> Rate:
    return Rate(count=answers.stopped_early, n=answers.answers)


def _overturned(answers: AnswerSums) -> Rate:
    return Rate(count=answers.overturned, n=answers.arbitrated)


def rate_line(frame: Frame, name: str, rate_of: RateOf, look: Look, *, with_interval: bool = True) -> Line:
    rates = [rate_of(step.answers) for step in frame.steps]
    return Line(name=name, values=[percent(rate) for rate in rates], look=look, rates=rates if with_interval else ())


def _draw_stages(frame: Frame) -> Drawing | None:
    whole = frame.page.answers
    if not whole.answers:
        return None
    series = [
        rate_line(frame, "escalated", _escalated, PANEL),
        rate_line(frame, "ended early", _stopped_early, _EARLY),
    ]
    return Drawing(
        subtitle=f"% of {format_count(whole.answers)} answers. Bars: 95 % interval.",
        finding=(
            f"{rate_words(_escalated(whole))} reached a second stage; {rate_words(_stopped_early(whole))} ended "
            "before the last stage of their panel."
        ),
        figure=lines(frame, series, hover="%{y:.1f} %", suffix=" %"),
    )


def _draw_overturned(frame: Frame) -> Drawing | None:
    whole = _overturned(frame.page.answers)
    if not whole.n:
        return None
    line = rate_line(frame, "overturned", _overturned, ARBITER)
    return Drawing(
        subtitle=f"% of {format_count(whole.n)} answers that an arbiter was asked about. Bars: 95 % interval.",
        finding=(
            f"In {format_count(whole.count)} of {format_count(whole.n)} cases, {format_percent(whole.share)} % "
            f"({interval_words(whole)}), the arbiter’s answer was not that of the leading group."
        ),
        figure=lines(frame, [line], hover="%{y:.1f} %", suffix=" %"),
    )


STAGES = StepChart(
    name="stages",
    title="Escalation and early exit",
    lacking="No answer came in.",
    columns=(
        ANSWERS,
        *rate_columns("escalated", "Escalated", lambda step: _escalated(step.answers)),
        *rate_columns("stopped_early", "Ended early", lambda step: _stopped_early(step.answers)),
    ),
    draw=_draw_stages,
)
OVERTURNED = StepChart(
    name="overturned",
    title="Arbiter overturns",
    lacking="No arbiter was asked.",
    columns=(
        count_column("arbitrated", "Arbitrated", lambda step: step.answers.arbitrated),
        *rate_columns("overturned", "Overturned", lambda step: _overturned(step.answers)),
    ),
    draw=_draw_overturned,
)
