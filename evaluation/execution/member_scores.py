"""Right or wrong for one member alone: its ballot, scored as the answer of a panel of one would be."""

from __future__ import annotations

from typing import NamedTuple

from evaluation.models import Call, DatasetVersion, Example
from evaluation.scorers import SCORERS, ScoredExample
from panels.fusion.answers import canonical
from panels.fusion.types import (
    AnswerKind,
    Ballot,
    BallotValue,
    Failure,
    FailureKind,
    Fused,
    Group,
    Member,
    MemberCall,
    Question,
    Recorded,
    Reply,
    Tally,
)

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
    text: str = ""


class MemberScorer:
    """Scores the calls of a chunk of examples; the same ballot on the same example is scored once."""

    def __init__(self, version: DatasetVersion) -> None:
        self.kind = AnswerKind(version.answer_kind)
        self._tolerance = version.tolerance
        self._score = SCORERS[version.scorer]
        self._examples: dict[int, ScoredExample] = {}
        self._known: dict[tuple[int, BallotValue | None, bool | None], bool | None] = {}

    def take(self, examples: list[Example]) -> None:
        """The examples whose calls come next; those before are forgotten."""
        self._examples = {example.pk: self._scored_example(example) for example in examples}
        self._known.clear()

    def score(self, call: HeardCall, *, example_id: int) -> bool | None:
        """None is unscored. An unreadable ballot and a failed call are wrong, as an abstention is."""
        example = self._examples[example_id]
        value = _ballot_value(call, example.question)
        key = (example_id, value, call.recorded_correct)
        if key not in self._known:
            score = self._score(_alone(value, call), example)
            self._known[key] = None if score is None else score.correct
        return self._known[key]

    def _scored_example(self, example: Example) -> ScoredExample:
        question = Question(
            item_id=example.item_id,
            messages=(),
            kind=self.kind,
            choices=tuple(example.choices),
            tolerance=self._tolerance,
        )
        return ScoredExample(question=question, reference=example.reference, references=tuple(example.references))


def _ballot_value(call: HeardCall, question: Question) -> BallotValue | None:
    """The stored ballot as the scorer takes it; free text that was cut when it was stored is made whole."""
    if call.outcome != Call.OK or call.ballot is None:
        return None
    whole = call.text.strip()
    return whole if whole.startswith(call.ballot) else canonical(call.ballot, question=question)


def _alone(value: BallotValue | None, call: HeardCall) -> Fused:
    member = Member(model="")
    result = _NO_REPLY if call.outcome != Call.OK else Reply(text="", recorded=Recorded(correct=call.recorded_correct))
    ballot = Ballot(seat=0, stage=0, member=member, value=value)
    groups = () if value is None else (Group(ballots=(ballot,), support=1.0),)
    tally = Tally(groups=groups, winner=ballot if groups else None, consensus=float(len(groups)))
    calls = (MemberCall(seat=0, stage=0, member=member, result=result, ballot=ballot),)
    return Fused(calls=calls, tally=tally, stages_called=1)
