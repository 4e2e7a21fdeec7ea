"""What a worker has to know about a run before it takes its first batch; read once, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from evaluation.models import Arm, Experiment, Run
from evaluation.policies import masked_fields
from panels.fusion.pricing import Price
from panels.fusion.replies import seat_twins
from panels.fusion.types import AnswerKind, Arbiter, Panel, StrategyName
from panels.gate import contract_day
from panels.models import LanguageModel, Member, PanelVersion, SeatRole
from panels.selectors.terms import NO_TERMS, ModelTerms, model_terms
from panels.specs import engine_panel, inventory_key, possible_arbiter

_VOTES_ALONE = frozenset({StrategyName.MAJORITY, StrategyName.WEIGHTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedModel:
    """A model that some arm asks. ``name`` is the provider's own id, ``provider`` its slug, ``kind`` its kind.

    ``terms`` are what it is asked under.
    """

    pk: int
    name: str
    provider: str
    kind: str
    price: Price | None
    terms: ModelTerms = NO_TERMS


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedArm:
    """An arm and its panel. ``twins`` holds each seat's index among equal seats (same model and sampling).

    ``arbiter`` is the one that may be asked: None also where the panel has one that answers of this kind never need.
    """

    pk: int
    panel: Panel
    twins: tuple[int, ...]
    arbiter: Arbiter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """A run's fixed side. ``replays``: recorded outputs answer. ``reuse``: replies of earlier runs may be taken.

    ``models`` is keyed by inventory key; ``asked`` holds those that providers are asked for, as rows with providers.
    ``masked_fields`` are as in ``evaluation.policies``; None masks nothing.
    """

    run_id: int
    replays: bool
    reuse: bool
    answers_wanted: int
    version_id: int
    kind: AnswerKind
    tolerance: float
    scorer: str
    arms: tuple[PlannedArm, ...]
    models: Mapping[str, PlannedModel]
    asked: tuple[LanguageModel, ...]
    masked_fields: tuple[str, ...] | None = None

    @property
    def needs_evidence(self) -> bool:
        """Contexts can be long, and a plain vote looks at none of them."""
        return any(arm.panel.strategy not in _VOTES_ALONE for arm in self.arms)

    @property
    def arbiter_arms(self) -> int:
        """How many arms may have to ask an arbiter."""
        return sum(arm.arbiter is not None for arm in self.arms)


def load_plan(run_id: int, *, now: datetime) -> RunPlan:
    """``now`` is the time at which the terms of the models count. Raises Run.DoesNotExist."""
    run = Run.objects.select_related("experiment__dataset_version__dataset__workflow", "experiment__workflow").get(
        pk=run_id
    )
    experiment = run.experiment
    version = experiment.dataset_version
    arms = plan_arms(experiment)
    models = experiment_models(experiment)
    terms = model_terms(models, today=contract_day(now))
    return RunPlan(
        run_id=run.pk,
        replays=experiment.replies == Experiment.Replies.RECORDED,
        reuse=run.reuse_replies,
        answers_wanted=run.answers_wanted,
        version_id=version.pk,
        kind=AnswerKind(version.answer_kind),
        tolerance=version.tolerance,
        scorer=version.scorer,
        arms=arms,
        models={inventory_key(model.pk): plan_model(model, terms[model.pk]) for model in models},
        asked=_asked_of(experiment, arms, models),
        masked_fields=masked_fields(experiment.workflow, version.dataset.workflow),
    )


def plan_arms(experiment: Experiment) -> tuple[PlannedArm, ...]:
    """The experiment's arms in their order, with their panels as the engine runs them."""
    kind = AnswerKind(experiment.dataset_version.answer_kind)
    arms = Arm.objects.filter(experiment=experiment).select_related("panel_version").order_by("position")
    return tuple(_plan_arm(arm, kind) for arm in arms.prefetch_related("panel_version__members"))


def experiment_models(experiment: Experiment) -> list[LanguageModel]:
    """Every model that some arm of the experiment asks, as a member or as an arbiter, with its provider."""
    versions = PanelVersion.objects.filter(arms__experiment=experiment).values("pk")
    seated = Member.objects.filter(version__in=versions).values("model")
    arbitrating = PanelVersion.objects.filter(pk__in=versions, arbiter_model__isnull=False).values("arbiter_model")
    wanted = LanguageModel.objects.filter(Q(pk__in=seated) | Q(pk__in=arbitrating))
    return list(wanted.select_related("provider").order_by("pk"))


def asked_models(experiment: Experiment) -> tuple[LanguageModel, ...]:
    """The models that providers are asked for: in a replay the arbiters alone, whom no recorded data can speak for."""
    return _asked_of(experiment, plan_arms(experiment), experiment_models(experiment))


def asked_roles(experiment: Experiment) -> dict[int, set[str]]:
    """As what each of ``asked_models`` is asked, by primary key."""
    roles: dict[int, set[str]] = {}
    for arm in plan_arms(experiment):
        if arm.arbiter is not None:
            roles.setdefault(int(arm.arbiter.model), set()).add(SeatRole.ARBITER)
        if experiment.replies != Experiment.Replies.RECORDED:
            for member in arm.panel.members:
                roles.setdefault(int(member.model), set()).add(SeatRole.MEMBER)
    return roles


def _asked_of(
    experiment: Experiment, arms: Sequence[PlannedArm], models: Sequence[LanguageModel]
) -> tuple[LanguageModel, ...]:
    wanted = {arm.arbiter.model for arm in arms if arm.arbiter is not None}
    if experiment.replies != Experiment.Replies.RECORDED:
        wanted |= {member.model for arm in arms for member in arm.panel.members}
    return tuple(model for model in models if inventory_key(model.pk) in wanted)


def _plan_arm(arm: Arm, kind: AnswerKind) -> PlannedArm:
    panel = engine_panel(arm.panel_version)
    twins = seat_twins(panel.members)
    return PlannedArm(pk=arm.pk, panel=panel, twins=twins, arbiter=possible_arbiter(panel, kind))


def plan_model(model: LanguageModel, terms: ModelTerms) -> PlannedModel:
    price = Price.known(model.price_in_nanousd_per_mtok, model.price_out_nanousd_per_mtok)
    provider = model.provider
    return PlannedModel(
        pk=model.pk, name=model.name, provider=provider.slug, kind=provider.kind, price=price, terms=terms
    )
