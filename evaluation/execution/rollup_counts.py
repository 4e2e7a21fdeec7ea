"""What a rollup row says of the calls or answers of an hour, counted from the rows themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Coalesce

from evaluation.models import Answer, AnswerRollup, Call
from evaluation.stats.log_histogram import bucket_of, pack
from panels.models import Member

_CHUNK = 5_000


class CallKey(NamedTuple):
    """Which calls a row is of: its key without the hour."""

    workflow_id: int | None
    panel_version_id: int
    arm_id: int | None
    model_id: int
    role: str


class AnswerKey(NamedTuple):
    """Which answers a row is of: its key without the hour."""

    workflow_id: int | None
    panel_version_id: int
    arm_id: int | None


class _CallRow(NamedTuple):
    of_workflow: int | None
    of_version: int
    answer__arm_id: int | None
    model_id: int
    role: str
    outcome: str
    reused_from_id: int | None
    recorded_output_id: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_nanousd: int | None
    spent_nanousd: int | None
    latency_s: float | None
    first_token_s: float | None


class _AnswerRow(NamedTuple):
    of_workflow: int | None
    of_version: int
    arm_id: int | None
    outcome: str
    correct: bool | None
    consensus: float
    confidence: float | None
    stages_called: int
    settled: bool
    was_arbitrated: bool
    winner_leads: bool
    winner_seat: int | None
    cost_nanousd: int | None
    latency_s: float | None
    degraded: list[dict[str, Any]]


@dataclass(slots=True)
class _Counts:
    """Columns of one row while it is counted."""

    numbers: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    latency: Counter[int] = field(default_factory=Counter)
    first_token: Counter[int] = field(default_factory=Counter)
    consensus: Counter[int] = field(default_factory=Counter)
    confidence: Counter[int] = field(default_factory=Counter)

    def add_money(self, column: str, nanousd: int | None) -> None:
        """What is unknown is counted, not added."""
        if nanousd is None:
            self.numbers[f"{column}_unknown"] += 1
        else:
            self.numbers[f"{column}_nanousd"] += nanousd


def count_calls(since: datetime, until: datetime) -> dict[CallKey, dict[str, Any]]:
    """Columns of a `CallRollup` by key, of the calls made from ``since`` to before ``until``. One query."""
    counts: dict[CallKey, _Counts] = {}
    calls = _placed(Call.objects.filter(created_at__gte=since, created_at__lt=until), "answer__")
    for row in calls.values_list(*_CallRow._fields).iterator(chunk_size=_CHUNK):
        call = _CallRow._make(row)
        _count_call(counts.setdefault(CallKey._make(call[:5]), _Counts()), call)
    return {key: _call_columns(found) for key, found in counts.items()}


def count_answers(since: datetime, until: datetime) -> dict[AnswerKey, dict[str, Any]]:
    """Columns of an `AnswerRollup` by key, of the answers given from ``since`` to before ``until``. Two queries."""
    counts: dict[AnswerKey, _Counts] = {}
    answers = _placed(Answer.objects.filter(created_at__gte=since, created_at__lt=until), "")
    calls = Call.objects.filter(answer=OuterRef("pk"))
    leading = calls.filter(role=Call.Role.MEMBER, seat=OuterRef("winner_seat"), group=0)
    answers = answers.annotate(
        was_arbitrated=Exists(calls.filter(role=Call.Role.ARBITER)), winner_leads=Exists(leading)
    )
    found = [_AnswerRow._make(row) for row in answers.values_list(*_AnswerRow._fields).iterator(chunk_size=_CHUNK)]
    stages = _stages_of({answer.of_version for answer in found})
    for answer in found:
        one = counts.setdefault(AnswerKey._make(answer[:3]), _Counts())
        _count_answer(one, answer, stages=stages[answer.of_version])
    return {key: _answer_columns(one) for key, one in counts.items()}


def _placed(rows: QuerySet[Any], answer: str) -> QuerySet[Any]:
    """With workflow and panel version, from the run's experiment or the live request."""
    version = Coalesce(F(f"{answer}arm__panel_version_id"), F(f"{answer}live_request__panel_version_id"))
    workflow = Coalesce(F(f"{answer}run__experiment__workflow_id"), F(f"{answer}live_request__workflow_id"))
    placed: QuerySet[Any] = rows.annotate(of_workflow=workflow, of_version=version)
    return placed


