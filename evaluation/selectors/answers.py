"""The trace of one answer: what was asked, what every member said, how it became one, what it took and cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from django.db.models import QuerySet

from evaluation.models import Answer, Arm, Call, Experiment
from evaluation.selectors.arbitrations import ArbiterPart, arbiter_part
from evaluation.selectors.attempts import Attempt, age_of, attempts_of, source_of, span_of, text_of
from evaluation.selectors.degradations import degradation_words
from evaluation.selectors.fields import FieldTable, Heard, field_table
from evaluation.selectors.items import ItemFilter, filtered_answers
from evaluation.selectors.masked_prompts import MaskedPrompt, masked_prompt
from evaluation.selectors.runs import ArmHead, arm_heads, arms_of
from fusion_site.lib.paging import Order
from panels.fusion.modes import mode_of, stop_at_of
from panels.fusion.types import AnswerKind, Question, StrategyName
from panels.models import Member, PanelVersion, Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What one member said: its last attempt speaks, the earlier ones are listed.

    ``source`` says where the reply came from: ``live``, ``reused`` or ``recorded``; ``age`` how old it was, in words.
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
    age: str
    last: Attempt
    earlier: tuple[Attempt, ...]

    @property
    def call(self) -> Call:
        return self.last.call

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return (*self.earlier, self.last)


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
class _Beside:
    """What stands beside an answer of a run."""

    head: ArmHead | None = None
    others: tuple[OtherAnswer, ...] = ()
    previous: Neighbour | None = None
    next: Neighbour | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Everything the page shows. ``cost_nanousd`` is the sum of the cost lines, None if one of them is unknown.

    ``fields`` is there for answers in JSON alone. ``stop_at`` is the stop rule that was in force. A live answer has no
    ``head``: it stands beside no other. ``masked`` is there for answers of runs that mask.
    """

    answer: Answer
    question: Question
    stop_at: float | None
    groups: tuple[VoiceGroup, ...]
    silent: tuple[Voice, ...]
    stages: tuple[StageStep, ...]
    head: ArmHead | None
    others: tuple[OtherAnswer, ...]
    text: str
    cost_nanousd: int | None
    spent_nanousd: int | None
    span_s: float | None
    simulated: bool
    settings: tuple[Member, ...]
    degraded: tuple[str, ...]
    arbiter: ArbiterPart | None
    fields: FieldTable | None
    masked: MaskedPrompt | None
    previous: Neighbour | None
    next: Neighbour | None

    @property
    def voices(self) -> tuple[Voice, ...]:
        return tuple(voice for stage in self.stages for voice in stage.voices)

    @property
    def replays(self) -> bool:
        run = self.answer.run
        return run is not None and run.experiment.replies == Experiment.Replies.RECORDED

    @property
    def strays(self) -> bool:
        """Whether a reply came from where its provider's contract does not let it be made."""
        asked = () if self.arbiter is None else self.arbiter.questions
        attempts = [attempt for voice in self.voices for attempt in voice.attempts]
        attempts += [attempt for question in asked for attempt in question.attempts]
        calls = (attempt.call for attempt in attempts)
        return any((call.reused_from or call).region_allowed is False for call in calls)

    @property
    def votes(self) -> tuple[tuple[float, ...], ...]:
        spoken = tuple(group.votes[0] for group in self.groups)
        return (*spoken, tuple(voice.weight for voice in self.silent)) if self.silent else spoken


def answers_with_lineage() -> QuerySet[Answer]:
    return Answer.objects.select_related(
        "run__experiment__workflow",
        "run__experiment__dataset_version__dataset__workflow",
        "arm__panel_version__panel",
        "arm__panel_version__arbiter_model",
        "example",
        "live_request__panel_version__panel",
        "live_request__panel_version__arbiter_model",
        "live_request__asked_by",
        "live_request__workflow",
    )


