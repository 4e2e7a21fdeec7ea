"""What the page of one panel version reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from panels.models import Member, Panel, PanelVersion, Provider
from panels.selectors.changes import VersionChanges, stop_words, weight_words
from panels.selectors.costs import RequestCost, Tokens, decides_as_majority, request_cost
from panels.selectors.panels import has_kind, latest_number, version_changes, with_members
from panels.specs import MemberSpec, PanelSpec, spec_of


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
    def stops_at(self) -> str:
        return stop_words(self.version.stop_at)

    @property
    def shows_simulated(self) -> bool:
        return has_kind(self.version.members.all(), Provider.Kind.SIMULATED)

    @property
    def shows_recorded(self) -> bool:
        return has_kind(self.version.members.all(), Provider.Kind.RECORDED)

    @property
    def retired(self) -> tuple[str, ...]:
        names = [seat.model.name for seat in self.version.members.all() if seat.model.retired_at is not None]
        return tuple(dict.fromkeys(names))


def read_version(panel: Panel, number: int | None, *, tokens: Tokens) -> VersionPage | None:
    """The version of this number, the latest if none is given; None if there is no such version."""
    wanted = panel.versions.all() if number is None else panel.versions.filter(number__lte=number)
    version, older = [*with_members(wanted).order_by("-number")[:2], None, None][:2]
    if version is None or number not in {None, version.number}:
        return None
    spec = spec_of(version)
    models = {seat.model_id: seat.model for seat in version.members.all()}
    return VersionPage(
        version=version,
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
    names = {seat.model_id: (seat.model.provider.slug, seat.model.name) for seat in version.members.all()}
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
    return SeatRow(seat=seat, weight=weight_words(member), sampling=", ".join(said))


def _after(spec: PanelSpec, number: int) -> str:
    if number == len(spec.stages):
        if spec.stages[-1].settles:
            return "Its own leading answer is final."
        return "The leading answer of all ballots is final."
    if spec.stop_at is None:
        return "The next stage is always called."
    return f"Stops here at a consensus of {spec.stop_at:g} or more, else the next stage is called."
