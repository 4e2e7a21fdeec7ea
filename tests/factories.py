"""Rows for tests, each with as little said as the test needs. Plain functions; what is not named gets a default."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from django.contrib.auth.models import Group, User

from evaluation.models import (
    Arm,
    ArmProgress,
    Batch,
    Dataset,
    DatasetVersion,
    Example,
    Experiment,
    RecordedOutput,
    Run,
    Workflow,
)
from panels.fusion.types import Sampling, StrategyName
from panels.models import Contract, DataClass, LanguageModel, ModelPrice, PanelVersion, Provider, SeatRole, YesNoUnknown
from panels.services.panels import create_panel
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec, StageSpec

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CHOICES = ("A", "B", "C", "D")
_numbers = count(1)


def make_provider(
    *,
    kind: str = Provider.Kind.SIMULATED,
    base_url: str = "http://127.0.0.1:9/v1",
    contracted: bool = True,
    **fields: Any,
) -> Provider:
    """``contracted``: with a contract that allows everything, today and for as long as tests run."""
    number = next(_numbers)
    recorded = kind == Provider.Kind.RECORDED
    defaults = {"slug": f"provider-{number}", "name": f"Provider {number}", "created_at": NOW}
    provider = Provider.objects.create(kind=kind, base_url="" if recorded else base_url, **(defaults | fields))
    if contracted and not recorded:
        make_contract(provider)
    return provider


def make_contract(provider: Provider | None = None, **fields: Any) -> Contract:
    defaults: dict[str, Any] = {
        "has_dpa": YesNoUnknown.YES,
        "has_baa": YesNoUnknown.YES,
        "trains_on_data": YesNoUnknown.NO,
        "regions": ["eu"],
        "retention_days": 0,
        "valid_from": date(2020, 1, 1),
        "valid_until": date(2999, 12, 31),
        "evidence": "https://contracts.example/1",
        "checked_on": date(2020, 1, 1),
        "owner": "Legal",
        "created_at": NOW,
    }
    return Contract.objects.create(provider=provider or make_provider(contracted=False), **(defaults | fields))


def make_model(
    *,
    provider: Provider | None = None,
    price: tuple[int, int] | None = (1_000_000_000, 2_000_000_000),
    **fields: Any,
) -> LanguageModel:
    """``price`` is nano-dollars per million tokens in and out; None is unknown. It may be used for everything."""
    price_in, price_out = price or (None, None)
    defaults = {
        "name": f"model-{next(_numbers)}",
        "created_at": NOW,
        "status": "retired" if fields.get("retired_at") else "approved",
        **may_be_used(),
    }
    model = LanguageModel.objects.create(
        provider=provider or make_provider(),
        price_in_nanousd_per_mtok=price_in,
        price_out_nanousd_per_mtok=price_out,
        **(defaults | fields),
    )
    if price is not None:
        make_price(model)
    return model


def make_price(model: LanguageModel, *, valid_from: datetime = NOW) -> ModelPrice:
    """The row of what the model costs."""
    return ModelPrice.objects.create(
        model=model,
        in_nanousd_per_mtok=model.price_in_nanousd_per_mtok,
        out_nanousd_per_mtok=model.price_out_nanousd_per_mtok,
        valid_from=valid_from,
    )


def may_be_used() -> dict[str, Any]:
    """What the gate asks of a model, for every use."""
    return {
        "licence": "Commercial",
        "output_use": LanguageModel.OutputUse.PRODUCT,
        "allowed_roles": list(SeatRole.values),
        "allowed_data_classes": list(DataClass.values),
    }


def make_panel_version(
    stages: Sequence[Sequence[LanguageModel]],
    *,
    strategy: StrategyName = StrategyName.MAJORITY,
    stop_at: float | None = None,
    settles: bool = False,
    max_tokens: int = 10,
    arbiter: LanguageModel | None = None,
    **arbitration: Any,
) -> PanelVersion:
    """The first version of a new panel; ``settles`` is said of the last stage, ``arbitration`` of the arbiter."""
    last = len(stages) - 1
    sampling = Sampling(max_tokens=max_tokens)
    spec = PanelSpec(
        strategy=strategy,
        stop_at=stop_at,
        arbiter=None if arbiter is None else make_arbiter_spec(arbiter, strategy, **arbitration),
        stages=tuple(
            StageSpec(
                members=tuple(MemberSpec(model_id=model.pk, sampling=sampling) for model in models),
                settles=settles and number == last,
            )
            for number, models in enumerate(stages)
        ),
    )
    return create_panel(name=f"Panel {next(_numbers)}", description="", spec=spec, by=None, now=NOW)


def make_arbiter_spec(model: LanguageModel, strategy: StrategyName, **fields: Any) -> ArbiterSpec:
    defaults: dict[str, Any] = {"model_id": model.pk, "prompt": f"{strategy.value}-1"}
    return ArbiterSpec(**(defaults | fields))


def make_workflow(**fields: Any) -> Workflow:
    number = next(_numbers)
    return Workflow.objects.create(
        **({"slug": f"workflow-{number}", "name": f"Workflow {number}", "created_at": NOW} | fields)
    )


def make_dataset_version(*, examples: int = 4, **fields: Any) -> DatasetVersion:
    """A published version whose examples ask for a letter; the reference of all is A."""
    number = next(_numbers)
    dataset = Dataset.objects.create(slug=f"dataset-{number}", name=f"Dataset {number}", created_at=NOW)
    defaults = {
        "number": 1,
        "answer_kind": "choice",
        "scorer": "exact",
        "content_hash": "0" * 64,
        "example_count": examples,
        "created_at": NOW,
        "published_at": NOW,
    }
    version = DatasetVersion.objects.create(dataset=dataset, **(defaults | fields))
    Example.objects.bulk_create(make_example(version, position) for position in range(examples))
    return version


def make_example(version: DatasetVersion, position: int, *, prompt: str | None = None, **fields: Any) -> Example:
    """Not saved."""
    text = prompt or f"Question {position} of dataset {version.dataset_id}?"
    defaults = {"item_id": f"item-{position}", "title": text[:160], "reference": "A", "choices": list(CHOICES)}
    return Example(
        version=version,
        position=position,
        prompt=json.dumps([{"role": "user", "content": text}]),
        **(defaults | fields),
    )


def make_outputs(version: DatasetVersion, outputs: Mapping[LanguageModel, Sequence[str | None]], **fields: Any) -> None:
    """Recorded outputs by model, one for each example in its order; None leaves the example without one."""
    examples = list(version.examples.order_by("position"))
    RecordedOutput.objects.bulk_create(
        RecordedOutput(example=example, model=model, text=text, **fields)
        for model, texts in outputs.items()
        for example, text in zip(examples, texts, strict=True)
        if text is not None
    )


def make_experiment(
    panels: Sequence[PanelVersion],
    *,
    version: DatasetVersion | None = None,
    replies: str = Experiment.Replies.LIVE,
    **fields: Any,
) -> Experiment:
    """One arm per panel version, the first of them the baseline."""
    defaults = {"title": f"Experiment {next(_numbers)}", "created_at": NOW}
    experiment = Experiment.objects.create(
        dataset_version=version or make_dataset_version(), replies=replies, **(defaults | fields)
    )
    Arm.objects.bulk_create(
        Arm(experiment=experiment, position=place, name=f"arm {place}", panel_version=panel, is_baseline=place == 0)
        for place, panel in enumerate(panels)
    )
    return experiment


def make_run(experiment: Experiment, *, batch: int = 25, **fields: Any) -> Run:
    """A queued run with its batches of ``batch`` examples, as ``start_run`` leaves it, without waking anybody."""
    version = experiment.dataset_version
    arms = list(experiment.arms.order_by("position"))
    defaults = {
        "number": experiment.runs.count() + 1,
        "concurrency": 4,
        "answers_wanted": version.example_count * len(arms),
        "created_at": NOW,
    }
    run = Run.objects.create(experiment=experiment, **(defaults | fields))
    ArmProgress.objects.bulk_create(ArmProgress(run=run, arm=arm) for arm in arms)
    last = version.example_count - 1
    Batch.objects.bulk_create(
        Batch(run=run, number=number, first_position=start, last_position=min(start + batch - 1, last))
        for number, start in enumerate(range(0, version.example_count, batch), start=1)
    )
    return run


def make_user(*groups: str, **fields: Any) -> User:
    """A person in these groups, who cannot log in with a password."""
    user = User.objects.create_user(**({"username": f"person-{next(_numbers)}"} | fields))
    user.groups.add(*Group.objects.filter(name__in=groups))
    return user
