"""Brings the sample pilot into the database. Each step keeps what is there already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import Group, User

from evaluation.execution.work import work_run
from evaluation.intake.checking import DatasetFiles, ReadingChoices
from evaluation.intake.files import SourceFile
from evaluation.models import DatasetVersion, Experiment, Run, Workflow
from evaluation.sample.change_requests import open_sample_changes
from evaluation.sample.workflows import SALES, WORKFLOWS, SamplePanel, SampleWorkflow
from evaluation.services.experiments import ArmSpec, create_experiment
from evaluation.services.imports import import_files
from evaluation.services.runs import start_run
from panels.fusion.pricing import nanousd_from_dollars
from panels.fusion.prompts import NEWEST
from panels.fusion.types import ArbiterWhen, Sampling
from panels.gate import contract_day, is_in_force, speaking_contracts
from panels.gateway import clients_for
from panels.models import DataClass, LanguageModel, Panel, PanelVersion, Provider, SeatRole, YesNoUnknown
from panels.services.contracts import ContractTerms, record_contract
from panels.services.model_prices import note_prices
from panels.services.panels import create_panel
from panels.simulator.catalogue import MODELS
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec, StageSpec

Clock = Callable[[], datetime]

SIMULATED = "simulated"
PASSWORD = "quorum-sample"
# Login name to group; the last may do everything.
LOGINS = {
    "manager": "product manager",
    "author": "product manager",
    "approver": "approver",
    "approver2": "approver",
    "compliance": "compliance",
    "viewer": "viewer",
    "reviewer": "reviewer",
    "reviewer-2": "reviewer",
    "adjudicator": "adjudicator",
    "admin": "",
}
# Who works in the administration too: approvers decide there, compliance looks things up.
_STAFF = frozenset({"approver", "compliance", ""})
_MAX_TOKENS = 256
_CONCURRENCY = 48
_CAP = Decimal("2.00")


def load_pilot(*, simulator_url: str, clock: Clock) -> list[Experiment]:
    """The whole pilot; gives the experiments that are new, one per workflow, none of them started yet."""
    _create_logins()
    models = _create_models(simulator_url, clock)
    return [experiment for sample in WORKFLOWS if (experiment := _create_experiment(sample, models, clock)) is not None]


def run_pilot(experiments: Iterable[Experiment], *, clock: Clock) -> list[Run]:
    """Starts a run of each. That of the sales assistant is worked on here and now; the workers take the others."""
    return [_start(experiment, clock, here=_is_sales(experiment)) for experiment in experiments]


def _is_sales(experiment: Experiment) -> bool:
    return experiment.workflow is not None and experiment.workflow.slug == SALES.slug


def _start(experiment: Experiment, clock: Clock, *, here: bool) -> Run:
    run = start_run(
        experiment=experiment,
        concurrency=_CONCURRENCY,
        cap_nanousd=nanousd_from_dollars(_CAP),
        reuse_replies=True,
        by=User.objects.get(username="manager"),
        now=clock(),
        wake=not here,
    )
    if here:
        work_run(run_id=run.pk, worker=f"sample:{os.getpid()}", clients_for=clients_for, clock=clock)
        run.refresh_from_db()
        open_sample_changes(run, clock=clock)
    return run


def _create_logins() -> None:
    for name, group in LOGINS.items():
        user, created = User.objects.get_or_create(
            username=name, defaults={"is_staff": group in _STAFF, "is_superuser": not group}
        )
        if created:
            user.set_password(PASSWORD)
            user.save(update_fields=["password"])
            if group:
                user.groups.add(Group.objects.get(name=group))


def _create_models(simulator_url: str, clock: Clock) -> Mapping[str, LanguageModel]:
    """The simulated models by name. The address follows the simulator, which may stand on another port today."""
    provider, _ = Provider.objects.update_or_create(
        slug=SIMULATED,
        defaults={"base_url": simulator_url},
        create_defaults={
            "name": "Simulated models",
            "kind": Provider.Kind.SIMULATED,
            "base_url": simulator_url,
            "created_at": clock(),
        },
    )
    _keep_contract(provider, clock)
    for simulated in MODELS:
        LanguageModel.objects.get_or_create(
            provider=provider,
            name=simulated.id,
            defaults={
                "price_in_nanousd_per_mtok": nanousd_from_dollars(simulated.price_in),
                "price_out_nanousd_per_mtok": nanousd_from_dollars(simulated.price_out),
                "price_source": "invented",
                "licence": "Invented",
                "output_use": LanguageModel.OutputUse.PRODUCT,
                "allowed_roles": list(SeatRole.values),
                "allowed_data_classes": list(DataClass.values),
                "status": LanguageModel.Status.APPROVED,
                "created_at": clock(),
            },
        )
    models = list(LanguageModel.objects.filter(provider=provider))
    note_prices(models=models, now=clock())
    return {model.name: model for model in models}


def _keep_contract(provider: Provider, clock: Clock) -> None:
    """What is simulated goes no further than this machine; its contract lets the pilot through the gate for a year."""
    now = clock()
    today = contract_day(now)
    known = speaking_contracts({provider.pk}, today=today).get(provider.pk)
    if known is None or not is_in_force(known, today):
        terms = ContractTerms(
            has_dpa=YesNoUnknown.YES,
            has_baa=YesNoUnknown.NO,
            trains_on_data=YesNoUnknown.NO,
            regions=["eu"],
            retention_days=0,
            valid_from=today,
            valid_until=today + timedelta(days=365),
            evidence="https://contracts.example/simulated-models",
            checked_on=today,
            owner="Sample pilot",
        )
        record_contract(provider=provider, terms=terms, by=None, now=now)


def _create_experiment(sample: SampleWorkflow, models: Mapping[str, LanguageModel], clock: Clock) -> Experiment | None:
    """None if the workflow has an experiment already: whatever became of it is the user's."""
    workflow = _create_workflow(sample, clock)
    if workflow.experiments.exists():
        return None
    version = _import_examples(sample, workflow, clock)
    arms = [
        ArmSpec(
            name=panel.name,
            panel_version=_create_panel(sample, panel, models, clock),
            is_baseline=panel is sample.baseline,
        )
        for panel in (sample.baseline, *sample.candidates)
    ]
    return create_experiment(
        title=sample.experiment_title,
        workflow=workflow,
        dataset_version=version,
        replies=Experiment.Replies.LIVE,
        arms=arms,
        by=User.objects.get(username="manager"),
        now=clock(),
    )


