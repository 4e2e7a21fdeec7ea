"""What went through panels in a span of time, step by step, as the rollups have it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

from django.db.models import Q, QuerySet

from evaluation.models import AnswerRollup, CallRollup, Grain
from evaluation.stats.log_histogram import count_of, quantiles
from panels.fusion.types import FailureKind

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_OK = "ok"
# Nobody was asked, or nobody waited: no provider failed.
NOT_ASKED = frozenset(
    {
        FailureKind.NOT_RECORDED,
        FailureKind.MASKING,
        FailureKind.BREAKER_OPEN,
        FailureKind.CEILING,
        FailureKind.DEADLINE,
        FailureKind.LATE,
        FailureKind.CANCELLED,
    }
)


class Span(StrEnum):
    """How far back a page looks."""

    DAY = "24h"
    WEEK = "7d"
    FORTNIGHT = "14d"
    MONTH = "30d"
    QUARTER = "90d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A span cut into equal steps, the last of which is not over yet. ``grain`` is of the rollups that it reads."""

    since: datetime
    until: datetime
    step: timedelta
    grain: Grain

    def place_of(self, starts_at: datetime) -> int:
        return int((starts_at - self.since) / self.step)

    def __len__(self) -> int:
        return int((self.until - self.since) / self.step)

    def __iter__(self) -> Iterator[datetime]:
        return (self.since + place * self.step for place in range(len(self)))


_LENGTHS = {
    Span.DAY: (24, _HOUR, Grain.HOUR),
    Span.WEEK: (56, 3 * _HOUR, Grain.HOUR),
    Span.FORTNIGHT: (14, _DAY, Grain.DAY),
    Span.MONTH: (30, _DAY, Grain.DAY),
    Span.QUARTER: (90, _DAY, Grain.DAY),
}


