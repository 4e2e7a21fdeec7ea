"""The arbiter's part in one answer, as its page shows it: members by name, spans as they were quoted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluation.models import Answer, Call
from evaluation.selectors.attempts import Attempt, age_of, questions_of, source_of, text_of
from panels.fusion.arbitration import Analysis, Claim, Finding, Mark, PromptRef, Stance, Synthesis, Verification
from panels.fusion.arbitration_json import from_json
from panels.fusion.minority import dissents
from panels.fusion.outcomes import Ballot, BallotValue, Final, Group, Tally
from panels.fusion.types import AnswerKind, Member
from panels.models import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterQuestion:
    """One question to the arbiter: its last attempt counts. ``source`` is ``live`` or ``reused``, ``age`` in words."""

    number: int
    last: Attempt
    earlier: tuple[Attempt, ...]
    source: str
    age: str
    text: str

    @property
    def call(self) -> Call:
        return self.last.call

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return (*self.earlier, self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One member and one claim. ``quote`` is empty where the span does not stand in the member's answer."""

    member: str
    stance: str
    quote: str

    @property
    def is_said(self) -> bool:
        return self.stance == Stance.SUPPORTS

    @property
    def is_denied(self) -> bool:
        return self.stance == Stance.CONTRADICTS


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """One claim with its cells in panel order. ``withdrawn``: what the arbiter had said, where its span is not there.

    ``is_overruled``: contradicted by the evidence, or by more members than make it.
    """

    text: str
    finding: str
    quote: str
    withdrawn: str
    cells: tuple[Cell, ...]
    is_overruled: bool

    @property
    def quoted(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.quote)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The claim × member matrix, and its rows by finding."""

    members: tuple[str, ...]
    rows: tuple[ClaimRow, ...]
    ranking: tuple[str, ...]

    @property
    def supported(self) -> tuple[ClaimRow, ...]:
        return self._having(Finding.SUPPORTED)

    @property
    def contradicted(self) -> tuple[ClaimRow, ...]:
        return self._having(Finding.CONTRADICTED)

    @property
    def not_found(self) -> tuple[ClaimRow, ...]:
        return self._having(Finding.NOT_FOUND)

    def _having(self, finding: Finding) -> tuple[ClaimRow, ...]:
        return tuple(row for row in self.rows if row.finding == finding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Something on which members contradict each other: who says what."""

    topic: str
    stances: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What only these members say."""

    members: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FiveLists:
    consensus: tuple[str, ...]
    contradictions: tuple[Topic, ...]
    partial_coverage: tuple[Point, ...]
    unique_insights: tuple[Point, ...]
    blind_spots: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DissentLine:
    """Who dissents, on what, and the words that show it."""

    member: str
    topic: str
    says: str
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterPart:
    """Everything the arbiter did for one answer. ``matrix`` and ``lists`` are None where there is no such analysis.

    ``shown`` are the members whose answers it saw, in the order in which it saw them, unnamed.
    """

    model: str
    provider: str
    simulated: bool
    questions: tuple[ArbiterQuestion, ...]
    began_s: float | None
    ends_after_s: float | None
    words: str
    prompt: PromptRef | None
    problem: str
    shown: tuple[str, ...]
    matrix: Matrix | None
    lists: FiveLists | None
    minority: tuple[DissentLine, ...]


def arbiter_part(
    answer: Answer, calls: Sequence[Call], *, members: Mapping[int, str], ballots: Sequence[Call], span_s: float | None
) -> ArbiterPart | None:
    """``calls`` are those to the arbiter, ``ballots`` the members' last ones; None if the arbiter was not asked."""
    if answer.analysis is None or not calls:
        return None
    kept = from_json(answer.analysis)
    questions = tuple(_questions(calls, span_s))
    model = calls[0].model
    return ArbiterPart(
        model=model.name,
        provider=model.provider.name,
        simulated=model.provider.kind == Provider.Kind.SIMULATED,
        questions=questions,
        began_s=calls[0].offset_s,
        ends_after_s=_end_of(calls[-1]),
        words=_words(kept.analysis, answer),
        prompt=kept.prompt,
        problem=kept.problem,
        shown=tuple(members.get(seat, "") for seat in kept.seats),
        matrix=_matrix(kept.analysis, members) if isinstance(kept.analysis, Verification) else None,
        lists=_five_lists(kept.analysis, members) if isinstance(kept.analysis, Synthesis) else None,
        minority=tuple(_minority(answer, kept.analysis, ballots, members)),
    )


def _questions(calls: Sequence[Call], span_s: float | None) -> Iterator[ArbiterQuestion]:
    for number, attempts in enumerate(questions_of(calls, span_s), start=1):
        last = attempts[-1]
        yield ArbiterQuestion(
            number=number,
            last=last,
            earlier=tuple(attempts[:-1]),
            source=source_of(last.call),
            age=age_of(last.call),
            text=text_of(last.call),
        )


