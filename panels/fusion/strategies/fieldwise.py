from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from panels.fusion.agreement import cluster, medoid
from panels.fusion.fields import FieldValue, field_kind, field_value, same_field
from panels.fusion.json_text import JsonObject, canonical_json, read_object
from panels.fusion.outcomes import Ballot, FieldTally, Tally
from panels.fusion.schemas import violation
from panels.fusion.strategies.counting import Count
from panels.fusion.types import AnswerKind, Question, Similarity


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """What every seat with a ballot says in one field, and what kind of field it is."""

    name: str
    kind: AnswerKind
    values: Mapping[int, FieldValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class _FieldVote:
    """What won in one field, and the seats that said so."""

    name: str
    winner: FieldValue
    consensus: float
    seats: frozenset[int]

    @property
    def tally(self) -> FieldTally:
        return FieldTally(name=self.name, value=self.winner.text, consensus=self.consensus)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """What the members said, by seat in panel order, and how it is compared and counted."""

    ballots: Sequence[Ballot]
    said: Mapping[int, JsonObject]
    question: Question
    similarity: Similarity
    count: Count

    def field(self, name: str) -> _Field:
        values = {seat: field_value(answer, name) for seat, answer in self.said.items()}
        kind = field_kind(name, schema=self.question.schema, values=values.values())
        return _Field(name=name, kind=kind, values=values)

    def agree(self, field: _Field, leader: int, seat: int) -> bool:
        return same_field(
            field.values[leader],
            field.values[seat],
            kind=field.kind,
            question=self.question,
            similarity=self.similarity,
        )

    def vote(self, groups: Sequence[Sequence[int]]) -> Tally:
        """The vote of these groups of seats; all other seats abstain."""
        leaders = {seat: str(group[0]) for group in groups for seat in group}
        cast = [replace(ballot, value=leaders.get(ballot.seat)) for ballot in self.ballots]
        closed = replace(self.question, kind=AnswerKind.LABEL, choices=())
        return self.count(cast, question=closed, similarity=self.similarity)


def fieldwise(ballots: Sequence[Ballot], *, question: Question, similarity: Similarity, count: Count) -> Tally:
    """The vote on ``json`` answers: every field votes by itself under its own kind, counted and tied as ``count`` does.

    Leaving a field out is a vote too. A field speaks through the first member of its winning group, a free text
    through that group's medoid. Consensus is that of the field agreed on least. The groups are of members that agree
    in every field; if the fields that won break the schema together, the vote of these groups is the answer.
    """
    cast = [ballot for ballot in sorted(ballots, key=lambda ballot: ballot.seat) if ballot.value is not None]
    said = {ballot.seat: _object(ballot) for ballot in cast}
    held = _Round(ballots=ballots, said=said, question=question, similarity=similarity, count=count)
    fields = [held.field(name) for name in sorted({name for answer in said.values() for name in answer})]
    whole = _whole(held, fields)
    if whole.winner is None:
        return whole
    votes = [_vote(held, field) for field in fields]
    whole = replace(whole, fields=tuple(vote.tally for vote in votes))
    merged = {vote.name: vote.winner.value for vote in votes if vote.winner.text is not None}
    problem = violation(merged, schema=question.schema)
    if problem:
        return replace(whole, problem=problem)
    text = canonical_json(merged)
    closest = _closest(cast, text, votes)
    return replace(
        whole,
        winner=closest,
        consensus=min((vote.consensus for vote in votes), default=whole.consensus),
        merged=None if closest.value == text else text,
    )


def _whole(held: _Round, fields: Sequence[_Field]) -> Tally:
    """The vote on whole objects, between groups of members that agree in every field."""
    groups = cluster(held.said, lambda leader, seat: all(held.agree(field, leader, seat) for field in fields))
    tally = held.vote(groups)
    own = {ballot.seat: ballot for ballot in held.ballots}
    return replace(
        tally,
        groups=tuple(replace(group, ballots=tuple(own[one.seat] for one in group.ballots)) for group in tally.groups),
        winner=None if tally.winner is None else own[tally.winner.seat],
    )


def _vote(held: _Round, field: _Field) -> _FieldVote:
    tally = held.vote(cluster(field.values, lambda leader, seat: held.agree(field, leader, seat)))
    winners = tally.groups[0].ballots
    return _FieldVote(
        name=field.name,
        winner=field.values[_speaker(winners, field.values, field.kind, held.similarity).seat],
        consensus=tally.consensus,
        seats=frozenset(ballot.seat for ballot in winners),
    )


def _speaker(
    winners: Sequence[Ballot], values: Mapping[int, FieldValue], kind: AnswerKind, similarity: Similarity
) -> Ballot:
    if kind is not AnswerKind.TEXT or not isinstance(values[winners[0].seat].value, str):
        return winners[0]
    texts = [replace(ballot, value=str(values[ballot.seat].value)) for ballot in winners]
    return medoid(texts, weights=[1.0] * len(texts), similarity=similarity)


def _closest(cast: Sequence[Ballot], merged: str, votes: Sequence[_FieldVote]) -> Ballot:
    """The ballot that is the merge, else the one on the winning side in the most fields, else the first of them."""

    def closeness(ballot: Ballot) -> tuple[bool, int, int]:
        return ballot.value == merged, sum(ballot.seat in vote.seats for vote in votes), -ballot.seat

    return max(cast, key=closeness)


def _object(ballot: Ballot) -> JsonObject:
    answer = read_object(str(ballot.value))
    assert answer is not None, "a json ballot is the canonical text of an object"
    return answer
