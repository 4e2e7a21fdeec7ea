from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.text import slugify

from panels.fusion.pricing import NANOUSD_PER_USD
from panels.fusion.prompts import NEWEST, PROMPTS
from panels.fusion.types import Sampling, StrategyName
from panels.models import LanguageModel, Member, Panel, PanelVersion
from panels.services.audit import record_audit
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec, content_hash

Problems = tuple[tuple[str, str], ...]

_MAX_MEMBERS = 50
_MAX_TEMPERATURE = 2.0
_MOST_NANOUSD = 1_000 * NANOUSD_PER_USD
_NEEDS_ARBITER = frozenset({StrategyName.VERIFICATION, StrategyName.SYNTHESIS})
# What an arbiter may be asked to do under each strategy that has one.
_ARBITRATIONS = {
    StrategyName.VERIFICATION: (StrategyName.VERIFICATION,),
    StrategyName.SYNTHESIS: (StrategyName.SYNTHESIS,),
    StrategyName.AUTO: (StrategyName.VERIFICATION, StrategyName.SYNTHESIS),
}
_RESERVED_SLUGS = frozenset({"new"})  # the pages have an address of their own there
_NAME_TAKEN = "Another panel already has this name. Choose another, or add a version to that panel."


class InvalidPanel(Exception):
    """A panel that cannot be saved. ``problems`` are (field, message) pairs, fields such as ``stages.1.members.0``."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{field}: {message}" for field, message in problems))


class UnchangedPanel(Exception):
    """The panel already has a version of exactly this content."""

    def __init__(self, version: PanelVersion) -> None:
        self.version = version
        super().__init__(f"Version {version.number} of this panel already has exactly this content.")


@transaction.atomic
def create_panel(
    *, name: str, description: str, spec: PanelSpec, by: User | None, now: datetime, slug: str = ""
) -> PanelVersion:
    """A new panel with its first version. Raises InvalidPanel."""
    slug = slug or slugify(name)[:80]
    problems = (*_name_problems(name, slug), *_spec_problems(spec))
    if problems:
        raise InvalidPanel(problems)
    try:
        with transaction.atomic():
            panel = Panel.objects.create(slug=slug, name=name, description=description, created_at=now, created_by=by)
    except IntegrityError as error:  # somebody took the name in between
        raise InvalidPanel((("name", _NAME_TAKEN),)) from error
    return _save_version(panel, spec, number=1, by=by, now=now)


@transaction.atomic
def add_version(*, panel: Panel, spec: PanelSpec, by: User | None, now: datetime) -> PanelVersion:
    """The panel's next version. Raises InvalidPanel, and UnchangedPanel if one of its versions says the same."""
    validate_spec(spec)
    Panel.objects.select_for_update().get(pk=panel.pk)  # two new versions at once take two numbers
    same = panel.versions.filter(content_hash=content_hash(spec)).first()
    if same is not None:
        raise UnchangedPanel(same)
    latest = panel.versions.aggregate(latest=Max("number"))["latest"] or 0
    return _save_version(panel, spec, number=latest + 1, by=by, now=now)


def validate_spec(spec: PanelSpec) -> None:
    """Raises InvalidPanel with everything that is wrong, not only the first thing."""
    problems = tuple(_spec_problems(spec))
    if problems:
        raise InvalidPanel(problems)


def _save_version(panel: Panel, spec: PanelSpec, *, number: int, by: User | None, now: datetime) -> PanelVersion:
    version = PanelVersion.objects.create(
        panel=panel,
        number=number,
        strategy=spec.strategy.value,
        stop_at=spec.stop_at,
        last_stage_settles=spec.stages[-1].settles,
        min_replies=spec.timing.min_replies,
        grace_s=spec.timing.grace_s,
        deadline_s=spec.timing.deadline_s,
        hedges=spec.timing.hedges,
        max_cost_nanousd=spec.max_cost_nanousd,
        content_hash=content_hash(spec),
        created_at=now,
        created_by=by,
        **_arbiter_columns(spec.arbiter),
    )
    Member.objects.bulk_create(_seats(version, spec))
    record_audit(
        action="panel.version_created",
        actor=by,
        subject=f"panel:{panel.slug}@{number}",
        label=panel.name,
        detail={"content_hash": version.content_hash, "strategy": version.strategy, "members": len(spec.members)},
        now=now,
    )
    return version


def _seats(version: PanelVersion, spec: PanelSpec) -> Iterator[Member]:
    staged = [(stage, member) for stage, spec_stage in enumerate(spec.stages) for member in spec_stage.members]
    for seat, (stage, member) in enumerate(staged):
        yield Member(
            version=version,
            model_id=member.model_id,
            stage=stage,
            seat=seat,
            weight=member.weight,
            skill=member.skill,
            max_tokens=member.sampling.max_tokens,
            temperature=member.sampling.temperature,
            top_p=member.sampling.top_p,
            seed=member.sampling.seed,
            in_house=member.in_house,
        )


def _arbiter_columns(arbiter: ArbiterSpec | None) -> dict[str, object]:
    if arbiter is None:
        return {}
    return {
        "arbiter_model_id": arbiter.model_id,
        "arbiter_prompt": arbiter.prompt,
        "arbiter_when": arbiter.when.value,
        "arbiter_max_tokens": arbiter.sampling.max_tokens,
        "arbiter_temperature": arbiter.sampling.temperature,
        "arbiter_seed": arbiter.sampling.seed,
        "arbiter_may_be_member": arbiter.may_be_member,
    }


