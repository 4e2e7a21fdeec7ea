"""How much is asked, and how many answers were cut short and why."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from evaluation.charts.monitoring.columns import ANSWERS, count_column, rate_columns, rate_words
from evaluation.charts.monitoring.course import rate_line
from evaluation.charts.monitoring.drawing import bars, lines
from evaluation.charts.monitoring.frame import Column, Drawing, Frame, StepChart
from evaluation.selectors.degradations import kind_words
from evaluation.selectors.monitoring import Rate, StepFigures
from evaluation.selectors.traffic import AnswerSums
from fusion_site.lib.chart import ARBITER, BEST, PANEL, PINK
from fusion_site.lib.figures import format_count

# More lines than these in one small chart nobody can follow; the table has them all.
_KIND_LOOKS = (BEST, ARBITER, PINK)


def _draw_requests(frame: Frame) -> Drawing | None:
    whole = frame.page.answers
    if not whole.answers:
        return None
    counts = [step.answers.answers for step in frame.steps]
    busiest = max(range(len(counts)), key=counts.__getitem__)
    return Drawing(
        subtitle="Requests a step, each with one answer",
        finding=(
            f"{format_count(whole.answers)} requests; the busiest step, {frame.names[busiest]}, "
            f"had {format_count(counts[busiest])}."
        ),
        figure=bars(frame, counts, look=PANEL, hover="%{y:,} requests"),
    )


def _degraded(answers: AnswerSums) -> Rate:
    return Rate(count=answers.degraded, n=answers.answers)


def _with_kind(answers: AnswerSums, kind: str) -> Rate:
    return Rate(count=answers.reasons[kind], n=answers.answers)


def _draw_degraded(frame: Frame) -> Drawing | None:
    whole = frame.page.answers
    if not whole.answers:
        return None
    kinds = [kind for kind, _ in whole.reasons.most_common()]
    series = [rate_line(frame, "any reason", _degraded, PANEL)]
    for kind, look in zip(kinds, _KIND_LOOKS, strict=False):
        rate_of = partial(_with_kind, kind=kind)
        series.append(rate_line(frame, kind_words(kind), rate_of, look, with_interval=False))
    return Drawing(
        subtitle=f"% of {format_count(whole.answers)} answers, by what was cut short. Bars: 95 % interval of all.",
        finding=_degraded_finding(whole, kinds),
        figure=lines(frame, series, hover="%{y:.1f} %", suffix=" %"),
    )


def _degraded_finding(whole: AnswerSums, kinds: Sequence[str]) -> str:
    if not whole.degraded:
        return "Nothing was cut short in any answer."
    counted = ", ".join(f"{kind_words(kind)} {format_count(whole.reasons[kind])}" for kind in kinds)
    return f"In {rate_words(_degraded(whole))} something was cut short. By reason: {counted}."


def _reasons(step: StepFigures) -> str:
    return ", ".join(f"{kind_words(kind)} {format_count(n)}" for kind, n in step.answers.reasons.most_common())


REQUESTS = StepChart(
    name="requests",
    title="Requests",
    lacking="No request came in.",
    columns=(
        ANSWERS,
        count_column("answered", "Answered", lambda step: step.answers.answered),
        count_column("abstained", "No answer", lambda step: step.answers.abstained),
        count_column("failed", "Calls failed", lambda step: step.answers.failed),
    ),
    draw=_draw_requests,
)
DEGRADED = StepChart(
    name="degraded",
    title="Degraded answers",
    lacking="No answer came in.",
    columns=(
        ANSWERS,
        *rate_columns("degraded", "Degraded", lambda step: _degraded(step.answers)),
        Column(key="reasons", head="By reason", read=_reasons, words=lambda said: said or "none"),
    ),
    draw=_draw_degraded,
)
