"""What two neighbouring versions of a panel do differently, in words that a page can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from panels.fusion.pricing import dollars_from_nanousd
from panels.fusion.types import ArbiterWhen
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec, StageSpec

Seat = tuple[int, int]  # inventory key, and which of the equal ones it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing as it was and as it is now; both alike where nothing changed."""

    label: str
    was: str
    now: str

    @property
    def is_changed(self) -> bool:
        return self.was != self.now

    @property
    def words(self) -> str:
        return f"{self.label} {self.was} → {self.now}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChange:
    """``mark`` is add, del, chg or same."""

    mark: str
    model_id: int
    name: str
    settings: tuple[Setting, ...]

    @property
    def words(self) -> str:
        if self.mark in {"add", "del"}:
            return f"{self.name} {'added' if self.mark == 'add' else 'removed'}"
        changed = ", ".join(setting.words for setting in self.settings if setting.is_changed)
        return f"{self.name}: {changed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChanges:
    """``members`` holds all of both versions, in panel order, those that left last; ``settings`` only changed ones."""

    settings: tuple[Setting, ...]
    members: tuple[MemberChange, ...]

    @property
    def words(self) -> tuple[str, ...]:
        members = tuple(member.words for member in self.members if member.mark != "same")
        return (*members, *(setting.words for setting in self.settings))


def changes_between(old: PanelSpec, new: PanelSpec, *, names: Mapping[int, str]) -> VersionChanges:
    """``names`` has the name of every model of both specs."""
    before, after = _seats(old), _seats(new)
    kept = [_member_change(seat, before, after, names) for seat in after]
    gone = [_member_change(seat, before, after, names) for seat in before if seat not in after]
    changed = (*_schedule_changes(old, new), *_arbiter_changes(old, new, names), *_live_changes(old, new))
    settings = (*(setting for setting in changed if setting.is_changed), *_order_change(before, after, names))
    return VersionChanges(settings=settings, members=(*kept, *gone))


def changes_from_nothing(new: PanelSpec, *, names: Mapping[int, str]) -> VersionChanges:
    """All of the first version that is to be applied, as if a panel without members had been there."""
    empty = tuple(StageSpec(members=(), settles=stage.settles) for stage in new.stages)
    return changes_between(PanelSpec(strategy=new.strategy, stages=empty), new, names=names)


def weight_words(member: MemberSpec) -> str:
    return f"{member.weight:g}" if member.skill is None else f"from skill {member.skill:.3g}"


def stop_words(stop_at: float | None) -> str:
    return "never" if stop_at is None else f"{stop_at:g}"


def _seats(spec: PanelSpec) -> dict[Seat, tuple[int, MemberSpec]]:
    """Stage number from 1 and member of every seat, in panel order."""
    seen: Counter[int] = Counter()
    seats: dict[Seat, tuple[int, MemberSpec]] = {}
    for number, stage in enumerate(spec.stages, start=1):
        for member in stage.members:
            seats[member.model_id, seen[member.model_id]] = number, member
            seen[member.model_id] += 1
    return seats


def _member_change(
    seat: Seat,
    before: Mapping[Seat, tuple[int, MemberSpec]],
    after: Mapping[Seat, tuple[int, MemberSpec]],
    names: Mapping[int, str],
) -> MemberChange:
    was, now = before.get(seat), after.get(seat)
    old, new = _settings_of(was or now), _settings_of(now or was)
    settings = tuple(Setting(label=label, was=old[label], now=new[label]) for label in old)
    mark = "add" if was is None else "del" if now is None else "chg" if old != new else "same"
    return MemberChange(mark=mark, model_id=seat[0], name=names.get(seat[0], "unknown model"), settings=settings)


