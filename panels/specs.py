"""A panel version as plain values: what a form or a file says, what is hashed, what the engine runs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from itertools import groupby

from panels.fusion import types as engine
from panels.fusion.quote import may_ask
from panels.models import Member, PanelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpec:
    """A model's seat. ``model_id`` is the inventory row; where ``skill`` is set, ``weight`` is not used."""

    model_id: int
    weight: float = 1.0
    skill: float | None = None
    sampling: engine.Sampling = field(default_factory=engine.Sampling)
    in_house: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterSpec:
    """The arbiter. ``prompt`` names a versioned text of ``panels.fusion.prompts``."""

    model_id: int
    prompt: str
    when: engine.ArbiterWhen = engine.ArbiterWhen.DISPUTED
    sampling: engine.Sampling = field(default_factory=lambda: engine.Sampling(max_tokens=2048))
    may_be_member: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """Members called at once, in panel order. Only the last stage may settle."""

    members: tuple[MemberSpec, ...]
    settles: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSpec:
    """The whole content of a panel version. ``stop_at`` is a consensus in (0, 1]; None never stops early.

    ``max_cost_nanousd`` is the ceiling of one live request.
    """

    strategy: engine.StrategyName
    stages: tuple[StageSpec, ...]
    stop_at: float | None = None
    arbiter: ArbiterSpec | None = None
    timing: engine.Timing = field(default_factory=engine.Timing)
    max_cost_nanousd: int | None = None

    @property
    def members(self) -> tuple[MemberSpec, ...]:
        return tuple(member for stage in self.stages for member in stage.members)


def spec_of(version: PanelVersion) -> PanelSpec:
    """The spec that would make this version again. Reads ``version.members``."""
    stages = [StageSpec(members=tuple(map(_member_spec, seats))) for seats in _seats_by_stage(version)]
    if version.last_stage_settles:
        stages[-1] = StageSpec(members=stages[-1].members, settles=True)
    return PanelSpec(
        strategy=engine.StrategyName(version.strategy),
        stages=tuple(stages),
        stop_at=version.stop_at,
        arbiter=_arbiter_spec(version),
        timing=engine.Timing(
            min_replies=version.min_replies,
            grace_s=version.grace_s,
            deadline_s=version.deadline_s,
            hedges=version.hedges,
        ),
        max_cost_nanousd=version.max_cost_nanousd,
    )


def content_hash(spec: PanelSpec) -> str:
    """SHA-256 (hex) of the spec's canonical JSON: equal for what would answer equally, whoever wrote it down."""
    content = {
        "strategy": spec.strategy.value,
        "stop_at": _number(spec.stop_at),
        "stages": [
            {"settles": stage.settles, "members": [_member_content(member) for member in stage.members]}
            for stage in spec.stages
        ],
        **_optional_content(spec),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def engine_panel(version: PanelVersion) -> engine.Panel:
    """The version as the engine runs it; a member's ``model`` is the inventory key. Reads ``version.members``."""
    spec = spec_of(version)
    return engine.Panel(
        strategy=spec.strategy,
        stages=tuple(
            engine.Stage(members=tuple(map(_engine_member, stage.members)), settles=stage.settles)
            for stage in spec.stages
        ),
        stop_at=spec.stop_at,
        arbiter=None if spec.arbiter is None else _engine_arbiter(spec.arbiter),
        timing=spec.timing,
        max_cost_nanousd=spec.max_cost_nanousd,
    )


def possible_arbiter(panel: engine.Panel, kind: engine.AnswerKind) -> engine.Arbiter | None:
    """The arbiter that answers of this kind may need; None where the panel has none, never asks it or recuses it."""
    return may_ask(panel, engine.Question(item_id="", messages=(), kind=kind))


def inventory_key(model_id: int) -> str:
    """How the engine names a model: the key of its inventory row."""
    return str(model_id)


def _seats_by_stage(version: PanelVersion) -> list[list[Member]]:
    seats = sorted(version.members.all(), key=lambda member: member.seat)
    return [list(members) for _, members in groupby(seats, key=lambda member: member.stage)]


def _member_spec(member: Member) -> MemberSpec:
    return MemberSpec(
        model_id=member.model_id,
        weight=member.weight,
        skill=member.skill,
        sampling=engine.Sampling(
            max_tokens=member.max_tokens, temperature=member.temperature, top_p=member.top_p, seed=member.seed
        ),
        in_house=member.in_house,
    )


def _arbiter_spec(version: PanelVersion) -> ArbiterSpec | None:
    if version.arbiter_model_id is None:
        return None
    return ArbiterSpec(
        model_id=version.arbiter_model_id,
        prompt=version.arbiter_prompt,
        when=engine.ArbiterWhen(version.arbiter_when),
        sampling=engine.Sampling(
            max_tokens=version.arbiter_max_tokens,
            temperature=version.arbiter_temperature,
            seed=version.arbiter_seed,
        ),
        may_be_member=version.arbiter_may_be_member,
    )


def _engine_arbiter(arbiter: ArbiterSpec) -> engine.Arbiter:
    return engine.Arbiter(
        model=inventory_key(arbiter.model_id),
        prompt=arbiter.prompt,
        when=arbiter.when,
        sampling=arbiter.sampling,
        may_be_member=arbiter.may_be_member,
    )


def _engine_member(member: MemberSpec) -> engine.Member:
    return engine.Member(
        model=inventory_key(member.model_id),
        weight=member.weight,
        skill=member.skill,
        sampling=member.sampling,
        in_house=member.in_house,
    )


def _member_content(member: MemberSpec) -> dict[str, object]:
    sampling = member.sampling
    return {
        "model": member.model_id,
        "weight": _number(member.weight),
        "skill": _number(member.skill),
        "max_tokens": sampling.max_tokens,
        "temperature": _number(sampling.temperature),
        "top_p": _number(sampling.top_p),
        "seed": sampling.seed,
        **({"in_house": True} if member.in_house else {}),
    }


def _optional_content(spec: PanelSpec) -> dict[str, object]:
    """What a panel need not have stands in the content only where it has it: hashes of those without stay the same."""
    timing = spec.timing
    settings: dict[str, object] = {
        "arbiter": None if spec.arbiter is None else _arbiter_content(spec.arbiter),
        "min_replies": timing.min_replies,
        "grace_s": _number(timing.grace_s),
        "deadline_s": _number(timing.deadline_s),
        "hedges": timing.hedges or None,
        "max_cost_nanousd": spec.max_cost_nanousd,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _arbiter_content(arbiter: ArbiterSpec) -> dict[str, object]:
    return {
        "model": arbiter.model_id,
        "prompt": arbiter.prompt,
        "when": arbiter.when.value,
        "max_tokens": arbiter.sampling.max_tokens,
        "temperature": _number(arbiter.sampling.temperature),
        "seed": arbiter.sampling.seed,
        "may_be_member": arbiter.may_be_member,
    }


def _number(value: float | None) -> float | None:
    # 1 and 1.0 are the same weight, and have to be the same text.
    return None if value is None else float(value)
