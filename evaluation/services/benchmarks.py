"""A comparison that a spec file describes, from its files to a run that is ready to be worked on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from django.utils.text import slugify

from evaluation.execution.skills import Labels, UnlabelledData, UnreadableLabels, estimate_skills
from evaluation.intake.benchmark_spec import ArmTable, BadSpec, BenchmarkSpec, DatasetTable, LabelledFiles
from evaluation.intake.checking import DatasetFiles, ReadingChoices
from evaluation.intake.files import SourceFile
from evaluation.models import DatasetVersion, Experiment, Run
from evaluation.services.experiments import ArmSpec, InvalidExperiment, create_experiment
from evaluation.services.imports import ImportRejected, import_files
from evaluation.services.runs import UnknownPrice, start_run
from panels.fusion.pricing import nanousd_from_dollars
from panels.fusion.types import Sampling
from panels.gate import GateClosed
from panels.gateway import MissingKey
from panels.models import LanguageModel, Panel, PanelVersion
from panels.services.panels import InvalidPanel, UnchangedPanel, add_version, create_panel
from panels.specs import MemberSpec, PanelSpec, StageSpec

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Benchmark:
    """What every step needs: the spec, the dataset it became, its models by the names a spec may use, the clock."""

    spec: BenchmarkSpec
    version: DatasetVersion
    models: Mapping[str, LanguageModel]
    clock: Clock

    @property
    def replays(self) -> bool:
        return self.spec.dataset.recorded is not None


def start_benchmark(*, spec: BenchmarkSpec, clock: Clock) -> Run:
    """Imports the dataset, makes the panels and the experiment, and queues a run that nobody is woken for.

    What was made before with the same content is used again. Raises BadSpec, in one line, for whatever cannot be run.
    """
    version = _import_dataset(spec.dataset, clock)
    benchmark = _Benchmark(spec=spec, version=version, models=_models_by_name(spec, version), clock=clock)
    arms = [
        ArmSpec(name=arm.name, panel_version=_panel_version(arm, benchmark), is_baseline=arm.baseline)
        for arm in spec.arm
    ]
    replies = Experiment.Replies.RECORDED if benchmark.replays else Experiment.Replies.LIVE
    try:
        experiment = create_experiment(
            title=spec.title,
            workflow=version.dataset.workflow,
            dataset_version=version,
            replies=replies,
            arms=arms,
            by=None,
            now=clock(),
        )
        return _start(experiment, spec, clock)
    except (InvalidExperiment, UnknownPrice, MissingKey, GateClosed) as error:
        raise BadSpec(str(error)) from error


def _start(experiment: Experiment, spec: BenchmarkSpec, clock: Clock) -> Run:
    ceiling = spec.run.max_cost_usd
    return start_run(
        experiment=experiment,
        concurrency=spec.run.concurrency,
        cap_nanousd=None if ceiling is None else nanousd_from_dollars(ceiling),
        reuse_replies=spec.run.reuse,
        by=None,
        now=clock(),
        wake=False,
    )


def _import_dataset(table: DatasetTable, clock: Clock) -> DatasetVersion:
    files = DatasetFiles(
        items=_source(table.items),
        recorded=_source(table.recorded) if table.recorded else None,
        models=_source(table.models) if table.models else None,
    )
    choices = ReadingChoices(kind=table.answer, scorer=table.scorer, tolerance=table.tolerance)
    try:
        return import_files(name=dataset_name(table), files=files, choices=choices, by=None, clock=clock).version
    except ImportRejected as error:
        first, *more = error.problems
        also = f" (and {len(more)} more)" if more else ""
        raise BadSpec(f"{first}{also}") from error


def _source(path: Path) -> SourceFile:
    return SourceFile(path=path, name=path.name)


def dataset_name(table: DatasetTable) -> str:
    """Named for where the file lies, so that the same data under another title is the same dataset."""
    stem = table.items.name.split(".", 1)[0]
    return f"{table.items.resolve().parent.name} {stem}"


def _models_by_name(spec: BenchmarkSpec, version: DatasetVersion) -> dict[str, LanguageModel]:
    """Recorded models by name; live ones by ``provider/name``, and by name alone where only one provider has it."""
    if spec.dataset.recorded is not None:
        return {model.name: model for model in LanguageModel.objects.filter(provider=version.recorded_by)}
    by_name: defaultdict[str, list[LanguageModel]] = defaultdict(list)
    for model in LanguageModel.objects.available().callable().select_related("provider").order_by("pk"):
        by_name[model.name].append(model)
        by_name[f"{model.provider.slug}/{model.name}"].append(model)
    return {name: models[0] for name, models in by_name.items() if len(models) == 1}


def _panel_version(arm: ArmTable, benchmark: _Benchmark) -> PanelVersion:
    spec = _panel_spec(arm, benchmark)
    name = f"{arm.name} ({benchmark.version.dataset.name})"[:120]
    slug = slugify(f"{benchmark.version.dataset.slug[:40]} {arm.name}")[:80]
    panel = Panel.objects.filter(slug=slug).first()
    try:
        if panel is not None:
            return add_version(panel=panel, spec=spec, by=None, now=benchmark.clock())
        return create_panel(name=name, description="", spec=spec, by=None, now=benchmark.clock(), slug=slug)
    except UnchangedPanel as same:
        return same.version
    except InvalidPanel as error:
        raise BadSpec(f'arm "{arm.name}": {error}') from error


def _panel_spec(arm: ArmTable, benchmark: _Benchmark) -> PanelSpec:
    members = iter(_members(arm, benchmark))
    return PanelSpec(
        strategy=arm.strategy,
        stages=tuple(
            StageSpec(members=tuple(next(members) for _ in stage.members), settles=stage.settles)
            for stage in arm.schedule
        ),
        stop_at=arm.stop_at,
    )


def _members(arm: ArmTable, benchmark: _Benchmark) -> list[MemberSpec]:
    sampling = Sampling(max_tokens=arm.max_tokens, temperature=arm.temperature)
    weights = arm.weights or (1.0,) * len(arm.member_names)
    skills = _skills(arm.weights_from, benchmark.spec.dataset) if arm.weights_from else {}
    return [
        MemberSpec(
            model_id=_model(name, arm, benchmark).pk,
            weight=weight,
            skill=_skill(name, skills, arm) if arm.weights_from else None,
            sampling=sampling,
        )
        for name, weight in zip(arm.member_names, weights, strict=True)
    ]


def _model(name: str, arm: ArmTable, benchmark: _Benchmark) -> LanguageModel:
    model = benchmark.models.get(name)
    if model is None:
        raise BadSpec(f'arm "{arm.name}": unknown model "{name}"; {_suggestion(name, benchmark)}')
    return model


def _suggestion(name: str, benchmark: _Benchmark) -> str:
    close = get_close_matches(name, benchmark.models, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if benchmark.replays:
        return "the recorded outputs hold none of that name"
    return "name an available model of the inventory, as name or provider/name"


def _skills(files: LabelledFiles, dataset: DatasetTable) -> dict[str, float]:
    labels = Labels(
        items=files.items,
        recorded=files.recorded,
        kind=dataset.answer,
        scorer=dataset.scorer,
        tolerance=dataset.tolerance,
    )
    try:
        return estimate_skills(labels)
    except (UnlabelledData, UnreadableLabels) as error:
        raise BadSpec(f"weights_from: {error}") from error


def _skill(name: str, skills: Mapping[str, float], arm: ArmTable) -> float:
    if name not in skills:
        raise BadSpec(f'arm "{arm.name}": weights_from has no labelled output of "{name}"; add some or give weights')
    return skills[name]
