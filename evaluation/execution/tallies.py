"""A run's answers and calls, read once in chunks of examples and kept as a few compact columns.

At 10,000 examples × 4 arms the columns take a few megabytes; prompts are never read, and texts only where the scorer
needs the whole of them.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from evaluation.execution.arbiter_tallies import ArbiterTally, arbiter_of, tally_arbiters
from evaluation.execution.member_scores import HeardCall, MemberScorer
from evaluation.models import Answer, Arm, Call, DatasetVersion, Example, Run
from panels.fusion.types import AnswerKind
from panels.models import Member

_CHUNK_EXAMPLES = 1_000
_ARBITER = "panel_version__arbiter_model__provider"
_WRONG, _RIGHT, _UNSCORED = 0, 1, 2

# What tells two voters apart: the model, its sampling settings, and which of several equal seats it is.
VoterKey = tuple[int, int, float | None, float | None, int | None, int]


class Marks:
    """Right, wrong or unscored, one byte an example; an example without an answer is unscored."""

    __slots__ = ("_bytes",)

    def __init__(self, examples: int) -> None:
        self._bytes = bytearray([_UNSCORED]) * examples

    def __getitem__(self, index: int) -> bool | None:
        mark = self._bytes[index]
        return None if mark == _UNSCORED else mark == _RIGHT

    def __setitem__(self, index: int, correct: bool | None) -> None:
        self._bytes[index] = _UNSCORED if correct is None else int(correct)

    def __iter__(self) -> Iterator[bool | None]:
        return (self[index] for index in range(len(self._bytes)))

    def __len__(self) -> int:
        return len(self._bytes)

    @property
    def correct(self) -> int:
        return self._bytes.count(_RIGHT)

    @property
    def scored(self) -> int:
        return len(self._bytes) - self._bytes.count(_UNSCORED)


@dataclass(slots=True, kw_only=True)
class Voter:
    """One source of ballots, wherever in the run it was called; the first ballot per example counts."""

    name: str
    model_id: int
    marks: Marks


@dataclass(slots=True, kw_only=True)
class SeatTally:
    """One member's calls in one arm. Money in nano-dollars; ``latencies`` in seconds, of replies that were timed.

    ``placeholders_lost`` of the ``placeholders`` in its replies stand for nothing; None where it was shown none.
    """

    member: Member
    voter: Voter
    called: int = 0
    scored: int = 0
    correct: int = 0
    abstained: int = 0
    failed: int = 0
    cost_nanousd: int = 0
    cost_unknown: int = 0
    placeholders: int | None = None
    placeholders_lost: int | None = None
    latencies: array[float] = field(default_factory=lambda: array("d"))


@dataclass(slots=True, kw_only=True)
class ArmTally:
    """One arm's answers as columns over the examples, not-a-number where there is none, and its counts.

    ``answered`` is 1 where there is a fused ballot.
    """

    arm: Arm
    seats: dict[int, SeatTally]
    marks: Marks
    costs: array[float]
    latencies: array[float]
    consensus: array[float]
    answered: bytearray
    arbiter: ArbiterTally | None = None
    items: int = 0
    abstained: int = 0
    failed: int = 0
    calls: int = 0
    escalated: int = 0
    cost_nanousd: int = 0
    cost_unknown: int = 0
    spent_nanousd: int = 0
    spent_unknown: int = 0


@dataclass(slots=True, kw_only=True)
class RunTally:
    """Everything a result is computed from, arms by position. ``positions`` names the example of every column index."""

    run: Run
    items: int
    positions: array[int]
    arms: list[ArmTally]
    voters: dict[VoterKey, Voter]


class _AnswerRow(NamedTuple):
    pk: int
    arm_id: int
    example_id: int
    outcome: str
    correct: bool | None
    consensus: float
    stages_called: int
    call_count: int
    cost_nanousd: int | None
    latency_s: float | None
    masking: dict[str, Any] | None


def tally_run(run: Run) -> RunTally:
    """Four queries per thousand examples at most, and three for the run; needs ``run.experiment.dataset_version``."""
    version = run.experiment.dataset_version
    tally = _empty_tally(run, version)
    scorer = MemberScorer(version)
    masks = run.answers.filter(masking__isnull=False).exists()
    offset = 0
    for examples in _example_chunks(version, with_prompts=masks):
        scorer.take(examples, masks=masks)
        _tally_chunk(tally, examples, offset, scorer)
        offset += len(examples)
    return tally


def _empty_tally(run: Run, version: DatasetVersion) -> RunTally:
    items = version.examples.count()
    tally = RunTally(run=run, items=items, positions=array("q"), arms=[], voters={})
    arms = list(run.experiment.arms.select_related(_ARBITER).order_by("position"))
    versions = [arm.panel_version_id for arm in arms]
    members = Member.objects.filter(version__in=versions).select_related("model__provider").order_by("version", "seat")
    seats: dict[int, list[Member]] = {}
    for member in members:
        seats.setdefault(member.version_id, []).append(member)
    for arm in arms:
        tally.arms.append(_empty_arm(arm, seats.get(arm.panel_version_id, []), tally))
    return tally


def _empty_arm(arm: Arm, members: list[Member], tally: RunTally) -> ArmTally:
    seats: dict[int, SeatTally] = {}
    for member in members:
        twin = sum(_settings(other.member) == _settings(member) for other in seats.values())
        seats[member.seat] = SeatTally(member=member, voter=_voter_of(member, twin, tally))
    columns = [array("d", [math.nan]) * tally.items for _ in range(3)]
    return ArmTally(
        arm=arm,
        seats=seats,
        marks=Marks(tally.items),
        costs=columns[0],
        latencies=columns[1],
        consensus=columns[2],
        answered=bytearray(tally.items),
        arbiter=arbiter_of(arm),
    )


def _settings(member: Member) -> tuple[int, int, float | None, float | None, int | None]:
    return member.model_id, member.max_tokens, member.temperature, member.top_p, member.seed


def _voter_of(member: Member, twin: int, tally: RunTally) -> Voter:
    key = (*_settings(member), twin)
    if key not in tally.voters:
        tally.voters[key] = Voter(
            name=_voter_name(member, tally.voters.values()), model_id=member.model_id, marks=Marks(tally.items)
        )
    return tally.voters[key]


def _voter_name(member: Member, others: Collection[Voter]) -> str:
    """The model's name; the same model again gets a number, a namesake of another provider its provider's name."""
    own = member.model.name
    twins = sum(voter.model_id == member.model_id for voter in others)
    if not twins and any(voter.name == own for voter in others):
        own = f"{own}, {member.model.provider.name}"
    return f"{own} ({twins + 1})" if twins else own


def _example_chunks(version: DatasetVersion, *, with_prompts: bool) -> Iterator[list[Example]]:
    """``with_prompts`` reads all that the placeholders of an example depend on."""
    wanted = ["version", "item_id", "position", "reference", "references", "choices", "schema"]
    wanted += ["prompt", "meta"] if with_prompts else []
    examples = Example.objects.filter(version=version).order_by("position").only(*wanted)
    last = -1
    while chunk := list(examples.filter(position__gt=last)[:_CHUNK_EXAMPLES]):
        last = chunk[-1].position
        yield chunk


def _tally_chunk(tally: RunTally, examples: list[Example], offset: int, scorer: MemberScorer) -> None:
    tally.positions.extend(example.position for example in examples)
    index_of = {example.pk: offset + place for place, example in enumerate(examples)}
    arms = {arm.arm.pk: arm for arm in tally.arms}
    span = (examples[0].position, examples[-1].position)
    answers = _answers_of(tally.run, list(arms), span)
    for answer in answers:
        _count_answer(arms[answer.arm_id], answer, index_of[answer.example_id])
    place_of = {answer.pk: _Place(arms[answer.arm_id], answer.example_id, _fields(answer)) for answer in answers}
    tally_arbiters(tally.run, {pk: arm.arbiter for pk, arm in arms.items() if arm.arbiter is not None}, span)
    _tally_calls(tally.run, list(arms), span, place_of=place_of, index_of=index_of, scorer=scorer)


class _Place(NamedTuple):
    """Where a call belongs. ``fields`` are those that were masked, None where nothing was."""

    arm: ArmTally
    example_id: int
    fields: tuple[str, ...] | None


def _fields(answer: _AnswerRow) -> tuple[str, ...] | None:
    return None if answer.masking is None else tuple(answer.masking["fields"])


def _answers_of(run: Run, arms: list[int], span: tuple[int, int]) -> list[_AnswerRow]:
    answers = Answer.objects.filter(run=run, arm__in=arms, position__range=span)
    return [_AnswerRow(*row) for row in answers.values_list(*_AnswerRow._fields)]


def _count_answer(arm: ArmTally, answer: _AnswerRow, index: int) -> None:
    arm.items += 1
    arm.abstained += answer.outcome != Answer.Outcome.ANSWERED
    arm.failed += answer.outcome == Answer.Outcome.FAILED
    arm.calls += answer.call_count
    arm.escalated += answer.stages_called > 1
    arm.marks[index] = answer.correct
    arm.consensus[index] = answer.consensus
    arm.answered[index] = answer.outcome == Answer.Outcome.ANSWERED
    if answer.latency_s is not None:
        arm.latencies[index] = answer.latency_s
    if answer.cost_nanousd is None:
        arm.cost_unknown += 1
    else:
        arm.costs[index] = answer.cost_nanousd
        arm.cost_nanousd += answer.cost_nanousd


_CALL_FIELDS = (
    *("answer_id", "seat", "attempt", "outcome", "cost_nanousd", "spent_nanousd", "latency_s", "ballot"),
    *("recorded_output__correct", "placeholders", "placeholders_lost", "recorded_output_id"),
)
# Free text may be cut in the ballot; the whole of it stands where the reply was first stored.
_TEXT_FIELDS = ("text", "reused_from__text", "recorded_output__text")


def _tally_calls(
    run: Run,
    arms: list[int],
    span: tuple[int, int],
    *,
    place_of: dict[int, _Place],
    index_of: dict[int, int],
    scorer: MemberScorer,
) -> None:
    """Money counts for every attempt; the ballot, the latency and the outcome are those of a seat's last attempt."""
    last: dict[tuple[int, int], HeardCall] = {}
    for call in _calls_of(run, arms, span, whole_text=scorer.kind is AnswerKind.TEXT):
        if call.answer_id not in place_of:  # written since the answers were read
            continue
        arm = place_of[call.answer_id].arm
        _count_money(arm, arm.seats[call.seat], call)
        key = (call.answer_id, call.seat)
        if key not in last or last[key].attempt < call.attempt:
            last[key] = call
    for call in last.values():
        arm, example_id, fields = place_of[call.answer_id]
        correct = scorer.score(call, example_id=example_id, fields=fields)
        _count_call(arm.seats[call.seat], call, correct, index_of[example_id])