def trace_of(answer: Answer, *, wanted: ItemFilter) -> Trace:
    """Seven queries, two for a live answer. ``answer`` comes from ``answers_with_lineage``; ``wanted`` is the table it
    was opened from.
    """
    settings = tuple(Member.objects.filter(version=answer.panel_version.pk).select_related("model").order_by("seat"))
    calls = _calls(answer)
    span_s = span_of(calls)
    voices = _voices(calls, answer, span_s)
    part = _arbiter_part(answer, calls, voices, span_s)
    question, beside = question_of(answer), _beside_others(answer, wanted)
    masked = masked_prompt(answer, question, calls=calls, members=settings)
    return Trace(
        answer=answer,
        question=question,
        stop_at=_stop_at(answer),
        groups=tuple(_groups(voices, answer)),
        silent=tuple(voice for voice in voices if voice.call.group is None),
        stages=tuple(_stages(voices, answer, part)),
        head=beside.head,
        others=beside.others,
        text=answer.text or next((voice.text for voice in voices if voice.is_winner), ""),
        cost_nanousd=_sum_known([line.cost_nanousd for line in _cost_lines(voices, part)]),
        spent_nanousd=_sum_known([call.spent_nanousd for call in calls]),
        span_s=span_s,
        simulated=any(voice.simulated for voice in voices) or (part is not None and part.simulated),
        settings=settings,
        degraded=tuple(degradation_words(cut, _names(voices)) for cut in answer.degraded),
        arbiter=part,
        fields=field_table(
            answer,
            [Heard(voice.call, voice.text) for voice in voices],
            question=question,
            accepted=_accepted(answer) if masked is None else masked.accepted,
        ),
        masked=masked,
        previous=beside.previous,
        next=beside.next,
    )


def question_of(answer: Answer) -> Question:
    """What was asked: an example's, or of a live answer what its members saw."""
    if answer.run is None:
        return answer.live_request.question
    run, _, example = answer.place
    return Question(
        item_id=example.item_id,
        messages=example.messages,
        kind=answer.answer_kind,
        choices=tuple(example.choices),
        tolerance=run.experiment.dataset_version.tolerance,
        evidence=example.context,
        schema=example.schema,
    )


def _accepted(answer: Answer) -> tuple[str | None, ...]:
    return () if answer.example is None else (answer.example.reference, *answer.example.references)


def _beside_others(answer: Answer, wanted: ItemFilter) -> _Beside:
    if answer.run is None:
        return _Beside()
    run, arm, _ = answer.place
    arms = arms_of(run)
    heads = arm_heads(arms)
    before, after = _neighbours(answer, wanted)
    others = tuple(_others(answer, arms, heads))
    return _Beside(head=heads[arm.pk], others=others, previous=before, next=after)


def _arbiter_part(
    answer: Answer, calls: Sequence[Call], voices: Sequence[Voice], span_s: float | None
) -> ArbiterPart | None:
    asked = [call for call in calls if call.role == Call.Role.ARBITER]
    ballots = [voice.call for voice in voices]
    return arbiter_part(answer, asked, members=_names(voices), ballots=ballots, span_s=span_s)


def _cost_lines(voices: Sequence[Voice], part: ArbiterPart | None) -> list[Call]:
    """The calls whose list price the answer costs: of several attempts the last."""
    arbitrated = () if part is None else part.questions
    return [voice.call for voice in voices] + [question.call for question in arbitrated]


def _sum_known(amounts: Sequence[int | None]) -> int | None:
    return None if None in amounts else sum(amount for amount in amounts if amount is not None)


def _calls(answer: Answer) -> list[Call]:
    related = ("model__provider", "reused_from__answer__run", "recorded_output")
    return list(Call.objects.filter(answer=answer).select_related(*related).order_by("seat", "attempt"))