def _end_of(call: Call) -> float | None:
    return None if call.offset_s is None or call.latency_s is None else call.offset_s + call.latency_s


def _words(analysis: Analysis | None, answer: Answer) -> str:
    if analysis is None:
        return "The arbiter settles nothing: the vote decides."
    if isinstance(analysis, Synthesis):
        return "The arbiter compares the answers and writes one."
    counts = [(len(analysis.having(finding)), words) for finding, words in _FINDINGS.items()]
    listed = ", ".join(f"{count} {words}" for count, words in counts if count)
    stands = "the best supported answer stands" if answer.winner_seat is not None else "the supported claims stand"
    claims = len(analysis.claims)
    return f"The arbiter checks {claims} claim{'s' if claims != 1 else ''}: {listed}; {stands}."


_FINDINGS = {
    Finding.SUPPORTED: "supported",
    Finding.CONTRADICTED: "contradicted",
    Finding.NOT_FOUND: "not found",
}


def _matrix(verification: Verification, members: Mapping[int, str]) -> Matrix:
    seats = sorted({mark.seat for claim in verification.claims for mark in claim.marks})
    return Matrix(
        members=tuple(members[seat] for seat in seats),
        rows=tuple(_claim_row(claim, seats, members) for claim in verification.claims),
        ranking=tuple(members[seat] for seat in verification.ranking),
    )


def _claim_row(claim: Claim, seats: Sequence[int], members: Mapping[int, str]) -> ClaimRow:
    marks = {mark.seat: mark for mark in claim.marks}
    denied, said = len(claim.seats(Stance.CONTRADICTS)), len(claim.supporters)
    return ClaimRow(
        text=claim.text,
        finding=claim.finding.value,
        quote=claim.quote if claim.quote_found else "",
        withdrawn="" if claim.said is None else _FINDINGS[claim.said],
        cells=tuple(_cell(members[seat], marks.get(seat)) for seat in seats),
        is_overruled=claim.finding is Finding.CONTRADICTED or denied > said,
    )


def _cell(member: str, mark: Mark | None) -> Cell:
    if mark is None:
        return Cell(member=member, stance=Stance.SILENT.value, quote="")
    return Cell(member=member, stance=mark.stance.value, quote=mark.quote if mark.quote_found else "")


def _five_lists(synthesis: Synthesis, members: Mapping[int, str]) -> FiveLists:
    return FiveLists(
        consensus=synthesis.consensus,
        contradictions=tuple(
            Topic(topic=one.topic, stances=tuple((members[stand.seat], stand.stance) for stand in one.stands))
            for one in synthesis.contradictions
        ),
        partial_coverage=tuple(
            Point(members=tuple(members[seat] for seat in one.seats), text=one.point)
            for one in synthesis.partial_coverage
        ),
        unique_insights=tuple(
            Point(members=(members[one.seat],), text=one.insight) for one in synthesis.unique_insights
        ),
        blind_spots=synthesis.blind_spots,
    )


def _minority(
    answer: Answer, analysis: Analysis | None, ballots: Sequence[Call], members: Mapping[int, str]
) -> Iterator[DissentLine]:
    kind = answer.answer_kind
    final = None
    if answer.value is not None:
        final = Final(value=_value(answer.value, kind), text="", seat=answer.winner_seat)
    told: set[tuple[int, str]] = set()
    for dissent in dissents(tally=_tally(ballots, kind), final=final, analysis=analysis):
        # Whoever says what the answer says does not dissent, and a stance may only repeat the ballot.
        if not dissent.quote and ((dissent.seat, dissent.says) in told or dissent.says == answer.value):
            continue
        told.add((dissent.seat, dissent.says))
        yield DissentLine(member=members[dissent.seat], topic=dissent.topic, says=dissent.says, quote=dissent.quote)


def _tally(ballots: Sequence[Call], kind: AnswerKind) -> Tally:
    """The vote as it was stored: groups in order of support, the first of which led."""
    by_group: dict[int, list[Ballot]] = {}
    for call in ballots:
        if call.group is not None and call.ballot is not None:
            by_group.setdefault(call.group, []).append(
                Ballot(seat=call.seat, stage=call.stage, member=Member(model=""), value=_value(call.ballot, kind))
            )
    groups = tuple(Group(ballots=tuple(by_group[rank]), support=len(by_group[rank])) for rank in sorted(by_group))
    return Tally(groups=groups, winner=groups[0].leader if groups else None, consensus=0.0)


def _value(stored: str, kind: AnswerKind) -> BallotValue:
    return float(stored) if kind is AnswerKind.NUMBER else stored
