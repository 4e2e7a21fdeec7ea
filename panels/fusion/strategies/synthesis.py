"""One answer out of all, with five lists of what the candidates agree and differ on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from panels.fusion.answers import read_ballot
from panels.fusion.arbiter_reply import Schema
from panels.fusion.arbitration import Contradiction, Insight, PartialCoverage, Stand, Synthesis
from panels.fusion.candidates import LineUp
from panels.fusion.json_text import canonical_json
from panels.fusion.outcomes import Degradation, Final, Tally
from panels.fusion.types import Question

_TEXT = {"type": "string", "pattern": r"\S"}
# Asked for as a text; a number or an object says the same.
_ANSWER = {"type": ["string", "number", "object"], "pattern": r"\S"}


def synthesis_schema(letters: Sequence[str]) -> Schema:
    """What the reply has to satisfy; the candidates are called by ``letters``."""
    candidate = {"enum": list(letters)}
    lists = {
        "consensus": _list(_TEXT),
        "contradictions": _list(
            _object(topic=_TEXT, stances=_list(_object(candidate=candidate, stance=_TEXT), at_least=1))
        ),
        "partial_coverage": _list(_object(candidates=_list(candidate, at_least=1), point=_TEXT)),
        "unique_insights": _list(_object(candidate=candidate, insight=_TEXT)),
        "blind_spots": _list(_TEXT),
    }
    return _object(analysis=_object(**lists), answer=_ANSWER)


def read_synthesis(found: Any, *, question: Question, tally: Tally, lineup: LineUp) -> Synthesis:
    """The five lists and the answer of a reply that satisfies the schema."""
    seats = {candidate.letter: candidate.seat for candidate in lineup.candidates}
    lists, answer = found["analysis"], found["answer"]
    return Synthesis(
        answer=answer.strip() if isinstance(answer, str) else canonical_json(answer),
        consensus=tuple(lists["consensus"]),
        contradictions=tuple(_contradiction(row, seats) for row in lists["contradictions"]),
        partial_coverage=tuple(
            PartialCoverage(seats=tuple(dict.fromkeys(seats[name] for name in row["candidates"])), point=row["point"])
            for row in lists["partial_coverage"]
        ),
        unique_insights=tuple(
            Insight(seat=seats[row["candidate"]], insight=row["insight"]) for row in lists["unique_insights"]
        ),
        blind_spots=tuple(lists["blind_spots"]),
    )


def synthesised(synthesis: Synthesis, *, question: Question) -> Final | Degradation:
    """The arbiter's answer, read as a member's would be. The words are nobody's of the panel."""
    value = read_ballot(synthesis.answer, question=question)
    if value is None:
        return Degradation(kind="arbiter_unreadable", reason=f"its answer cannot be read as {question.kind.value}")
    return Final(value=value, text=synthesis.answer)


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(entry: Schema, *, at_least: int = 0) -> Schema:
    return {"type": "array", "minItems": at_least, "items": entry}


def _contradiction(row: Any, seats: dict[str, int]) -> Contradiction:
    stands = tuple(Stand(seat=seats[one["candidate"]], stance=one["stance"]) for one in row["stances"])
    return Contradiction(topic=row["topic"], stands=stands)