def _voices(calls: Sequence[Call], answer: Answer, span_s: float | None) -> tuple[Voice, ...]:
    members = (call for call in calls if call.role == Call.Role.MEMBER)
    by_seat = [list(own) for _, own in groupby(members, attrgetter("seat"))]
    return tuple(_voice(attempts_of(own, span_s), answer) for own in by_seat)


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
        text=text_of(call),
        failure=attempts[-1].failure,
        is_winner=call.seat == answer.winner_seat,
        source=source_of(call),
        age=age_of(call),
        last=attempts[-1],
        earlier=tuple(attempts[:-1]),
    )


def _names(voices: Sequence[Voice]) -> dict[int, str]:
    """The members by seat; equal models are told apart by their seats."""
    seats = Counter(voice.model for voice in voices)
    return {
        voice.seat: voice.model if seats[voice.model] == 1 else f"{voice.model}, seat {voice.seat + 1}"
        for voice in voices
    }


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
    weighted = (answer.strategy or answer.panel_version.strategy) == PanelVersion.Strategy.WEIGHTED
    if weighted and any(voice.weight for voice in voices):
        return {voice.seat: voice.weight for voice in voices}
    return {voice.seat: 1.0 for voice in voices}


def _stages(voices: Sequence[Voice], answer: Answer, part: ArbiterPart | None) -> Iterator[StageStep]:
    for number, own in groupby(voices, attrgetter("stage")):
        seen = [voice for voice in voices if voice.stage <= number]
        members = tuple(own)
        yield StageStep(
            number=number + 1,
            voices=members,
            ends_after_s=span_of(voice.call for voice in seen),
            words=_stage_words(seen, answer, number + 1, then=_what_follows(answer, number + 1, part)),
        )


def _stop_at(answer: Answer) -> float | None:
    """The version's, unless a live request brought a mode of its own."""
    mode = answer.live_request.mode if answer.run is None else ""
    return stop_at_of(mode_of(mode)) if mode else answer.panel_version.stop_at


def _what_follows(answer: Answer, number: int, part: ArbiterPart | None) -> str:
    if number < answer.stages_called:
        return "The next stage is called"
    if part is not None:
        return "The arbiter is asked"
    return "The arbiter is not needed" if _could_have_asked(answer) else "End"


def _could_have_asked(answer: Answer) -> bool:
    """Whether the panel has an arbiter that only the members' agreement left unasked."""
    kept_from_it = any(cut["kind"] in {"arbiter_recused", "without_arbiter"} for cut in answer.degraded)
    has_ballots = answer.value is not None and answer.strategy in {StrategyName.VERIFICATION, StrategyName.SYNTHESIS}
    return has_ballots and not kept_from_it and not answer.settled


def _stage_words(seen: Sequence[Voice], answer: Answer, number: int, *, then: str) -> str:
    if answer.settled and number == answer.stages_called:
        return f"Stage {number} settles what was disputed."
    sizes = Counter(voice.call.group for voice in seen if voice.call.group is not None)
    in_json = answer.answer_kind is AnswerKind.JSON
    said = "agree in every field" if in_json else "agree"
    agree = f"{max(sizes.values(), default=0)} of {len(seen)} members {said}"
    stop_at = _stop_at(answer)
    rule = "" if stop_at is None else f", stops at {stop_at:g}"
    return f"Stage {number}: {agree}{rule}. {then}."


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
    rows = filtered_answers(answer.place.run, arm=answer.place.arm, wanted=wanted).select_related("example")
    rows = rows.only("position", "consensus", "cost_nanousd", "latency_s", "example__item_id")
    key = wanted.order.key_of(answer)
    return _beside(rows, wanted.order, key, backwards=True), _beside(rows, wanted.order, key, backwards=False)


def _beside(rows: QuerySet[Answer], order: Order, key: str, *, backwards: bool) -> Neighbour | None:
    at = order.position_of(key)
    if at is None:
        return None
    found = order.sorted(rows.filter(order.beyond(at, backwards=backwards)), backwards=backwards)[:1]
    return next((Neighbour(answer_id=row.pk, item_id=row.example.item_id) for row in found if row.example), None)
