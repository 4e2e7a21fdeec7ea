"""What the page of one panel version reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from panels.fusion.types import ArbiterWhen, StrategyName
from panels.models import Member, Panel, PanelVersion, Provider
from panels.selectors.changes import VersionChanges, live_words, stop_words, weight_words
from panels.selectors.costs import RequestCost, Tokens, decides_as_majority, request_cost
from panels.selectors.panels import has_kind, latest_number, models_of, version_changes, with_members
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec, spec_of

_COUNTING = {
    StrategyName.MAJORITY: "Majority: every ballot counts one; weights are not used.",
    StrategyName.WEIGHTED: "Weighted: the members’ weights behind an answer add up.",
    StrategyName.VERIFICATION: "Verification: ballots are counted; what is disputed is checked claim by claim.",
    StrategyName.SYNTHESIS: "Synthesis: ballots are counted; what is disputed is written anew from all answers.",
    StrategyName.AUTO: "Automatic: closed answers vote, answers with evidence are verified, open ones synthesised.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatRow:
    """``weight`` and ``sampling`` in words."""

    seat: Member
    weight: str
    sampling: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """``number`` counts from 1. ``after`` says in words what happens when the stage has answered."""

    number: int
    seats: tuple[SeatRow, ...]
    settles: bool
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """``changes`` is against the version before, None for the first."""

    version: PanelVersion
    spec: PanelSpec
    latest: int
    stages: tuple[StageRow, ...]
    cost: RequestCost
    decides_as_majority: bool
    changes: VersionChanges | None
    previous: int | None

    @property
    def is_latest(self) -> bool:
        return self.version.number == self.latest

    @property
    def is_weighted(self) -> bool:
        return self.version.strategy == PanelVersion.Strategy.WEIGHTED

    @property
    def counting(self) -> str:
        """How ballots are counted, and what else decides, in words."""
        return _COUNTING[StrategyName(self.version.strategy)]

    @property
    def live(self) -> dict[str, str]:
        return live_words(self.spec)

    @property
    def stops_at(self) -> str:
        return stop_words(self.version.stop_at)

    @property
    def shows_simulated(self) -> bool:
        return has_kind(self.version, Provider.Kind.SIMULATED)

    @property
    def shows_recorded(self) -> bool:
        return has_kind(self.version, Provider.Kind.RECORDED)

    @property
    def retired(self) -> tuple[str, ...]:
        return tuple(model.name for model in models_of(self.version).values() if model.retired_at is not None)


def read_version(panel: Panel, number: int | None, *, tokens: Tokens) -> VersionPage | None:
    """The version of this number, the latest if none is given; None if there is no such version."""
    wanted = panel.versions.all() if number is None else panel.versions.filter(number__lte=number)
    version, older = [*with_members(wanted).order_by("-number")[:2], None, None][:2]
    if version is None or number not in {None, version.number}:
        return None
    spec = spec_of(version)
    models = models_of(version)
    return VersionPage(
        version=version,
        spec=spec,
        latest=version.number if number is None else latest_number(panel),
        stages=_stages(version, spec),
        cost=request_cost(spec, models=models, tokens=tokens),
        decides_as_majority=decides_as_majority(spec),
        changes=version_changes(older, version) if older else None,
        previous=older.number if older else None,
    )


def spec_json(version: PanelVersion) -> dict[str, Any]:
    """The version as a file: models by provider slug and id, so that it can be read elsewhere. Needs members."""
    spec = spec_of(version)
    names = {key: (model.provider.slug, model.name) for key, model in models_of(version).items()}
    return {
        "panel": version.panel.slug,
        "version": version.number,
        "content_hash": version.content_hash,
        "strategy": spec.strategy.value,
        "stop_at": spec.stop_at,
        "stages": [
            {"settles": stage.settles, "members": [_member_json(member, names) for member in stage.members]}
            for stage in spec.stages
        ],
        "arbiter": None if spec.arbiter is None else _arbiter_json(spec.arbiter, names),
        "live": {
            "min_replies": spec.timing.min_replies,
            "grace_s": spec.timing.grace_s,
            "deadline_s": spec.timing.deadline_s,
            "hedges": spec.timing.hedges,
            "max_cost_nanousd": spec.max_cost_nanousd,
        },
    }


def _member_json(member: MemberSpec, names: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    provider, name = names[member.model_id]
    sampling = member.sampling
    return {
        "provider": provider,
        "model": name,
        "weight": member.weight,
        "skill": member.skill,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "in_house": member.in_house,
    }


def _arbiter_json(arbiter: ArbiterSpec, names: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    provider, name = names[arbiter.model_id]
    return {
        "provider": provider,
        "model": name,
        "prompt": arbiter.prompt,
        "when": arbiter.when.value,
        "max_tokens": arbiter.sampling.max_tokens,
        "temperature": arbiter.sampling.temperature,
        "seed": arbiter.sampling.seed,
        "may_be_member": arbiter.may_be_member,
    }


def _stages(version: PanelVersion, spec: PanelSpec) -> tuple[StageRow, ...]:
    rows = zip(version.members.all(), spec.members, strict=True)
    staged = [list(pairs) for _, pairs in groupby(rows, key=lambda pair: pair[0].stage)]
    return tuple(
        StageRow(
            number=number,
            seats=tuple(_seat_row(seat, member) for seat, member in pairs),
            settles=spec.stages[number - 1].settles,
            after=_after(spec, number),
        )
        for number, pairs in enumerate(staged, start=1)
    )


def _seat_row(seat: Member, member: MemberSpec) -> SeatRow:
    sampling = member.sampling
    said = [f"at most {sampling.max_tokens:,} tokens"]
    said += [f"temperature {sampling.temperature:g}"] if sampling.temperature is not None else []
    said += [f"top P {sampling.top_p:g}"] if sampling.top_p is not None else []
    said += [f"seed {sampling.seed}"] if sampling.seed is not None else []
    said += ["in-house"] if member.in_house else []
    return SeatRow(seat=seat, weight=weight_words(member), sampling=", ".join(said))


def _after(spec: PanelSpec, number: int) -> str:
    if number == len(spec.stages):
        return _after_last(spec)
    if spec.stop_at is None:
        return "The next stage is always called."
    return f"Stops here at a consensus of {spec.stop_at:g} or more, else the next stage is called."


def _after_last(spec: PanelSpec) -> str:
    if spec.stages[-1].settles:
        return "Its own leading answer is final."
    if spec.arbiter is None:
        return "The leading answer of all ballots is final."
    if spec.arbiter.when is ArbiterWhen.ALWAYS:
        return "The arbiter is asked every time."
    needed = "all members agree" if spec.stop_at is None else f"the consensus reaches {spec.stop_at:g}"
    return f"Unless {needed}, the arbiter is asked."
