"""What an arbiter found, as JSON to be stored, and back. Seats stand for members; the lists keep their usual names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panels.fusion.arbitration import (
    Analysis,
    Claim,
    Contradiction,
    Finding,
    Insight,
    Mark,
    PartialCoverage,
    PromptRef,
    Stance,
    Stand,
    Synthesis,
    Verification,
)
from panels.fusion.outcomes import Arbitration


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArbitration:
    """An arbitration without its calls, which are rows of their own.

    ``prompt`` is the text that the arbiter was given, None where it was not asked. ``problem`` says why there is no
    ``analysis``.
    """

    seats: tuple[int, ...]
    prompt: PromptRef | None = None
    analysis: Analysis | None = None
    problem: str = ""


def stored(arbitration: Arbitration) -> StoredArbitration:
    """What is kept of an arbitration beside its calls."""
    return StoredArbitration(
        seats=arbitration.seats,
        prompt=arbitration.calls[-1].prompt if arbitration.calls else None,
        analysis=arbitration.analysis,
        problem=arbitration.problem,
    )


def to_json(arbitration: Arbitration) -> dict[str, Any]:
    """Plain JSON: ``seats``, ``prompt``, ``problem``, and ``verification`` or ``synthesis`` if there is an analysis."""
    kept = stored(arbitration)
    row: dict[str, Any] = {"seats": list(kept.seats), "prompt": None, "problem": kept.problem}
    if kept.prompt is not None:
        row["prompt"] = {"name": kept.prompt.name, "sha256": kept.prompt.sha256}
    if isinstance(kept.analysis, Verification):
        row["verification"] = _written_verification(kept.analysis)
    elif kept.analysis is not None:
        row["synthesis"] = _written_synthesis(kept.analysis)
    return row


def from_json(row: Mapping[str, Any]) -> StoredArbitration:
    """What ``to_json`` wrote. Raises KeyError or ValueError for anything else."""
    prompt = row["prompt"]
    return StoredArbitration(
        seats=tuple(row["seats"]),
        prompt=None if prompt is None else PromptRef(name=prompt["name"], sha256=prompt["sha256"]),
        analysis=_read_analysis(row),
        problem=row["problem"],
    )


def _read_analysis(row: Mapping[str, Any]) -> Analysis | None:
    if "verification" in row:
        return _read_verification(row["verification"])
    return _read_synthesis(row["synthesis"]) if "synthesis" in row else None


def _written_verification(verification: Verification) -> dict[str, Any]:
    return {
        "ranking": list(verification.ranking),
        "claims": [_written_claim(claim) for claim in verification.claims],
    }


def _written_claim(claim: Claim) -> dict[str, Any]:
    return {
        "claim": claim.text,
        "finding": claim.finding.value,
        "said": None if claim.said is None else claim.said.value,
        "quote": claim.quote,
        "quote_found": claim.quote_found,
        "marks": [
            {
                "seat": mark.seat,
                "stance": mark.stance.value,
                "quote": mark.quote,
                "quote_found": mark.quote_found,
            }
            for mark in claim.marks
        ],
    }


def _read_verification(row: Mapping[str, Any]) -> Verification:
    return Verification(ranking=tuple(row["ranking"]), claims=tuple(_read_claim(one) for one in row["claims"]))


def _read_claim(row: Mapping[str, Any]) -> Claim:
    return Claim(
        text=row["claim"],
        finding=Finding(row["finding"]),
        said=None if row["said"] is None else Finding(row["said"]),
        quote=row["quote"],
        quote_found=row["quote_found"],
        marks=tuple(
            Mark(seat=one["seat"], stance=Stance(one["stance"]), quote=one["quote"], quote_found=one["quote_found"])
            for one in row["marks"]
        ),
    )


def _written_synthesis(synthesis: Synthesis) -> dict[str, Any]:
    return {
        "answer": synthesis.answer,
        "consensus": list(synthesis.consensus),
        "contradictions": [
            {"topic": one.topic, "stances": [{"seat": stand.seat, "stance": stand.stance} for stand in one.stands]}
            for one in synthesis.contradictions
        ],
        "partial_coverage": [{"seats": list(one.seats), "point": one.point} for one in synthesis.partial_coverage],
        "unique_insights": [{"seat": one.seat, "insight": one.insight} for one in synthesis.unique_insights],
        "blind_spots": list(synthesis.blind_spots),
    }


def _read_synthesis(row: Mapping[str, Any]) -> Synthesis:
    return Synthesis(
        answer=row["answer"],
        consensus=tuple(row["consensus"]),
        contradictions=tuple(
            Contradiction(
                topic=one["topic"],
                stands=tuple(Stand(seat=stand["seat"], stance=stand["stance"]) for stand in one["stances"]),
            )
            for one in row["contradictions"]
        ),
        partial_coverage=tuple(
            PartialCoverage(seats=tuple(one["seats"]), point=one["point"]) for one in row["partial_coverage"]
        ),
        unique_insights=tuple(Insight(seat=one["seat"], insight=one["insight"]) for one in row["unique_insights"]),
        blind_spots=tuple(row["blind_spots"]),
    )