def _create_workflow(sample: SampleWorkflow, clock: Clock) -> Workflow:
    workflow, _ = Workflow.objects.get_or_create(
        slug=sample.slug,
        defaults={
            "name": sample.name,
            "description": sample.description,
            "data_class": sample.data_class,
            "allowed_regions": list(sample.allowed_regions),
            "max_retention_days": sample.max_retention_days,
            "target_accuracy": sample.target_accuracy,
            "target_p95_ms": sample.target_p95_ms,
            "target_cost_change": sample.target_cost_change,
            "created_at": clock(),
        },
    )
    return workflow


def _import_examples(sample: SampleWorkflow, workflow: Workflow, clock: Clock) -> DatasetVersion:
    imported = import_files(
        name=f"{sample.name} sample",
        files=DatasetFiles(items=SourceFile(path=sample.items, name=sample.items.name)),
        choices=ReadingChoices(kind=sample.kind, scorer=sample.scorer),
        by=None,
        clock=clock,
        workflow=workflow,
    )
    return imported.version


def _create_panel(
    sample: SampleWorkflow, panel: SamplePanel, models: Mapping[str, LanguageModel], clock: Clock
) -> PanelVersion:
    name = f"{sample.name}: {panel.name.lower()}"
    known = PanelVersion.objects.filter(panel__in=Panel.objects.filter(name=name)).order_by("-number").first()
    if known is not None:
        return known
    return create_panel(name=name, description=panel.description, spec=_panel_spec(panel, models), by=None, now=clock())


def _panel_spec(panel: SamplePanel, models: Mapping[str, LanguageModel]) -> PanelSpec:
    weights = iter(panel.weights)
    return PanelSpec(
        strategy=panel.strategy,
        stages=tuple(
            StageSpec(
                members=tuple(
                    MemberSpec(
                        model_id=models[name].pk,
                        weight=next(weights, 1.0),
                        sampling=Sampling(max_tokens=_MAX_TOKENS),
                    )
                    for name in stage.models
                ),
                settles=stage.settles,
            )
            for stage in panel.stages
        ),
        stop_at=panel.stop_at,
        arbiter=_arbiter_spec(panel, models),
    )


def _arbiter_spec(panel: SamplePanel, models: Mapping[str, LanguageModel]) -> ArbiterSpec | None:
    if not panel.arbiter:
        return None
    return ArbiterSpec(model_id=models[panel.arbiter].pk, prompt=NEWEST[panel.strategy], when=ArbiterWhen.ALWAYS)
