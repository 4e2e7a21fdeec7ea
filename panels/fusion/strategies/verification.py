"""What the candidates claim, checked against the evidence; the answer keeps what is supported."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from panels.fusion.arbiter_reply import Schema
from panels.fusion.arbitration import Claim, Finding, Mark, Stance, Verification
from panels.fusion.candidates import LineUp
from panels.fusion.outcomes import Ballot, Degradation, Final, Tally
from panels.fusion.spans import normalise_span, stands_in
from panels.fusion.types import AnswerKind, Question

_TEXT = {"type": "string", "pattern": r"\S"}
_QUOTE = {"type": ["string", "null"]}


def verification_schema(letters: Sequence[str]) -> Schema:
    """What the reply has to satisfy; the candidates are called by ``letters``."""
    mark = {
        "type": "object",
        "required": ["candidate", "stance"],
        "properties": {"candidate": {"enum": list(letters)}, "stance": {"enum": list(Stance)}, "quote": _QUOTE},
    }
    claim = {
        "type": "object",
        "required": ["claim", "finding", "candidates"],
        "properties": {
            "claim": _TEXT,
            "finding": {"enum": list(Finding)},
            "quote": _QUOTE,
            "candidates": {"type": "array", "items": mark},
        },
    }
    return {
        "type": "object",
        "required": ["claims"],
        "properties": {"claims": {"type": "array", "minItems": 1, "items": claim}},
    }


def read_verification(found: Any, *, question: Question, tally: Tally, lineup: LineUp) -> Verification:
    """The claim × member matrix of a reply that satisfies the schema.

    Seats are ranked by the supported claims they make less the contradicted ones, then by fewer claims that were not
    found, then in the order of the vote.
    """
    evidence = normalise_span(question.evidence)
    said = {candidate.letter: normalise_span(candidate.text) for candidate in lineup.candidates}
    claims = tuple(_claim(row, evidence, said, lineup) for row in found["claims"])
    order = _order_of_vote(tally)
    ranking = sorted(order, key=lambda seat: (*_shortfall(seat, claims), order.index(seat)))
    return Verification(claims=claims, ranking=tuple(ranking))


def verified(
    verification: Verification, *, question: Question, tally: Tally, cut: Collection[int | None]
) -> Final | Degradation:
    """The best seat's ballot; for free text its own words only if all it claims is supported, else what is.

    ``cut`` are the seats whose words were shown in part: nobody checked the rest. A supported claim that no seat makes
    is no part of the answer. Without any supported claim the vote has to decide.
    """
    kept = [claim for claim in verification.having(Finding.SUPPORTED) if claim.supporters]
    if not kept:
        return Degradation(kind="nothing_supported", reason="the arbiter found support for none of the claims")
    best = _ballots(tally)[verification.ranking[0]]
    if best.value is not None and (question.kind is not AnswerKind.TEXT or _is_sound(best.seat, verification, cut)):
        return Final(value=best.value, text=best.text, seat=best.seat)
    text = " ".join(dict.fromkeys(_sentence(claim.text) for claim in kept))
    return Final(value=text, text=text)


def _claim(row: Any, evidence: str, said: dict[str, str], lineup: LineUp) -> Claim:
    finding, quote = Finding(row["finding"]), row.get("quote") or ""
    found = stands_in(quote, evidence)
    counts = finding if found or not evidence else Finding.NOT_FOUND
    return Claim(
        text=" ".join(row["claim"].split()),
        finding=counts,
        marks=_marks(row["candidates"], said, lineup),
        quote=quote,
        quote_found=found,
        said=None if counts is finding else finding,
    )


def _marks(rows: Sequence[Any], said: dict[str, str], lineup: LineUp) -> tuple[Mark, ...]:
    """One mark a seat, in the order shown. Where the reply names a candidate twice, its first word counts."""
    by_letter = {row["candidate"]: row for row in reversed(rows)}
    return tuple(
        _mark(candidate.seat, by_letter.get(candidate.letter, {}), said[candidate.letter])
        for candidate in lineup.candidates
    )


def _mark(seat: int, row: Any, said: str) -> Mark:
    quote = row.get("quote") or ""
    return Mark(
        seat=seat, stance=Stance(row.get("stance", Stance.SILENT)), quote=quote, quote_found=stands_in(quote, said)
    )


def _shortfall(seat: int, claims: Sequence[Claim]) -> tuple[int, int]:
    """Less is better."""
    made = [claim.finding for claim in claims if seat in claim.supporters]
    return made.count(Finding.CONTRADICTED) - made.count(Finding.SUPPORTED), made.count(Finding.NOT_FOUND)


def _is_sound(seat: int, verification: Verification, cut: Collection[int | None]) -> bool:
    """Whether the seat claims something, all that it claims is supported, and it denies nothing that is."""
    made = [claim for claim in verification.claims if seat in claim.supporters]
    denied = [claim for claim in verification.having(Finding.SUPPORTED) if seat in claim.seats(Stance.CONTRADICTS)]
    return seat not in cut and bool(made) and not denied and all(claim.finding is Finding.SUPPORTED for claim in made)


def _sentence(text: str) -> str:
    return f"{text}." if text[-1].isalnum() else text


def _ballots(tally: Tally) -> dict[int, Ballot]:
    return {ballot.seat: ballot for group in tally.groups for ballot in group.ballots}


def _order_of_vote(tally: Tally) -> list[int]:
    """The winner's seat, then the groups by support."""
    first = () if tally.winner is None else (tally.winner.seat,)
    return list(dict.fromkeys((*first, *_ballots(tally))))
