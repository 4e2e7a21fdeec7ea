"""A fused answer as the result object of a fusion request: the format that OpenRouter answers in, and our ``x``.

Models are named as the panel that was asked names them; seats stay inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from panels.fusion.arbitration import Analysis, Claim, Dissent, Synthesis, Verification
from panels.fusion.cost_lines import CostLine
from panels.fusion.live_answer import LiveAnswer
from panels.fusion.minority import minority_report
from panels.fusion.outcomes import Degradation, Fused, MemberCall
from panels.fusion.pricing import dollars_from_nanousd
from panels.fusion.types import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What the result says of itself. ``panel`` is ``slug@version``."""

    panel: str
    panel_hash: str
    answer_id: str = ""
    confidence: float | None = None


def result_object(answer: LiveAnswer, naming: Naming) -> dict[str, Any]:
    """The value of ``fusion``: with an answer ``status`` is ok, else error with the reason. Numbers are finite."""
    if answer.fused is None or answer.fused.final is None:
        return _error(answer, naming)
    return {"status": "ok", **_body(answer, answer.fused, naming)}


def _error(answer: LiveAnswer, naming: Naming) -> dict[str, Any]:
    found: dict[str, Any] = {"status": "error", "error": answer.explanation, "failure_reason": answer.reason}
    return found | ({} if answer.fused is None else _body(answer, answer.fused, naming))


def _body(answer: LiveAnswer, fused: Fused, naming: Naming) -> dict[str, Any]:
    names = {call.seat: call.member.model for call in fused.calls}
    analysis = None if fused.arbitration is None else fused.arbitration.analysis
    return {
        "analysis": _analysis(analysis, names),
        "responses": [_response(call, names) for call in fused.calls if not isinstance(call.result, Failure)],
        "failed_models": [
            _failed(call.result, names[call.seat]) for call in fused.calls if isinstance(call.result, Failure)
        ],
        "x": {
            "answer_id": naming.answer_id,
            "panel": naming.panel,
            "panel_hash": naming.panel_hash,
            "strategy": fused.strategy.value,
            "strategy_reason": fused.strategy_reason,
            "consensus": round(fused.consensus, 6),
            "confidence": naming.confidence,
            "stages": fused.stages_called,
            "degraded": [_degradation(cut) for cut in answer.degraded],
            "cost": [_line(line) for line in answer.lines],
            "cost_usd": _dollars(answer.cost.total_nanousd),
            "verification": _verification(analysis, names),
            "minority": [_dissent(dissent, names) for dissent in minority_report(fused)],
            "masks": dict(answer.masks),
            "integrity": {model: asdict(count) for model, count in answer.integrity.items()},
        },
    }


def _response(call: MemberCall, names: Mapping[int, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"model": names[call.seat], "content": call.ballot.text, "ballot": call.ballot.value}
    age_s = getattr(call.result, "age_s", None)
    return found if age_s is None else found | {"age_s": round(age_s, 3)}


def _failed(failure: Failure, model: str) -> dict[str, Any]:
    return {
        "model": model,
        "error": f"{failure.kind.value}: {failure.detail}",
        "status_code": failure.status_code,
        "attempts": 1 + len(failure.earlier),
    }


def _analysis(analysis: Analysis | None, names: Mapping[int, str]) -> dict[str, Any] | None:
    if not isinstance(analysis, Synthesis):
        return None
    return {
        "consensus": list(analysis.consensus),
        "contradictions": [
            {
                "topic": each.topic,
                "stances": [{"model": names[stand.seat], "stance": stand.stance} for stand in each.stands],
            }
            for each in analysis.contradictions
        ],
        "partial_coverage": [
            {"models": [names[seat] for seat in each.seats], "point": each.point} for each in analysis.partial_coverage
        ],
        "unique_insights": [{"model": names[each.seat], "insight": each.insight} for each in analysis.unique_insights],
        "blind_spots": list(analysis.blind_spots),
    }


def _verification(analysis: Analysis | None, names: Mapping[int, str]) -> dict[str, Any] | None:
    if not isinstance(analysis, Verification):
        return None
    return {
        "claims": [_claim(claim, names) for claim in analysis.claims],
        "ranking": [names[seat] for seat in analysis.ranking],
    }


def _claim(claim: Claim, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "claim": claim.text,
        "finding": claim.finding.value,
        "quote": claim.quote,
        "quote_found": claim.quote_found,
        "members": [
            {
                "model": names[mark.seat],
                "stance": mark.stance.value,
                "quote": mark.quote,
                "quote_found": mark.quote_found,
            }
            for mark in claim.marks
        ],
    }


def _dissent(dissent: Dissent, names: Mapping[int, str]) -> dict[str, Any]:
    return {"model": names[dissent.seat], "topic": dissent.topic, "says": dissent.says, "quote": dissent.quote}


def _degradation(cut: Degradation) -> dict[str, Any]:
    return {"kind": cut.kind, "reason": cut.reason, "seat": cut.seat}


def _line(line: CostLine) -> dict[str, Any]:
    return {
        "role": line.role.value,
        "model": line.model,
        "attempt": line.attempt,
        "usd": _dollars(line.nanousd),
        "basis": line.basis.value,
    }


def _dollars(nanousd: int | None) -> float | None:
    return None if nanousd is None else float(dollars_from_nanousd(nanousd))
