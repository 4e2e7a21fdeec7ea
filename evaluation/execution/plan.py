"""What a worker has to know about a run before it takes its first batch; read once, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.models import Arm, Experiment, Run
from panels.fusion.pricing import Price
from panels.fusion.types import AnswerKind, Member, Panel
from panels.models import LanguageModel
from panels.specs import engine_panel, inventory_key


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedModel:
    """A model that some arm asks. ``name`` is the provider's own id, ``provider`` its slug, ``kind`` its kind."""

    pk: int
    name: str
    provider: str
    kind: str
    price: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedArm:
    """An arm and its panel. ``twins`` holds each seat's index among equal seats (same model and sampling)."""

    pk: int
    panel: Panel
    twins: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """A run's fixed side. ``replays``: recorded outputs answer. ``reuse``: replies of earlier runs may be taken.

    ``models`` is keyed by inventory key; ``inventory`` holds the same models as rows, with their providers.
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
    inventory: tuple[LanguageModel, ...]


def load_plan(run_id: int) -> RunPlan:
    """Raises Run.DoesNotExist."""
    run = Run.objects.select_related("experiment__dataset_version").get(pk=run_id)
    experiment = run.experiment
    version = experiment.dataset_version
    inventory = tuple(experiment_models(experiment))
    return RunPlan(
        run_id=run.pk,
        replays=experiment.replies == Experiment.Replies.RECORDED,
        reuse=run.reuse_replies,
        answers_wanted=run.answers_wanted,
        version_id=version.pk,
        kind=AnswerKind(version.answer_kind),
        tolerance=version.tolerance,
        scorer=version.scorer,
        arms=plan_arms(experiment),
        models={inventory_key(model.pk): _plan_model(model) for model in inventory},
        inventory=inventory,
    )


def plan_arms(experiment: Experiment) -> tuple[PlannedArm, ...]:
    """The experiment's arms in their order, with their panels as the engine runs them."""
    arms = Arm.objects.filter(experiment=experiment).select_related("panel_version").order_by("position")
    return tuple(map(_plan_arm, arms.prefetch_related("panel_version__members")))


def experiment_models(experiment: Experiment) -> list[LanguageModel]:
    """Every model that some arm of the experiment asks, with its provider."""
    seated = LanguageModel.objects.filter(seats__version__arms__experiment=experiment)
    return list(seated.select_related("provider").order_by("pk").distinct())


def seat_twins(members: tuple[Member, ...]) -> tuple[int, ...]:
    """For each seat, how many earlier seats of the panel have the same model and sampling."""
    identities = [(member.model, member.sampling) for member in members]
    return tuple(identities[:seat].count(identity) for seat, identity in enumerate(identities))


def _plan_arm(arm: Arm) -> PlannedArm:
    panel = engine_panel(arm.panel_version)
    return PlannedArm(pk=arm.pk, panel=panel, twins=seat_twins(panel.members))


def _plan_model(model: LanguageModel) -> PlannedModel:
    price = Price.known(model.price_in_nanousd_per_mtok, model.price_out_nanousd_per_mtok)
    provider = model.provider
    return PlannedModel(pk=model.pk, name=model.name, provider=provider.slug, kind=provider.kind, price=price)
