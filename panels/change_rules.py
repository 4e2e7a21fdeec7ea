"""The rules of panel changes over plain values: how risky one is, who has to agree, and what they sign."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias

from panels.models import ChangeDecision, ChangeRequest
from panels.specs import PanelSpec, StageSpec

Range: TypeAlias = tuple[float, float]

_QUORUM = {
    ChangeRequest.Tier.FALL_BACK: 0,
    ChangeRequest.Tier.PARAMETER: 1,
    ChangeRequest.Tier.CONTENT: 2,
    ChangeRequest.Tier.REACH: 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The ranges, bounds included, in which approvers let parameters move later. None lets nothing move.

    ``deadline_s`` is seconds, ``max_cost_nanousd`` the ceiling of a request.
    """

    weights: Range | None = None
    stop_at: Range | None = None
    deadline_s: Range | None = None
    max_cost_nanousd: Range | None = None

    def reaches_beyond(self, other: Envelope) -> bool:
        """Whether it lets anything move that ``other`` holds."""
        return any(
            mine is not None and (theirs is None or mine[0] < theirs[0] or mine[1] > theirs[1])
            for mine, theirs in zip(_ranges(self), _ranges(other), strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a change: what it is, and whom and where it reaches. ``policy`` is the data policy as JSON values."""

    spec: PanelSpec
    providers: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    policy: Mapping[str, Any] = field(default_factory=dict)
    envelope: Envelope = field(default_factory=Envelope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One decision on the request as it stands."""

    verdict: str
    as_compliance: bool = False


def risk_tier(base: Side | None, candidate: Side, *, falls_back: bool = False) -> ChangeRequest.Tier:
    """``base`` is the applied version, None for the first; ``falls_back``: to the approved baseline."""
    if base is None or candidate.policy != base.policy:
        return ChangeRequest.Tier.REACH
    if falls_back:
        return ChangeRequest.Tier.FALL_BACK
    if not (candidate.providers <= base.providers and candidate.regions <= base.regions):
        return ChangeRequest.Tier.REACH
    within = _stays_within(base.spec, candidate.spec, base.envelope)
    if within and not candidate.envelope.reaches_beyond(base.envelope):
        return ChangeRequest.Tier.PARAMETER
    return ChangeRequest.Tier.CONTENT


def quorum_of(tier: int) -> int:
    """How many people have to agree."""
    return _QUORUM[ChangeRequest.Tier(tier)]


def needs_compliance(tier: int) -> bool:
    return tier == ChangeRequest.Tier.REACH


def seats_left(tier: int, votes: Sequence[Vote]) -> int:
    """How many decisions are still to come before the request has its outcome."""
    left = max(0, quorum_of(tier) - len(votes))
    return max(left, 1) if _waits_for_compliance(tier, votes) else left


def takes_only_compliance(tier: int, votes: Sequence[Vote]) -> bool:
    """Whether the last seat is that of compliance."""
    return seats_left(tier, votes) == 1 and _waits_for_compliance(tier, votes)


def outcome_of(tier: int, votes: Sequence[Vote]) -> str | None:
    """The verdict, None while decisions are missing: nobody learns from it what the first one said.

    One refusal outweighs any approval, and a rejection a wish for changes.
    """
    if seats_left(tier, votes):
        return None
    said = {vote.verdict for vote in votes}
    by_weight = (ChangeDecision.Verdict.REJECTED, ChangeDecision.Verdict.CHANGES_REQUESTED)
    return next((verdict.value for verdict in by_weight if verdict in said), ChangeDecision.Verdict.APPROVED.value)


def hash_of(content: object) -> str:
    """SHA-256 (hex) of the canonical JSON, the same before and after a database has kept it."""
    text = json.dumps(_plain(content), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def signed_content(
    *, request: ChangeRequest, candidate_hash: str, base_hash: str | None, evidence_hash: str
) -> dict[str, Any]:
    """All that an approval stands for. ``revision`` is part of it: what was edited back is another request."""
    return {
        "panel": request.panel_id,
        "candidate": candidate_hash,
        "base": base_hash,
        "evidence": evidence_hash,
        "policy": request.policy,
        "envelope": request.envelope,
        "tier": int(request.tier),
        "is_rollback": request.is_rollback,
        "makes_baseline": request.makes_baseline,
        "summary": request.summary,
        "revision": request.revision,
    }


def envelope_json(envelope: Envelope) -> dict[str, list[float]]:
    return {name: list(bounds) for name, bounds in asdict(envelope).items() if bounds is not None}


def envelope_of(stored: Mapping[str, Sequence[float]]) -> Envelope:
    return Envelope(**{name: (bounds[0], bounds[1]) for name, bounds in stored.items()})


def _plain(value: object) -> object:
    """1.0 and 1 are the same number, and so are 0 and -0; databases do not tell them apart."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _waits_for_compliance(tier: int, votes: Sequence[Vote]) -> bool:
    return needs_compliance(tier) and not any(vote.as_compliance for vote in votes)


def _ranges(envelope: Envelope) -> tuple[Range | None, ...]:
    return envelope.weights, envelope.stop_at, envelope.deadline_s, envelope.max_cost_nanousd


def _stays_within(old: PanelSpec, new: PanelSpec, envelope: Envelope) -> bool:
    """Whether nothing but parameters changed, and every changed one lies in its range."""
    if _without_parameters(old) != _without_parameters(new):
        return False
    moved = [(envelope.weights, was.weight, now.weight) for was, now in zip(old.members, new.members, strict=True)] + [
        (envelope.stop_at, old.stop_at, new.stop_at),
        (envelope.deadline_s, old.timing.deadline_s, new.timing.deadline_s),
        (envelope.max_cost_nanousd, old.max_cost_nanousd, new.max_cost_nanousd),
    ]
    return all(_holds(bounds, was, now) for bounds, was, now in moved)


def _holds(bounds: Range | None, was: float | None, now: float | None) -> bool:
    """A setting that comes or goes is no move within a range."""
    if was == now:
        return True
    if bounds is None or now is None or was is None:
        return False
    return bounds[0] <= now <= bounds[1]


def _without_parameters(spec: PanelSpec) -> PanelSpec:
    """Everything that an envelope says nothing of."""
    stages = tuple(
        StageSpec(members=tuple(replace(member, weight=0.0) for member in stage.members), settles=stage.settles)
        for stage in spec.stages
    )
    timing = replace(spec.timing, deadline_s=None)
    return replace(spec, stages=stages, stop_at=None, max_cost_nanousd=None, timing=timing)