def steps_of(span: Span, *, now: datetime) -> Steps:
    """The steps of a span, in UTC, that ends with the one that holds ``now``."""
    count, step, grain = _LENGTHS[span]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    until = midnight + ((now - midnight) // step + 1) * step
    return Steps(since=until - count * step, until=until, step=step, grain=grain)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficFilter:
    """What a page is about, by primary key; None is all. A provider or model says nothing of whole answers."""

    workflow: int | None = None
    version: int | None = None
    arm: int | None = None
    provider: int | None = None
    model: int | None = None

    def of_answers(self) -> Q:
        chosen = {"workflow": self.workflow, "panel_version": self.version, "arm": self.arm}
        return Q(**{name: value for name, value in chosen.items() if value is not None})

    def of_calls(self) -> Q:
        chosen = {"model": self.model, "model__provider": self.provider}
        return self.of_answers() & Q(**{name: value for name, value in chosen.items() if value is not None})


@dataclass(slots=True, kw_only=True)
class CallSums:
    """Calls of one step, or of all. Money in nano-dollars, ``cost_unknown`` calls left out; histograms of seconds."""

    calls: int = 0
    reused: int = 0
    replayed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nanousd: int = 0
    cost_unknown: int = 0
    spent_nanousd: int = 0
    spent_unknown: int = 0
    latency: list[bytes] = field(default_factory=list)
    first_token: list[bytes] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """Requests that a provider got: without what was reused, replayed or never sent."""
        unasked = sum(self.outcomes[kind] for kind in NOT_ASKED)
        return self.calls - self.reused - self.replayed - unasked

    @property
    def errors(self) -> Counter[str]:
        """Failed requests by kind."""
        failed = {kind: n for kind, n in self.outcomes.items() if kind != _OK and kind not in NOT_ASKED}
        return Counter(failed)

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    def latency_at(self, q: float) -> float | None:
        """Seconds at share ``q`` of the requests that brought a reply; None where there is none."""
        return self.latencies(q)[0]

    def latencies(self, *shares: float) -> tuple[float | None, ...]:
        return quantiles(b"".join(self.latency), shares)

    def first_token_at(self, q: float) -> float | None:
        return quantiles(b"".join(self.first_token), [q])[0]


@dataclass(slots=True, kw_only=True)
class AnswerSums:
    """Answers of one step, or of all. Money in nano-dollars, ``cost_unknown`` answers left out."""

    answers: int = 0
    answered: int = 0
    abstained: int = 0
    failed: int = 0
    scored: int = 0
    correct: int = 0
    escalated: int = 0
    stopped_early: int = 0
    settled: int = 0
    arbitrated: int = 0
    overturned: int = 0
    degraded: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    consensus: list[int] = field(default_factory=lambda: [0] * AnswerRollup.BINS)
    confidence: list[int] = field(default_factory=lambda: [0] * AnswerRollup.BINS)
    cost_nanousd: int = 0
    cost_unknown: int = 0
    latency: list[bytes] = field(default_factory=list)

    def latency_at(self, q: float) -> float | None:
        """Seconds at share ``q`` of the answers that were measured; None where there is none."""
        return self.latencies(q)[0]

    def latencies(self, *shares: float) -> tuple[float | None, ...]:
        return quantiles(b"".join(self.latency), shares)

    @property
    def p95_s(self) -> float | None:
        return self.latency_at(0.95)

    @property
    def measured(self) -> int:
        """Answers whose latency is known."""
        return count_of(b"".join(self.latency))

    @property
    def priced(self) -> int:
        return self.answers - self.cost_unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTraffic:
    """One model in one role: all of it, and step by step."""

    model_id: int
    role: str
    whole: CallSums
    steps: Mapping[int, CallSums]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTraffic:
    """The answers: all of them, and step by step. A step without any is left out."""

    whole: AnswerSums
    steps: Mapping[int, AnswerSums]


_CALL_COLUMNS = (
    "calls", "reused", "replayed", "outcomes", "prompt_tokens", "completion_tokens", "cost_nanousd", "cost_unknown",
    "spent_nanousd", "spent_unknown", "latency", "first_token",
)  # fmt: skip
_ANSWER_COLUMNS = (
    "answers", "answered", "abstained", "failed", "scored", "correct", "escalated", "stopped_early", "settled",
    "arbitrated", "overturned", "degraded", "reasons", "consensus", "confidence", "cost_nanousd", "cost_unknown",
    "latency",
)  # fmt: skip


# The place of a step, and the columns of a row that belongs to it.
_Placed: TypeAlias = tuple[int, Sequence[Any]]
Sums = TypeVar("Sums", CallSums, AnswerSums)


def model_traffic(chosen: TrafficFilter, steps: Steps) -> tuple[ModelTraffic, ...]:
    """By model and role, the one with the most calls first. One query."""
    rows = _within(CallRollup.objects.filter(chosen.of_calls()), steps)
    found: dict[tuple[int, str], list[_Placed]] = defaultdict(list)
    for model_id, role, starts_at, *values in rows.values_list("model_id", "role", "starts_at", *_CALL_COLUMNS):
        found[model_id, role].append((steps.place_of(starts_at), values))
    models = [_model_traffic(key, placed) for key, placed in found.items()]
    return tuple(sorted(models, key=lambda each: (-each.whole.calls, each.model_id, each.role)))


def _model_traffic(key: tuple[int, str], placed: Sequence[_Placed]) -> ModelTraffic:
    whole, steps = _sums(CallSums, _CALL_COLUMNS, placed)
    return ModelTraffic(model_id=key[0], role=key[1], whole=whole, steps=steps)


def answer_traffic(chosen: TrafficFilter, steps: Steps) -> AnswerTraffic:
    """One query."""
    rows = _within(AnswerRollup.objects.filter(chosen.of_answers()), steps)
    found = rows.values_list("starts_at", *_ANSWER_COLUMNS)
    placed = [(steps.place_of(starts_at), values) for starts_at, *values in found]
    whole, parts = _sums(AnswerSums, _ANSWER_COLUMNS, placed)
    return AnswerTraffic(whole=whole, steps=parts)


def _within(rows: QuerySet[Any], steps: Steps) -> QuerySet[Any]:
    return rows.filter(grain=steps.grain, starts_at__gte=steps.since, starts_at__lt=steps.until)


def _sums(kind: type[Sums], names: Sequence[str], placed: Sequence[_Placed]) -> tuple[Sums, dict[int, Sums]]:
    """All rows added up, and those of each step. A page has thousands of rows, so whole columns are added at once."""
    steps: dict[int, list[Sequence[Any]]] = defaultdict(list)
    for place, values in placed:
        steps[place].append(values)
    parts = {place: _summed(kind, names, rows) for place, rows in steps.items()}
    return _summed(kind, names, [values for _, values in placed]), parts


def _summed(kind: type[Sums], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sums:
    return kind(**{name: _total(column) for name, column in zip(names, zip(*rows, strict=True), strict=False)})


def _total(column: Sequence[Any]) -> Any:
    """Numbers add up, counts by kind and by bin add up one by one, packed histograms are kept to be joined."""
    first = column[0]
    if isinstance(first, int):
        return sum(column)
    if isinstance(first, dict):
        counts: Counter[str] = Counter()
        for each in column:
            counts.update(each)
        return counts
    if isinstance(first, list):
        return [sum(each) for each in zip(*column, strict=True)]
    return [bytes(each) for each in column]