def _settings_of(seated: tuple[int, MemberSpec] | None) -> dict[str, str]:
    if seated is None:
        return {}
    stage, member = seated
    sampling = member.sampling
    return {
        "stage": str(stage),
        "weight": weight_words(member),
        "longest output": f"{sampling.max_tokens:,}",
        "temperature": _or_default(sampling.temperature),
        "top P": _or_default(sampling.top_p),
        "seed": "not sent" if sampling.seed is None else str(sampling.seed),
        "in-house": _yes(member.in_house),
    }


def _or_default(value: float | None) -> str:
    return "not sent" if value is None else f"{value:g}"


def _schedule_changes(old: PanelSpec, new: PanelSpec) -> tuple[Setting, ...]:
    return (
        Setting(label="strategy", was=old.strategy.value, now=new.strategy.value),
        Setting(label="stops at consensus", was=stop_words(old.stop_at), now=stop_words(new.stop_at)),
        Setting(label="stages", was=str(len(old.stages)), now=str(len(new.stages))),
        Setting(label="last stage settles", was=_settles(old), now=_settles(new)),
    )


def _arbiter_changes(old: PanelSpec, new: PanelSpec, names: Mapping[int, str]) -> tuple[Setting, ...]:
    """What the arbiter is set to counts where both versions have one; else that it came or left says it all."""
    settings = [Setting(label="arbiter", was=_arbiter_name(old, names), now=_arbiter_name(new, names))]
    if old.arbiter is not None and new.arbiter is not None:
        was, now = _arbiter_settings(old.arbiter), _arbiter_settings(new.arbiter)
        settings += [Setting(label=label, was=was[label], now=now[label]) for label in was]
    return tuple(settings)


def _arbiter_name(spec: PanelSpec, names: Mapping[int, str]) -> str:
    return "none" if spec.arbiter is None else names.get(spec.arbiter.model_id, "unknown model")


def _arbiter_settings(arbiter: ArbiterSpec) -> dict[str, str]:
    sampling = arbiter.sampling
    return {
        "arbiter asked": "when disputed" if arbiter.when is ArbiterWhen.DISPUTED else "always",
        "arbiter’s prompt": arbiter.prompt,
        "arbiter’s longest output": f"{sampling.max_tokens:,}",
        "arbiter’s temperature": _or_default(sampling.temperature),
        "arbiter’s seed": "not sent" if sampling.seed is None else str(sampling.seed),
        "arbiter may be a member": _yes(arbiter.may_be_member),
    }


def _live_changes(old: PanelSpec, new: PanelSpec) -> tuple[Setting, ...]:
    was, now = live_words(old), live_words(new)
    return tuple(Setting(label=label, was=was[label], now=now[label]) for label in was)


def live_words(spec: PanelSpec) -> dict[str, str]:
    """What a live answer may wait and cost, by label."""
    timing, ceiling = spec.timing, spec.max_cost_nanousd
    return {
        "least replies": "more than half" if timing.min_replies is None else str(timing.min_replies),
        "grace period": "none set" if timing.grace_s is None else f"{timing.grace_s:g} s",
        "deadline": "none" if timing.deadline_s is None else f"{timing.deadline_s:g} s",
        "slowest asked twice": _yes(timing.hedges),
        "ceiling": "none" if ceiling is None else f"${dollars_from_nanousd(ceiling).normalize():f}",
    }


def _yes(said: bool) -> str:
    return "yes" if said else "no"


def _settles(spec: PanelSpec) -> str:
    return _yes(spec.stages[-1].settles)


def _order_change(
    before: Mapping[Seat, object], after: Mapping[Seat, object], names: Mapping[int, str]
) -> tuple[Setting, ...]:
    """Panel order breaks ties, so it counts. Who came or left shifts the others, which is no change of theirs."""
    was = [seat for seat in before if seat in after]
    now = [seat for seat in after if seat in before]
    if was == now:
        return ()
    old, new = (", ".join(names.get(seat[0], "unknown model") for seat in seats) for seats in (was, now))
    return (Setting(label="order", was=old, now=new),)
