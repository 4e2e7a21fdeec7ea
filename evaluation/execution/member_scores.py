"""Right or wrong for one member alone: its ballot, scored as the answer of a panel of one would be."""

from __future__ import annotations

from typing import Any, NamedTuple

from evaluation.covers import Covered, cover_example
from evaluation.models import Call, DatasetVersion, Example
from evaluation.scorers import SCORERS, ScoredExample
from panels.fusion.answers import canonical
from panels.fusion.fuse import fused_by_vote
from panels.fusion.outcomes import Ballot, BallotValue, Fused, Group, MemberCall, Tally, Vote
from panels.fusion.types import AnswerKind, Failure, FailureKind, Member, Question, Recorded, Reply, StrategyName

Fields = tuple[str, ...]

_NO_REPLY = Failure(kind=FailureKind.EMPTY, detail="")


class HeardCall(NamedTuple):
    """The columns of a call that the result needs; ``text`` is the reply's, only read for free text."""

    answer_id: int
    seat: int
    attempt: int
    outcome: str
    cost_nanousd: int | None
    spent_nanousd: int | None
    latency_s: float | None
    ballot: str | None
    recorded_correct: bool | None
    placeholders: int | None = None
    placeholders_lost: int | None = None
    recorded_output_id: int | None = None
    text: str = ""


class MemberScorer:
    """Scores the calls of a chunk of examples; the same ballot on the same example is scored once."""

    def __init__(self, version: DatasetVersion) -> None:
        self.kind = AnswerKind(version.answer_kind)
        self._tolerance = version.tolerance
        self._score = SCORERS[version.scorer]
        self._examples: dict[int, ScoredExample] = {}
        self._meta: dict[int, dict[str, Any]] = {}
        self._masked: dict[tuple[int, Fields], Covered | None] = {}
        self._known: dict[tuple[int, Fields | None, BallotValue | None, bool | None], bool | None] = {}

    def take(self, examples: list[Example], *, masks: bool = False) -> None:
        """The examples whose calls come next, with prompts where the run ``masks``; those before are forgotten."""
        self._examples = {example.pk: self._scored_example(example, with_prompt=masks) for example in examples}
        self._meta = {example.pk: example.meta for example in examples} if masks else {}
        self._masked.clear()
        self._known.clear()

    def score(self, call: HeardCall, *, example_id: int, fields: Fields | None = None) -> bool | None:
        """None is unscored. An unreadable ballot and a failed call are wrong, as an abstention is.

        ``fields`` are those that were masked in the prompt: what was answered is held against a masked reference.
        """
        covered = None if fields is None else self._masked_example(example_id, fields)
        example = self._examples[example_id] if covered is None else covered.scored
        value = _ballot_value(call, example.question, covered)
        key = (example_id, fields, value, call.recorded_correct)
        if key not in self._known:
            score = self._score(_alone(value, call), example)
            self._known[key] = None if score is None else score.correct
        return self._known[key]

    def _masked_example(self, example_id: int, fields: Fields) -> Covered | None:
        """None for what cannot be masked: it has no reply to be scored."""
        key = (example_id, fields)
        if key not in self._masked:
            covered = cover_example(self._examples[example_id], meta=self._meta[example_id], fields=fields)
            self._masked[key] = None if isinstance(covered, Failure) else covered
        return self._masked[key]

    def _scored_example(self, example: Example, *, with_prompt: bool) -> ScoredExample:
        question = Question(
            item_id=example.item_id,
            messages=example.messages if with_prompt else (),
            kind=self.kind,
            choices=tuple(example.choices),
            tolerance=self._tolerance,
            schema=example.schema,
        )
        return ScoredExample(question=question, reference=example.reference, references=tuple(example.references))


def _ballot_value(call: HeardCall, question: Question, covered: Covered | None) -> BallotValue | None:
    """The stored ballot as the scorer takes it; free text that was cut when it was stored is made whole."""
    if call.outcome != Call.OK or call.ballot is None:
        return None
    whole = _as_compared(call, covered).strip()
    return whole if whole.startswith(call.ballot) else canonical(call.ballot, question=question)


def _as_compared(call: HeardCall, covered: Covered | None) -> str:
    """The text as the panel voted on it. A recorded one stands unmasked with the dataset."""
    if covered is None or not call.text:
        return call.text
    return covered.cover.comparable(call.text) if call.recorded_output_id is None else covered.cover.mask(call.text)


def _alone(value: BallotValue | None, call: HeardCall) -> Fused:
    member = Member(model="")
    result = _NO_REPLY if call.outcome != Call.OK else Reply(text="", recorded=Recorded(correct=call.recorded_correct))
    ballot = Ballot(seat=0, stage=0, member=member, value=value)
    groups = () if value is None else (Group(ballots=(ballot,), support=1.0),)
    tally = Tally(groups=groups, winner=ballot if groups else None, consensus=float(len(groups)))
    calls = (MemberCall(seat=0, stage=0, member=member, result=result, ballot=ballot),)
    return fused_by_vote(Vote(calls=calls, tally=tally, stages_called=1), strategy=StrategyName.MAJORITY)
