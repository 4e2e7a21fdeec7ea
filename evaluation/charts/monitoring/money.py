"""What answers cost by list price, and what was paid for calls."""

from __future__ import annotations

from collections.abc import Callable

from evaluation.charts.monitoring.columns import ANSWERS, count_column, money_column, money_words
from evaluation.charts.monitoring.drawing import Line, bars, lines
from evaluation.charts.monitoring.frame import Column, Drawing, Frame, StepChart
from evaluation.selectors.monitoring import (
    Spend,
    StepFigures,
    cost_per_answered,
    cost_per_correct,
    cost_per_request,
)
from evaluation.selectors.traffic import AnswerSums
from fusion_site.lib.chart import PANEL, Look
from fusion_site.lib.figures import NANO, format_count, format_money

CostOf = Callable[[AnswerSums], float | None]
_ANSWERED = Look(key="base", symbol="square", dash="2px,2px")
_CORRECT = Look(key="sky", symbol="pentagon", dash="8px,3px")


def _draw_cost(frame: Frame) -> Drawing | None:
    whole = frame.page.answers
    if not whole.priced:
        return None
    series = [
        _cost_line(frame, "request", cost_per_request, PANEL),
        _cost_line(frame, "answered", cost_per_answered, _ANSWERED),
        _cost_line(frame, "correct", cost_per_correct, _CORRECT),
    ]
    return Drawing(
        subtitle="$ list price per 1,000 requests, answered ones and correct ones",
        finding=_cost_finding(whole),
        figure=lines(frame, [line for line in series if any(line.values)], hover="$%{y:,.4~f} per 1,000"),
    )


def _cost_line(frame: Frame, name: str, cost_of: CostOf, look: Look) -> Line:
    costs = [cost_of(step.answers) for step in frame.steps]
    values = [None if cost is None else cost * 1000 / NANO for cost in costs]
    return Line(name=name, values=values, look=look)


def _cost_finding(whole: AnswerSums) -> str:
    costs = {"request": cost_per_request, "answered one": cost_per_answered, "correct one": cost_per_correct}
    known = {name: cost for name, cost_of in costs.items() if (cost := cost_of(whole)) is not None}
    said = f"On average {', '.join(f'{money_words(cost)} per {name}' for name, cost in known.items())}."
    if whole.answers > whole.scored:
        said += f" {format_count(whole.scored)} of {format_count(whole.answers)} answers are scored."
    if whole.cost_unknown:
        said += f" {format_count(whole.cost_unknown)} of unknown price are left out."
    return said


def _draw_spend(frame: Frame) -> Drawing | None:
    spend = frame.page.spend
    if spend.known_nanousd is None or not spend.calls:
        return None
    values = [None if step.spend.known_nanousd is None else step.spend.nanousd / NANO for step in frame.steps]
    return Drawing(
        subtitle=f"$ a step, paid for {format_count(spend.calls)} calls",
        finding=_spend_finding(spend),
        figure=bars(frame, values, look=PANEL, hover="$%{y:,.4~f}", prefix="$"),
    )


def _spend_finding(spend: Spend) -> str:
    said = f"{format_money(spend.nanousd)} were spent."
    if spend.unknown:
        said += f" What {format_count(spend.unknown)} calls cost is unknown and not in it."
    return said


def _spend_column() -> Column:
    def read(step: StepFigures) -> int | None:
        return step.spend.known_nanousd

    return Column(key="spent_nanousd", head="Spent", read=read, words=format_money)


COST = StepChart(
    name="cost",
    title="Cost",
    lacking="No answer has a known price.",
    columns=(
        ANSWERS,
        count_column("cost_unknown", "Unknown price", lambda step: step.answers.cost_unknown),
        money_column("per_request", "Per request", lambda step: cost_per_request(step.answers)),
        money_column("per_answered", "Per answered", lambda step: cost_per_answered(step.answers)),
        money_column("per_correct", "Per correct", lambda step: cost_per_correct(step.answers)),
        count_column("scored", "Scored", lambda step: step.answers.scored),
    ),
    draw=_draw_cost,
)
SPEND = StepChart(
    name="spend",
    title="Spend",
    lacking="What the calls cost is unknown, or there were none.",
    columns=(
        count_column("calls", "Calls", lambda step: step.spend.calls),
        _spend_column(),
        count_column("spent_unknown", "Unknown cost", lambda step: step.spend.unknown),
    ),
    draw=_draw_spend,
)
