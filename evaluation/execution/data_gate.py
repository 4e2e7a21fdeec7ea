"""The gate of ``panels.gate``, with what a workflow asks of whoever gets its data."""

from __future__ import annotations

from datetime import datetime

from evaluation.execution.plan import asked_models, asked_roles
from evaluation.models import Experiment, Workflow
from panels.gate import DataPolicy, Purpose, contract_day, require_gate, version_seats
from panels.models import DataClass, PanelVersion


def policy_of(workflow: Workflow | None, *, purpose: Purpose) -> DataPolicy:
    """What data of no workflow is, nobody has said: it counts as internal, and nobody may train on it."""
    if workflow is None:
        return DataPolicy(data_class=DataClass.INTERNAL, purpose=purpose)
    return DataPolicy(
        data_class=workflow.data_class,
        regions=tuple(workflow.allowed_regions),
        max_retention_days=workflow.max_retention_days,
        forbids_training=workflow.forbids_training,
        purpose=purpose,
    )


def require_run_gate(experiment: Experiment, *, now: datetime) -> None:
    """For what a run would ask of providers; a replay asks none but arbiters. Raises GateClosed.

    Where the dataset belongs to another workflow than the experiment, both have to let its data go.
    """
    models = asked_models(experiment)
    if not models:
        return
    named = {each for each in (experiment.workflow, experiment.dataset_version.dataset.workflow) if each is not None}
    asking: list[Workflow | None] = [*sorted(named, key=lambda each: each.pk)] or [None]
    for workflow in asking:
        policy = policy_of(workflow, purpose=Purpose.EVALUATION)
        require_gate(policy=policy, models=models, roles=asked_roles(experiment), today=contract_day(now))


def require_live_gate(version: PanelVersion, workflow: Workflow | None, *, now: datetime) -> None:
    """``version`` comes with its members and their models and providers. Raises GateClosed."""
    models, roles = version_seats(version)
    policy = policy_of(workflow, purpose=Purpose.PRODUCT)
    require_gate(policy=policy, models=models, roles=roles, today=contract_day(now))
