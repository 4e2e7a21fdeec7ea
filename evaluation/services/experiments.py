from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef

from evaluation.models import Arm, DatasetVersion, Experiment, RecordedOutput, Workflow
from panels.fusion.types import AnswerKind
from panels.models import LanguageModel, PanelVersion, Provider
from panels.specs import engine_panel, possible_arbiter


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSpec:
    """One arm to be."""

    name: str
    panel_version: PanelVersion
    is_baseline: bool = False


class InvalidExperiment(Exception):
    """An experiment that could not be run. ``problems`` are (field, message) pairs, fields such as ``arms.1.name``."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(message for _, message in problems))


@transaction.atomic
def create_experiment(
    *,
    title: str,
    workflow: Workflow | None,
    dataset_version: DatasetVersion,
    replies: str,
    arms: Sequence[ArmSpec],
    by: User | None,
    now: datetime,
) -> Experiment:
    """Raises InvalidExperiment with everything that is wrong."""
    problems = [*_experiment_problems(title, dataset_version, replies, arms)]
    for place, arm in enumerate(arms):
        problems += _model_problems(f"arms.{place}", arm.panel_version, dataset_version, replies)
    if problems:
        raise InvalidExperiment(problems)
    experiment = Experiment.objects.create(
        title=title.strip(),
        workflow=workflow,
        dataset_version=dataset_version,
        replies=replies,
        created_at=now,
        created_by=by,
    )
    Arm.objects.bulk_create(_arm_row(experiment, position, arm) for position, arm in enumerate(arms))
    return experiment


def _arm_row(experiment: Experiment, position: int, arm: ArmSpec) -> Arm:
    return Arm(
        experiment=experiment,
        position=position,
        name=arm.name.strip(),
        panel_version=arm.panel_version,
        is_baseline=arm.is_baseline,
    )


def _experiment_problems(
    title: str, version: DatasetVersion, replies: str, arms: Sequence[ArmSpec]
) -> Iterator[tuple[str, str]]:
    if not title.strip():
        yield "title", "Give the experiment a title."
    if version.published_at is None:
        yield "dataset_version", "This dataset version is still being imported."
    if replies not in Experiment.Replies.values:
        yield "replies", "Choose whether to ask the providers or to replay recorded outputs."
    yield from _arm_problems(arms)


def _arm_problems(arms: Sequence[ArmSpec]) -> Iterator[tuple[str, str]]:
    if not arms:
        yield "arms", "An experiment needs at least one arm."
    baselines = sum(arm.is_baseline for arm in arms)
    if arms and baselines != 1:
        yield "arms", f"Exactly one arm must be the baseline, not {baselines}."
    counts = Counter(arm.name.strip() for arm in arms)
    for place, arm in enumerate(arms):
        if not arm.name.strip():
            yield f"arms.{place}.name", "Give the arm a name."
        elif counts[arm.name.strip()] > 1:
            yield f"arms.{place}.name", f"Two arms are named {arm.name.strip()}. Choose different names."


def _model_problems(
    field: str, panel: PanelVersion, version: DatasetVersion, replies: str
) -> Iterator[tuple[str, str]]:
    """A live arm needs models that somebody answers for; a replayed one needs their outputs."""
    outputs = RecordedOutput.objects.filter(model=OuterRef("pk"), example__version=version)
    models = LanguageModel.objects.filter(seats__version=panel).distinct()
    recorded = set(models.filter(Exists(outputs)).values_list("pk", flat=True))
    for model in models.select_related("provider").order_by("pk"):
        if replies == Experiment.Replies.RECORDED:
            if model.pk not in recorded:
                yield field, f"This dataset version holds no recorded outputs of {model.name}."
        elif model.provider.kind == Provider.Kind.RECORDED:
            yield field, f"{model.name} exists only as recorded outputs and cannot be asked. Replay them instead."
        elif model.retired_at is not None:
            yield field, f"{model.name} is retired. Use a panel version without it."
    yield from ((field, message) for message in _arbiter_problems(panel, version))


def _arbiter_problems(panel: PanelVersion, version: DatasetVersion) -> Iterator[str]:
    """An arbiter is asked even where the members' outputs are replayed, so somebody has to answer for it."""
    arbiter = panel.arbiter_model
    if arbiter is None or possible_arbiter(engine_panel(panel), AnswerKind(version.answer_kind)) is None:
        return
    if arbiter.provider.kind == Provider.Kind.RECORDED:
        yield f"{arbiter.name} exists only as recorded outputs and cannot arbitrate. Use a panel version without it."
    elif arbiter.retired_at is not None:
        yield f"{arbiter.name} is retired and cannot arbitrate. Use a panel version without it."
