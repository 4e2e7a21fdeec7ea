"""What a workflow aims at, and how its data is treated on the way out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from evaluation.models import Run, Workflow
from evaluation.policies import require_masking_changeable
from panels.fusion.regions import region_code
from panels.services.audit import differences, record_audit

MOST_DAYS = 36_500
MOST_FIELDS = 50
MOST_FIELD_CHARS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowSettings:
    """What a product manager sets. Shares, None for a target that is not set; ``sensitive_fields`` are exact names.

    ``allowed_regions`` are names of regions (none: anywhere), ``max_retention_days`` None is as long as a provider
    likes. The fields are kept where nothing is masked, for when it is again.
    """

    data_class: str
    allowed_regions: tuple[str, ...] = ()
    max_retention_days: int | None = None
    forbids_training: bool = True
    target_accuracy: float | None = None
    target_p95_ms: int | None = None
    target_cost_change: float | None = None
    masks: bool = False
    sensitive_fields: tuple[str, ...] = ()


class InvalidWorkflow(Exception):
    """``problems`` are (field, message) pairs."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(message for _, message in problems))


@transaction.atomic
def change_workflow(*, workflow: Workflow, settings: WorkflowSettings, by: User | None, now: datetime) -> Workflow:
    """Raises InvalidWorkflow with everything that is wrong, and WrongState where an open run is masked otherwise."""
    problems = [*_problems(settings)]
    if problems:
        raise InvalidWorkflow(problems)
    changed = Workflow.objects.select_for_update().get(pk=workflow.pk)
    if (changed.masks, tuple(changed.sensitive_fields)) != (settings.masks, settings.sensitive_fields):
        for run in _open_runs(changed):
            require_masking_changeable(run)
    before = _content(changed)
    _apply(changed, settings)
    changed.save()
    told = differences(before, _content(changed))
    if told:
        subject, label = f"workflow:{changed.slug}", changed.name
        record_audit(action="workflow.changed", actor=by, subject=subject, label=label, detail=told, now=now)
    return changed


def _apply(changed: Workflow, settings: WorkflowSettings) -> None:
    changed.data_class = settings.data_class
    changed.allowed_regions = _codes(settings.allowed_regions)
    changed.max_retention_days = settings.max_retention_days
    changed.forbids_training = settings.forbids_training
    changed.target_accuracy = settings.target_accuracy
    changed.target_p95_ms = settings.target_p95_ms
    changed.target_cost_change = settings.target_cost_change
    changed.masks = settings.masks
    changed.sensitive_fields = list(settings.sensitive_fields)


def _content(workflow: Workflow) -> dict[str, object]:
    """For the audit chain. Fields are named, their values are nowhere."""
    return {
        "data_class": str(workflow.data_class),
        "allowed_regions": list(workflow.allowed_regions),
        "max_retention_days": workflow.max_retention_days,
        "forbids_training": workflow.forbids_training,
        "target_accuracy": workflow.target_accuracy,
        "target_p95_ms": workflow.target_p95_ms,
        "target_cost_change": workflow.target_cost_change,
        "masks": workflow.masks,
        "sensitive_fields": list(workflow.sensitive_fields),
    }


def _codes(regions: Sequence[str]) -> list[str]:
    return sorted({region_code(region) for region in regions})


def _open_runs(workflow: Workflow) -> QuerySet[Run]:
    """Those that the workflow says something about: of its experiments, and on its datasets."""
    concerned = Q(experiment__workflow=workflow) | Q(experiment__dataset_version__dataset__workflow=workflow)
    return Run.objects.unfinished().filter(concerned).select_related("experiment")


def _problems(settings: WorkflowSettings) -> Iterator[tuple[str, str]]:
    if settings.data_class not in Workflow.DataClass.values:
        yield "data_class", "Choose one of the data classes."
    if not all(_codes(settings.allowed_regions)):
        yield "allowed_regions", "Write each region as a code, for example eu or us-east-1, with commas between."
    if settings.max_retention_days is not None and not 0 <= settings.max_retention_days <= MOST_DAYS:
        yield "max_retention_days", f"The time must be a number of days from 0 to {MOST_DAYS:,}, or left empty."
    yield from _target_problems(settings)
    yield from (("sensitive_fields", message) for message in _field_problems(settings.sensitive_fields))


def _target_problems(settings: WorkflowSettings) -> Iterator[tuple[str, str]]:
    if settings.target_accuracy is not None and not 0 <= settings.target_accuracy <= 1:
        yield "target_accuracy", "An accuracy is between 0 and 100 %."
    if settings.target_p95_ms is not None and settings.target_p95_ms <= 0:
        yield "target_p95_ms", "A latency is more than 0 ms."
    if settings.target_cost_change is not None and settings.target_cost_change < -1:
        yield "target_cost_change", "A cost cannot fall by more than 100 %."


def _field_problems(names: Sequence[str]) -> Iterator[str]:
    if len(names) > MOST_FIELDS:
        yield f"These are {len(names):,} fields; mark at most {MOST_FIELDS}."
    if len(set(names)) < len(names) or not all(name.strip() == name and name for name in names):
        yield "Name every field once, without blanks around it."
    for name in names:
        if len(name) > MOST_FIELD_CHARS:
            yield f"The name “{name[:40]}…” is {len(name):,} characters long; fields have at most {MOST_FIELD_CHARS}."
