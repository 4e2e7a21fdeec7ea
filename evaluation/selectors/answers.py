"""The trace of one answer: what was asked, what every member said, how it became one, what it took and cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from django.db.models import QuerySet

from evaluation.models import Answer, Arm, Call
from evaluation.selectors.items import ItemFilter, filtered_answers
from evaluation.selectors.runs import ArmHead, arm_heads, arms_of, failure_words
from fusion_site.lib.paging import Order
from panels.fusion.types import Message
from panels.models import Member, PanelVersion, Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request to a model. ``start`` and ``width`` place it on the timeline, in percent; None: not measured."""

    call: Call
    failure: str
    start: float | None
    width: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What one member said: its last attempt speaks, the earlier ones are listed.

    ``source`` says where the reply came from: ``live``, ``reused`` or ``recorded``.
    """

    seat: int
    stage: int
    model: str
    provider: str
    simulated: bool
    weight: float
    ballot: str | None
    text: str
    failure: str
    is_winner: bool
    source: str
    last: Attempt
    earlier: tuple[Attempt, ...]

    @property
    def call(self) -> Call:
        return self.last.call


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceGroup:
    """Members whose ballots say the same. ``share`` of all the weight that was asked stands behind it."""

    label: str
    voices: tuple[Voice, ...]
    weight: float
    share: float
    wins: bool

    @property
    def votes(self) -> tuple[tuple[float, ...], ...]:
        return (tuple(voice.weight for voice in self.voices),)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStep:
    """One stage on the timeline, and in words why the schedule went on or ended after it."""

    number: int
    voices: tuple[Voice, ...]
    ends_after_s: float | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherAnswer:
    """The same example under another arm."""

    head: ArmHead
    answer: Answer | None
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    answer_id: int
    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Everything the page shows. ``cost_nanousd`` is the sum of the cost lines, None if one of them is unknown."""

    answer: Answer
    messages: tuple[Message, ...]
    groups: tuple[VoiceGroup, ...]
    silent: tuple[Voice, ...]
    stages: tuple[StageStep, ...]
    others: tuple[OtherAnswer, ...]
    head: ArmHead
    text: str
    cost_nanousd: int | None
    spent_nanousd: int | None
    span_s: float | None
    simulated: bool
    settings: tuple[Member, ...]
    previous: Neighbour | None
    next: Neighbour | None

    @property
    def voices(self) -> tuple[Voice, ...]:
        return tuple(voice for stage in self.stages for voice in stage.voices)

    @property
    def votes(self) -> tuple[tuple[float, ...], ...]:
        spoken = tuple(group.votes[0] for group in self.groups)
        return (*spoken, tuple(voice.weight for voice in self.silent)) if self.silent else spoken


def answers_with_lineage() -> QuerySet[Answer]:
    return Answer.objects.select_related(
        "run__experiment__workflow",
        "run__experiment__dataset_version__dataset",
        "arm__panel_version__panel",
        "example",
    )


def trace_of(answer: Answer, *, wanted: ItemFilter) -> Trace:
    """Seven queries. ``answer`` comes from ``answers_with_lineage``; ``wanted`` is the table it was opened from."""
    arms = arms_of(answer.run)
    heads = arm_heads(arms)
    settings = tuple(
        Member.objects.filter(version=answer.arm.panel_version_id).select_related("model").order_by("seat")
    )
    voices = _voices(answer)
    groups = tuple(_groups(voices, answer))
    before, after = _neighbours(answer, wanted)
    return Trace(
        answer=answer,
        messages=answer.example.messages,
        groups=groups,
        silent=tuple(voice for voice in voices if voice.call.group is None),
        stages=tuple(_stages(voices, answer)),
        others=tuple(_others(answer, arms, heads)),
        head=heads[answer.arm_id],
        text=next((voice.text for voice in voices if voice.is_winner), ""),
        cost_nanousd=_sum_known([voice.call.cost_nanousd for voice in voices]),
        spent_nanousd=_sum_known([each.call.spent_nanousd for voice in voices for each in _attempts(voice)]),
        span_s=_span_s([voice.call for voice in voices]),
        simulated=any(voice.simulated for voice in voices),
        settings=settings,
        previous=before,
        next=after,
    )


def _attempts(voice: Voice) -> tuple[Attempt, ...]:
    return (*voice.earlier, voice.last)


def _sum_known(amounts: Sequence[int | None]) -> int | None:
    return None if None in amounts else sum(amount for amount in amounts if amount is not None)


def _voices(answer: Answer) -> tuple[Voice, ...]:
    calls = list(
        Call.objects.filter(answer=answer)
        .select_related("model__provider", "reused_from__answer__run", "recorded_output")
        .order_by("seat", "attempt")
    )
    span_s = _span_s(calls)
    by_seat = [list(own) for _, own in groupby(calls, attrgetter("seat"))]
    return tuple(_voice([_attempt(call, span_s) for call in own], answer) for own in by_seat)


