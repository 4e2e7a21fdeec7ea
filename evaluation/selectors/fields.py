"""A JSON answer field by field: what the panel says, how agreed it is, and who says something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evaluation.models import Answer, Call
from evaluation.selectors.runs import failure_words
from panels.fusion.answers import dice
from panels.fusion.fields import FieldValue, equal_field, field_kind, field_value, same_field
from panels.fusion.json_text import JsonObject, only_object, read_object
from panels.fusion.outcomes import Ballot
from panels.fusion.schemas import violation
from panels.fusion.strategies import count_ballots
from panels.fusion.types import AnswerKind, Member, Question, StrategyName

_COLUMNS = 4
_NO_OBJECT = "the answer is not one whole JSON object"


class Heard(NamedTuple):
    """The last attempt of a member, with its model, and the text it brought."""

    call: Call
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCell:
    """What somebody says in one field: ``text`` as a person writes it, None where the field is left out.

    ``is_silent``: there is no ballot at all. ``differs`` from the panel's answer, as members are compared.
    """

    text: str | None
    is_silent: bool = False
    differs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """One field. ``consensus`` is of the vote; None where no member names the field.

    ``reference`` None: there is none. ``right`` is the panel's answer against it.
    """

    name: str
    answer: FieldCell
    consensus: float | None
    reference: FieldCell | None
    right: bool | None
    members: tuple[tuple[str, FieldCell], ...]

    @property
    def differing(self) -> tuple[tuple[str, FieldCell], ...]:
        return tuple((model, cell) for model, cell in self.members if cell.differs)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTable:
    """``members`` are the names of the models, in panel order. ``is_merged``: no member said exactly that.

    ``silent`` are the members without a ballot, each with the reason.
    """

    members: tuple[str, ...]
    rows: tuple[FieldRow, ...]
    silent: tuple[tuple[str, str], ...]
    has_reference: bool
    is_merged: bool

    @property
    def is_wide(self) -> bool:
        """More members than columns would fit beside each other."""
        return len(self.members) > _COLUMNS


def field_table(
    answer: Answer, heard: Sequence[Heard], *, question: Question, accepted: Iterable[str | None] = ()
) -> FieldTable | None:
    """``heard`` are the members in panel order; None for answers of another kind. No ballot at all leaves no rows.

    ``accepted`` are the texts of the references; the first that is there is compared with.

    The consensus is counted anew from the ballots, as the strategy that was applied counts.
    """
    if question.kind is not AnswerKind.JSON:
        return None
    reference = next((read_object(text) for text in accepted if text is not None), None)
    return FieldTable(
        members=tuple(one.call.model.name for one in heard),
        rows=tuple(_rows(answer, heard, reference, question)),
        silent=tuple((one.call.model.name, _why(one, question)) for one in heard if one.call.ballot is None),
        has_reference=reference is not None,
        is_merged=answer.value is not None and all(one.call.ballot != answer.value for one in heard),
    )


def _why(one: Heard, question: Question) -> str:
    """Why there is no ballot: the call's failure, or what is wrong with the text or the recorded answer."""
    if not one.call.is_ok:
        return failure_words(one.call.outcome)
    output = one.call.recorded_output
    told = output.predicted if output is not None and output.has_predicted else one.text
    found = only_object(told or "")
    return _NO_OBJECT if found is None else violation(found, schema=question.schema)


def _rows(
    answer: Answer, heard: Sequence[Heard], reference: JsonObject | None, question: Question
) -> Iterator[FieldRow]:
    fused = read_object(answer.value or "")
    if fused is None:
        return
    said = [(one.call.model.name, read_object(one.call.ballot or "")) for one in heard]
    consensus = _consensus(answer, [one.call for one in heard], question)
    for name in _names([fused, reference, *(ballot for _, ballot in said)]):
        yield _row(name, fused, reference, said, question, consensus.get(name))


def _names(objects: Iterable[JsonObject | None]) -> list[str]:
    return sorted({name for found in objects if found is not None for name in found})


def _consensus(answer: Answer, calls: Sequence[Call], question: Question) -> Mapping[str, float]:
    """Of each field, as the members voted. Where the last stage settled, its own vote is the answer."""
    first = answer.stages_called - 1 if answer.settled else 0
    ballots = [
        Ballot(seat=call.seat, stage=call.stage, member=Member(model=""), value=call.ballot, weight=call.weight)
        for call in calls
        if call.stage >= first
    ]
    tally = count_ballots(ballots, strategy=_strategy(answer), question=question, similarity=dice)
    return {field.name: field.consensus for field in tally.fields}


def _strategy(answer: Answer) -> StrategyName:
    """Runs before strategies were chosen by what is asked have it with the panel version alone."""
    return StrategyName(answer.strategy or answer.panel_version.strategy)


def _row(
    name: str,
    fused: JsonObject,
    reference: JsonObject | None,
    said: Sequence[tuple[str, JsonObject | None]],
    question: Question,
    consensus: float | None,
) -> FieldRow:
    answer = field_value(fused, name)
    wanted = None if reference is None else field_value(reference, name)
    voted = [(model, None if ballot is None else field_value(ballot, name)) for model, ballot in said]
    kind = field_kind(name, schema=question.schema, values=[value for _, value in voted if value is not None])
    return FieldRow(
        name=name,
        answer=FieldCell(text=_written(answer)),
        consensus=consensus,
        reference=None if wanted is None else FieldCell(text=_written(wanted)),
        right=None if wanted is None else _is_right(answer, wanted, name, question),
        members=tuple((model, _cell(value, answer, kind, question)) for model, value in voted),
    )


def _cell(value: FieldValue | None, answer: FieldValue, kind: AnswerKind, question: Question) -> FieldCell:
    if value is None:
        return FieldCell(text=None, is_silent=True)
    same = same_field(answer, value, kind=kind, question=question, similarity=dice)
    return FieldCell(text=_written(value), differs=not same)


def _is_right(answer: FieldValue, wanted: FieldValue, name: str, question: Question) -> bool:
    """As the scorer compares: under the kind that the schema or the reference tells."""
    kind = field_kind(name, schema=question.schema, values=[wanted])
    return equal_field(answer, wanted, kind=kind, question=question)


def _written(value: FieldValue) -> str | None:
    return value.value if isinstance(value.value, str) else value.text
