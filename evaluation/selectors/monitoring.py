"""The monitoring page: key figures, models and steps of what went through panels, read from the rollups alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from django.db.models import Count, Min

from evaluation.models import AnswerRollup, Call, RollupDue, RollupState
from evaluation.selectors.monitoring_filters import MonitoringFilter
from evaluation.selectors.runs import failure_words
from evaluation.selectors.traffic import (
    AnswerSums,
    CallSums,
    ModelTraffic,
    Steps,
    answer_traffic,
    model_traffic,
    steps_of,
)
from evaluation.stats.interval import Interval
from evaluation.stats.proportions import wilson
from panels.fusion.types import FailureKind
from panels.models import LanguageModel
from panels.selectors.provider_health import ModelHealth, provider_health

# The beat sweeps every 30 s. Whatever waits for longer than this waits for a worker that is not there, or too slow.
SWEPT_WITHIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """``count`` of ``n``; without any there is neither share nor interval. The 95 % interval is Wilson's."""

    count: int
    n: int

    @property
    def share(self) -> float | None:
        return self.count / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        return wilson(self.count, self.n) if self.n else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """Nano-dollars paid to providers; the ``unknown`` of ``calls`` are not in it."""

    nanousd: int
    unknown: int
    calls: int

    @property
    def known_nanousd(self) -> int | None:
        """None if no call says what it cost."""
        return None if self.calls and self.unknown == self.calls else self.nanousd


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """One step. It has answers or calls, both, or neither: then nobody asked."""

    starts_at: datetime
    answers: AnswerSums
    spend: Spend


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model in one role. ``p95_steps`` in seconds and ``error_steps`` in shares, None where nothing was asked."""

    model: LanguageModel
    role: str
    whole: CallSums
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    first_token_p95_s: float | None
    errors: Rate
    timeouts: Rate
    kinds: tuple[tuple[str, int], ...]
    p95_steps: tuple[float | None, ...]
    error_steps: tuple[float | None, ...]
    breaker: ModelHealth | None

    @property
    def role_words(self) -> str:
        return Call.Role(self.role).label.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """``waiting`` hours hold traffic that is not counted yet, the oldest of them from ``oldest`` on."""

    swept_at: datetime | None
    waiting: int
    oldest: datetime | None
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringPage:
    """``has_any``: there was traffic at some time, if not in this span or under this filter."""

    wanted: MonitoringFilter
    steps: Steps
    answers: AnswerSums
    by_step: tuple[StepFigures, ...]
    models: tuple[ModelRow, ...]
    spend: Spend
    freshness: Freshness
    has_any: bool

    @property
    def is_empty(self) -> bool:
        return not self.answers.answers and not self.models

    @property
    def last_step(self) -> datetime:
        """When the step began that is not over."""
        return self.steps.until - self.steps.step

    @property
    def calls(self) -> Rate:
        """Failed requests among those that a provider got."""
        return Rate(count=sum(row.errors.count for row in self.models), n=sum(row.errors.n for row in self.models))

    @property
    def timeouts(self) -> int:
        return sum(row.timeouts.count for row in self.models)

    @property
    def unasked(self) -> int:
        """Calls that were reused or replayed."""
        return sum(row.whole.reused + row.whole.replayed for row in self.models)

    @property
    def failed_answers(self) -> Rate:
        return Rate(count=self.answers.failed, n=self.answers.answers)

    @property
    def degraded(self) -> Rate:
        return Rate(count=self.answers.degraded, n=self.answers.answers)

    @property
    def per_request_nanousd(self) -> int | None:
        return _whole(cost_per_request(self.answers))

    @property
    def per_answered_nanousd(self) -> int | None:
        return _whole(cost_per_answered(self.answers))

    @property
    def per_correct_nanousd(self) -> int | None:
        return _whole(cost_per_correct(self.answers))

    @property
    def has_simulated(self) -> bool:
        return any(row.model.provider.is_simulated for row in self.models)

    @property
    def slowest_p95_s(self) -> float:
        """The top of the scale that the sparklines of a column share."""
        return max((known for row in self.models for known in row.p95_steps if known is not None), default=0.0)

    @property
    def highest_error(self) -> float:
        return max((known for row in self.models for known in row.error_steps if known is not None), default=0.0)


def monitoring_page(wanted: MonitoringFilter, *, now: datetime) -> MonitoringPage:
    """Six queries, one more where nothing is found. None of them reads a call or an answer."""
    steps = steps_of(wanted.span, now=now)
    answers, models = answer_traffic(wanted.traffic, steps), model_traffic(wanted.traffic, steps)
    return MonitoringPage(
        wanted=wanted,
        steps=steps,
        answers=answers.whole,
        by_step=tuple(_steps(steps, answers.steps, models)),
        models=_model_rows(models, steps, now=now),
        spend=_spend([model.whole for model in models]),
        freshness=_freshness(now=now),
        has_any=bool(answers.whole.answers or models) or AnswerRollup.objects.exists(),
    )


def _whole(nanousd: float | None) -> int | None:
    return None if nanousd is None else round(nanousd)


def cost_per_request(answers: AnswerSums) -> float | None:
    """List price in nano-dollars, of the answers that have one."""
    return answers.cost_nanousd / answers.priced if answers.priced else None


def cost_per_answered(answers: AnswerSums) -> float | None:
    """What the requests cost for each that was answered: those without an answer are paid for as well."""
    cost = cost_per_request(answers)
    return None if cost is None or not answers.answered else cost * answers.answers / answers.answered


def cost_per_correct(answers: AnswerSums) -> float | None:
    """Cost per request over the share that is right of the scored ones; None where none is scored or right."""
    cost = cost_per_request(answers)
    return None if cost is None or not answers.correct else cost * answers.scored / answers.correct


def _steps(steps: Steps, answers: Mapping[int, AnswerSums], models: Sequence[ModelTraffic]) -> Iterator[StepFigures]:
    for place, starts_at in enumerate(steps):
        calls = [model.steps[place] for model in models if place in model.steps]
        yield StepFigures(starts_at=starts_at, answers=answers.get(place, AnswerSums()), spend=_spend(calls))


def _spend(calls: Sequence[CallSums]) -> Spend:
    return Spend(
        nanousd=sum(each.spent_nanousd for each in calls),
        unknown=sum(each.spent_unknown for each in calls),
        calls=sum(each.calls for each in calls),
    )


def _model_rows(models: Sequence[ModelTraffic], steps: Steps, *, now: datetime) -> tuple[ModelRow, ...]:
    """Two queries."""
    known = LanguageModel.objects.select_related("provider").in_bulk({traffic.model_id for traffic in models})
    breakers = {(each.provider_id, each.name): each for each in provider_health(now=now).models}
    return tuple(_model_row(known[traffic.model_id], traffic, breakers, len(steps)) for traffic in models)


def _model_row(
    model: LanguageModel, traffic: ModelTraffic, breakers: Mapping[tuple[int, str], ModelHealth], steps: int
) -> ModelRow:
    whole = traffic.whole
    p50, p95, p99 = whole.latencies(0.5, 0.95, 0.99)
    by_step = [traffic.steps.get(place) for place in range(steps)]
    return ModelRow(
        model=model,
        role=traffic.role,
        whole=whole,
        p50_s=p50,
        p95_s=p95,
        p99_s=p99,
        first_token_p95_s=whole.first_token_at(0.95),
        errors=Rate(count=whole.failed, n=whole.asked),
        timeouts=Rate(count=whole.errors[FailureKind.TIMEOUT], n=whole.asked),
        kinds=tuple((failure_words(kind), count) for kind, count in whole.errors.most_common()),
        p95_steps=tuple(None if step is None else step.latency_at(0.95) for step in by_step),
        error_steps=tuple(step.failed / step.asked if step and step.asked else None for step in by_step),
        breaker=breakers.get((model.provider_id, model.name)),
    )


def _freshness(*, now: datetime) -> Freshness:
    """Two queries. Where nothing waits all is counted, however long ago that was."""
    due = RollupDue.objects.aggregate(waiting=Count("hour", distinct=True), oldest=Min("hour"))
    state = RollupState.objects.filter(pk=RollupState.ONLY).first()
    swept_at = state.swept_at if state else None
    is_late = swept_at is None or now - swept_at > SWEPT_WITHIN
    return Freshness(swept_at=swept_at, **due, is_stale=bool(due["waiting"]) and is_late)


MODEL_COLUMNS = (
    "model", "provider", "role", "simulated", "calls", "requests", "p50_ms", "p95_ms", "p99_ms",
    "first_token_p95_ms", "failed", "timeouts", "breaker", "spent_usd", "spent_unknown",
)  # fmt: skip


def model_records(page: MonitoringPage) -> Iterator[dict[str, object]]:
    """The models table for an export: MODEL_COLUMNS, and a column for each kind of failure that there was."""
    for row in page.models:
        times = (row.p50_s, row.p95_s, row.p99_s, row.first_token_p95_s)
        names = ("p50_ms", "p95_ms", "p99_ms", "first_token_p95_ms")
        yield {
            "model": row.model.name,
            "provider": row.model.provider.name,
            "role": row.role,
            "simulated": row.model.provider.is_simulated,
            "calls": row.whole.calls,
            "requests": row.errors.n,
            **{name: None if time is None else round(time * 1000, 3) for name, time in zip(names, times, strict=True)},
            "failed": row.errors.count,
            "timeouts": row.timeouts.count,
            "breaker": row.breaker.state.value if row.breaker else None,
            "spent_usd": row.whole.spent_nanousd / 1e9,
            "spent_unknown": row.whole.spent_unknown,
            **{f"failed_{kind}": count for kind, count in row.whole.errors.items()},
        }


def model_columns(page: MonitoringPage) -> tuple[str, ...]:
    kinds = sorted(set(chain.from_iterable(row.whole.errors for row in page.models)))
    return (*MODEL_COLUMNS, *(f"failed_{kind}" for kind in kinds))