def _name_problems(name: str, slug: str) -> Iterator[tuple[str, str]]:
    if not name.strip():
        yield "name", "Give the panel a name."
    elif not slug:
        yield "name", "The name needs at least one letter or digit from a to z, 0 to 9."
    elif slug in _RESERVED_SLUGS:
        yield "name", "The pages use this name themselves. Choose another."
    elif Panel.objects.filter(slug=slug).exists():
        yield "name", _NAME_TAKEN


def _spec_problems(spec: PanelSpec) -> Iterator[tuple[str, str]]:
    arbiter = set() if spec.arbiter is None else {spec.arbiter.model_id}
    models = LanguageModel.objects.in_bulk({member.model_id for member in spec.members} | arbiter)
    yield from _schedule_problems(spec)
    yield from _arbiter_problems(spec, models)
    yield from _live_problems(spec)
    for number, stage in enumerate(spec.stages):
        if not stage.members:
            yield f"stages.{number}", f"Stage {number + 1} has no members. Add one, or remove the stage."
        for seat, member in enumerate(stage.members):
            field = f"stages.{number}.members.{seat}"
            yield from ((f"{field}.{name}", message) for name, message in _member_problems(member, models))


def _schedule_problems(spec: PanelSpec) -> Iterator[tuple[str, str]]:
    if not spec.stages:
        yield "stages", "A panel needs at least one stage with one member."
    if len(spec.members) > _MAX_MEMBERS:
        yield "stages", f"A panel has at most {_MAX_MEMBERS} members."
    if spec.stop_at is not None and not 0 < spec.stop_at <= 1:
        yield "stop_at", "The consensus to stop at must be above 0 and at most 1, or left empty to never stop early."
    for number, stage in enumerate(spec.stages[:-1]):
        if stage.settles:
            yield f"stages.{number}.settles", "Only the last stage can settle."


def _arbiter_problems(spec: PanelSpec, models: Mapping[int, LanguageModel]) -> Iterator[tuple[str, str]]:
    arbiter = spec.arbiter
    if arbiter is None:
        if spec.strategy in _NEEDS_ARBITER:
            yield "arbiter", f"The strategy {spec.strategy.value} needs an arbiter. Choose its model."
        return
    if spec.strategy not in _ARBITRATIONS:
        yield "arbiter", "Majority and weighted ask no arbiter. Clear this, or choose another strategy."
        return
    model = models.get(arbiter.model_id)
    yield from (("arbiter", message) for message in _model_problems(model))
    if not arbiter.may_be_member and arbiter.model_id in {member.model_id for member in spec.members}:
        yield "arbiter", "This model also sits on the panel. Choose another, or allow the arbiter to be a member."
    if set(_ARBITRATIONS[spec.strategy]) - set(PROMPTS.get(arbiter.prompt, {})):
        yield "arbiter", f"{arbiter.prompt} is no prompt for this strategy. The newest is {NEWEST[spec.strategy]}."
    yield from ((f"arbiter_{name}", message) for name, message in _sampling_problems(arbiter.sampling, model))


def _live_problems(spec: PanelSpec) -> Iterator[tuple[str, str]]:
    timing = spec.timing
    if timing.min_replies is not None and not 1 <= timing.min_replies <= len(spec.members):
        yield "min_replies", "The least number of replies must lie between 1 and the number of members."
    if timing.grace_s is not None and not (math.isfinite(timing.grace_s) and timing.grace_s >= 0):
        yield "grace_s", "The grace period must be a number of seconds, 0 or more."
    if timing.deadline_s is not None and not (math.isfinite(timing.deadline_s) and timing.deadline_s > 0):
        yield "deadline_s", "The deadline must be a number of seconds above 0, or left empty for none."
    if spec.max_cost_nanousd is not None and not 0 < spec.max_cost_nanousd <= _MOST_NANOUSD:
        yield "max_cost", "The ceiling must be above 0 and at most 1,000 dollars, or left empty for none."


def _model_problems(model: LanguageModel | None) -> Iterator[str]:
    if model is None:
        yield "There is no such model in the inventory."
    elif model.retired_at is not None:
        yield f"{model.name} is retired. Choose another model."
    elif model.status == LanguageModel.Status.RESTRICTED:
        yield f"{model.name} is restricted: it stays where it sits and takes no new seat. Choose another model."


def _member_problems(member: MemberSpec, models: Mapping[int, LanguageModel]) -> Iterator[tuple[str, str]]:
    model = models.get(member.model_id)
    yield from (("model", message) for message in _model_problems(model))
    if not (math.isfinite(member.weight) and member.weight >= 0):
        yield "weight", "The weight must be a number, 0 or more."
    if member.skill is not None and not 0 < member.skill < 1:
        yield "skill", "The skill must lie between 0 and 1, both excluded."
    yield from _sampling_problems(member.sampling, model)


def _sampling_problems(sampling: Sampling, model: LanguageModel | None) -> Iterator[tuple[str, str]]:
    limit = model.max_output_tokens if model is not None else None
    if sampling.max_tokens < 1:
        yield "max_tokens", "The longest output must be at least 1 token."
    elif limit is not None and sampling.max_tokens > limit:
        yield "max_tokens", f"This model writes at most {limit} tokens."
    if sampling.temperature is not None and not 0 <= sampling.temperature <= _MAX_TEMPERATURE:
        yield "temperature", f"The temperature must lie between 0 and {_MAX_TEMPERATURE:g}."
    if sampling.top_p is not None and not 0 < sampling.top_p <= 1:
        yield "top_p", "Top P must be above 0 and at most 1."