def _span_s(calls: Sequence[Call]) -> float | None:
    """When the last measured call ended, in seconds after the first began."""
    ends = [(call.offset_s or 0.0) + call.latency_s for call in calls if call.latency_s is not None]
    return max(ends, default=None)


def _attempt(call: Call, span_s: float | None) -> Attempt:
    placed = bool(span_s) and call.latency_s is not None and call.offset_s is not None
    return Attempt(
        call=call,
        failure="" if call.is_ok else failure_words(call.outcome),
        start=call.offset_s / span_s * 100 if placed and span_s and call.offset_s is not None else None,
        width=max(0.5, call.latency_s / span_s * 100) if placed and span_s and call.latency_s is not None else None,
    )


def _voice(attempts: Sequence[Attempt], answer: Answer) -> Voice:
    call = attempts[-1].call
    return Voice(
        seat=call.seat,
        stage=call.stage,
        model=call.model.name,
        provider=call.model.provider.name,
        simulated=call.model.provider.kind == Provider.Kind.SIMULATED,
        weight=call.weight,
        ballot=call.ballot,
        text=_text(call),
        failure=attempts[-1].failure,
        is_winner=call.seat == answer.winner_seat,
        source="recorded" if call.recorded_output_id else "reused" if call.reused_from_id else "live",
        last=attempts[-1],
        earlier=tuple(attempts[:-1]),
    )


def _text(call: Call) -> str:
    """A reply's text stands once: with the call that bought it, or with the imported output."""
    if call.recorded_output is not None:
        return call.recorded_output.text
    return call.reused_from.text if call.reused_from is not None else call.text


def _groups(voices: Sequence[Voice], answer: Answer) -> Iterator[VoiceGroup]:
    """In order of support."""
    support = _support(voices, answer)
    total = sum(support.values())
    for rank in sorted({voice.call.group for voice in voices if voice.call.group is not None}):
        own = tuple(voice for voice in voices if voice.call.group == rank)
        weight = sum(support[voice.seat] for voice in own)
        yield VoiceGroup(
            label=next((voice.ballot for voice in own if voice.is_winner), own[0].ballot) or "",
            voices=own,
            weight=weight,
            share=weight / total if total else 0.0,
            wins=any(voice.is_winner for voice in own),
        )


def _support(voices: Sequence[Voice], answer: Answer) -> dict[int, float]:
    """What each seat adds to its group: its weight, or one ballot under majority and where all weights are 0."""
    weighted = answer.arm.panel_version.strategy == PanelVersion.Strategy.WEIGHTED
    if weighted and any(voice.weight for voice in voices):
        return {voice.seat: voice.weight for voice in voices}
    return {voice.seat: 1.0 for voice in voices}


def _stages(voices: Sequence[Voice], answer: Answer) -> Iterator[StageStep]:
    for number, own in groupby(voices, attrgetter("stage")):
        seen = [voice for voice in voices if voice.stage <= number]
        members = tuple(own)
        yield StageStep(
            number=number + 1,
            voices=members,
            ends_after_s=_span_s([voice.call for voice in seen]),
            words=_stage_words(seen, answer, number + 1),
        )


def _stage_words(seen: Sequence[Voice], answer: Answer, number: int) -> str:
    if answer.settled and number == answer.stages_called:
        return f"Stage {number} settles what was disputed."
    sizes = Counter(voice.call.group for voice in seen if voice.call.group is not None)
    agree = f"{max(sizes.values(), default=0)} of {len(seen)} members agree"
    stop_at = answer.arm.panel_version.stop_at
    rule = "" if stop_at is None else f", stops at {stop_at:g}"
    return f"Stage {number}: {agree}{rule}. {'The next stage is called' if number < answer.stages_called else 'End'}."


def _others(answer: Answer, arms: Sequence[Arm], heads: Mapping[int, ArmHead]) -> Iterator[OtherAnswer]:
    found = {
        other.arm_id: other
        for other in Answer.objects.filter(
            run=answer.run_id, example=answer.example_id, arm__in=[arm.pk for arm in arms]
        )
    }
    for arm in arms:
        yield OtherAnswer(head=heads[arm.pk], answer=found.get(arm.pk), is_current=arm.pk == answer.arm_id)


def _neighbours(answer: Answer, wanted: ItemFilter) -> tuple[Neighbour | None, Neighbour | None]:
    """The rows before and after in the table the trace was opened from."""
    rows = filtered_answers(answer.run, arm=answer.arm, wanted=wanted).select_related("example")
    rows = rows.only("position", "consensus", "cost_nanousd", "latency_s", "example__item_id")
    key = wanted.order.key_of(answer)
    return _beside(rows, wanted.order, key, backwards=True), _beside(rows, wanted.order, key, backwards=False)


def _beside(rows: QuerySet[Answer], order: Order, key: str, *, backwards: bool) -> Neighbour | None:
    at = order.position_of(key)
    if at is None:
        return None
    found = order.sorted(rows.filter(order.beyond(at, backwards=backwards)), backwards=backwards)[:1]
    return next((Neighbour(answer_id=row.pk, item_id=row.example.item_id) for row in found), None)