def _calls_of(run: Run, arms: list[int], span: tuple[int, int], *, whole_text: bool) -> Iterator[HeardCall]:
    fields = _CALL_FIELDS + (_TEXT_FIELDS if whole_text else ())
    calls = Call.objects.filter(
        answer__run=run, answer__arm__in=arms, answer__position__range=span, role=Call.Role.MEMBER
    )
    for row in calls.values_list(*fields).iterator(chunk_size=2_000):
        yield HeardCall._make((*row[: len(_CALL_FIELDS)], _first_text(row[len(_CALL_FIELDS) :])))


def _first_text(texts: Iterable[str | None]) -> str:
    return next((text for text in texts if text), "")


def _count_money(arm: ArmTally, seat: SeatTally, call: HeardCall) -> None:
    """A failed attempt without a known list cost brought no reply, so it has none."""
    if call.cost_nanousd is not None:
        seat.cost_nanousd += call.cost_nanousd
    elif call.outcome == Call.OK:
        seat.cost_unknown += 1
    if call.spent_nanousd is None:
        arm.spent_unknown += 1
    else:
        arm.spent_nanousd += call.spent_nanousd


def _count_call(seat: SeatTally, call: HeardCall, correct: bool | None, index: int) -> None:
    seat.called += 1
    seat.failed += call.outcome != Call.OK
    seat.abstained += call.outcome == Call.OK and call.ballot is None
    if call.outcome == Call.OK and call.latency_s is not None:
        seat.latencies.append(call.latency_s)
    if call.placeholders_lost is not None:
        seat.placeholders = (seat.placeholders or 0) + (call.placeholders or 0)
        seat.placeholders_lost = (seat.placeholders_lost or 0) + call.placeholders_lost
    if correct is not None:
        seat.scored += 1
        seat.correct += correct
        if seat.voter.marks[index] is None:
            seat.voter.marks[index] = correct