def _stages_of(version_ids: set[int]) -> dict[int, int]:
    members = Member.objects.filter(version__in=version_ids).order_by("stage")
    return {version_id: stage + 1 for version_id, stage in members.values_list("version_id", "stage")}


def _count_call(counts: _Counts, call: _CallRow) -> None:
    asked = call.reused_from_id is None and call.recorded_output_id is None
    counts.kinds[call.outcome] += 1
    counts.numbers.update(
        calls=1,
        reused=call.reused_from_id is not None,
        replayed=call.recorded_output_id is not None,
        prompt_tokens=call.prompt_tokens or 0,
        completion_tokens=call.completion_tokens or 0,
    )
    counts.add_money("cost", call.cost_nanousd)
    counts.add_money("spent", call.spent_nanousd)
    if asked and call.outcome == Call.OK:
        _add_value(counts.latency, call.latency_s)
        _add_value(counts.first_token, call.first_token_s)


def _count_answer(counts: _Counts, answer: _AnswerRow, *, stages: int) -> None:
    counts.numbers.update(
        {
            "answers": 1,
            answer.outcome: 1,
            "scored": answer.correct is not None,
            "correct": answer.correct is True,
            "escalated": answer.stages_called > 1,
            "stopped_early": 0 < answer.stages_called < stages,
            "settled": answer.settled,
            "arbitrated": answer.was_arbitrated,
            "overturned": answer.was_arbitrated and answer.winner_seat is not None and not answer.winner_leads,
            "degraded": bool(answer.degraded),
        }
    )
    counts.kinds.update({cut["kind"] for cut in answer.degraded})
    counts.consensus[_bin(answer.consensus)] += 1
    if answer.confidence is not None:
        counts.confidence[_bin(answer.confidence)] += 1
    counts.add_money("cost", answer.cost_nanousd)
    _add_value(counts.latency, answer.latency_s)


def _add_value(histogram: Counter[int], seconds: float | None) -> None:
    if seconds is not None:
        histogram[bucket_of(seconds)] += 1


def _bin(share: float) -> int:
    return min(AnswerRollup.BINS - 1, int(share * AnswerRollup.BINS))


def _call_columns(counts: _Counts) -> dict[str, Any]:
    return {
        **counts.numbers,
        "outcomes": dict(sorted(counts.kinds.items())),
        "latency": pack(counts.latency),
        "first_token": pack(counts.first_token),
    }


def _answer_columns(counts: _Counts) -> dict[str, Any]:
    return {
        **counts.numbers,
        "reasons": dict(sorted(counts.kinds.items())),
        "consensus": list(_bins(counts.consensus)),
        "confidence": list(_bins(counts.confidence)),
        "latency": pack(counts.latency),
    }


def _bins(counts: Mapping[int, int]) -> Iterator[int]:
    return (counts.get(place, 0) for place in range(AnswerRollup.BINS))


def added_up(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The columns of one row that says what ``rows`` say together."""
    total: dict[str, Any] = {}
    for row in rows:
        for name, value in row.items():
            total[name] = value if name not in total else _sum_of(total[name], value)
    return total


def _sum_of(one: Any, other: Any) -> Any:
    """Numbers add up, packed histograms join, counts by kind and by bin add up one by one."""
    if isinstance(one, dict):
        return dict(Counter(one) + Counter(other))
    if isinstance(one, list):
        return [left + right for left, right in zip(one, other, strict=True)]
    return one + other
