"""Columns that the tables behind several charts share."""

from __future__ import annotations

from collections.abc import Callable

from evaluation.charts.monitoring.frame import Column
from evaluation.selectors.monitoring import Rate, StepFigures
from fusion_site.lib.figures import format_count, format_interval, format_money, format_percent

RateOf = Callable[[StepFigures], Rate]

ANSWERS = Column(key="answers", head="Answers", read=lambda step: step.answers.answers, words=format_count)


def count_column(key: str, head: str, read: Callable[[StepFigures], int]) -> Column:
    return Column(key=key, head=head, read=read, words=format_count)


def rate_columns(key: str, head: str, rate_of: RateOf) -> tuple[Column, ...]:
    """How many, what share, and its interval."""
    return (
        Column(key=key, head=head, read=lambda step: rate_of(step).count, words=format_count),
        Column(key=f"{key}_share", head=f"{head}, %", read=lambda step: rate_of(step).share, words=format_percent),
        Column(head="95 % interval", read=rate_of, words=interval_words),
    )


def money_column(key: str, head: str, read: Callable[[StepFigures], float | None]) -> Column:
    """Nano-dollars, exported as such."""
    return Column(key=f"{key}_nanousd", head=head, read=read, words=money_words)


def money_words(nanousd: float | None) -> str:
    return format_money(None if nanousd is None else round(nanousd), 4)


def interval_words(rate: Rate) -> str:
    return format_interval(None if rate.interval is None else (rate.interval.low, rate.interval.high))


def percent(rate: Rate) -> float | None:
    return None if rate.share is None else rate.share * 100


def rate_words(rate: Rate) -> str:
    """``12.0 % (9.1 to 15.6)``, of a rate that has a denominator."""
    return f"{format_percent(rate.share)} % ({interval_words(rate)})"
