"""The first page: where the workflows stand, what runs, what waits for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, Sum

from evaluation.models import Dataset, DatasetImport, DatasetVersion, Experiment, Run, Workflow
from evaluation.selectors.experiments import ExperimentFilter, ExperimentRow, experiment_rows, experiments_page
from evaluation.selectors.runs import elapsed_seconds, seconds_left, unfinished_runs
from evaluation.selectors.standings import Standing, workflow_standings
from panels.models import PanelVersion

_RECENT = timedelta(days=7)
_SHOWN_RUNS = 8
_SHOWN_EXPERIMENTS = 6
_SHOWN_NEEDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A run under way; ``seconds_left`` at its mean rate."""

    run: Run
    done: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that only goes on once a person acts: a run or an import, in a state, with one step to take."""

    state: str
    words: str
    title: str
    detail: str
    run: Run | None = None
    dataset_import: DatasetImport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """``is_new``: nothing has been compared yet; then the three first steps say which of them are done."""

    standings: tuple[Standing, ...]
    running: tuple[RunningJob, ...]
    importing: tuple[DatasetImport, ...]
    recent: tuple[ExperimentRow, ...]
    needs: tuple[Need, ...]
    is_new: bool
    has_dataset: bool
    has_panel: bool

    @property
    def simulated(self) -> bool:
        return any(standing.simulated for standing in self.standings)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowPage:
    standing: Standing
    datasets: tuple[Dataset, ...]
    experiments: tuple[ExperimentRow, ...]
    has_more: bool


def overview(*, now: datetime) -> Overview:
    """Eight queries; two more for a new installation."""
    runs = unfinished_runs(limit=_SHOWN_RUNS)
    imports = _open_imports(now)
    recent = experiments_page(ExperimentFilter()).rows[:_SHOWN_EXPERIMENTS]
    is_new = not recent
    return Overview(
        standings=tuple(workflow_standings(Workflow.objects.all())),
        running=tuple(_job(run, now) for run in runs if run.state in {Run.State.QUEUED, Run.State.RUNNING}),
        importing=tuple(one for one in imports if one.state in {"queued", "running"}),
        recent=recent,
        needs=(*_run_needs(runs), *_import_needs(imports), *_failed_needs(now))[:_SHOWN_NEEDS],
        is_new=is_new,
        has_dataset=is_new and DatasetVersion.objects.published().exists(),
        has_panel=is_new and PanelVersion.objects.exists(),
    )


def workflow_page(workflow: Workflow) -> WorkflowPage:
    """Six queries."""
    (standing,) = workflow_standings(Workflow.objects.filter(pk=workflow.pk))
    found = Experiment.objects.filter(workflow=workflow).select_related("workflow", "dataset_version__dataset")
    newest = list(found.order_by("-created_at", "-pk")[: _SHOWN_EXPERIMENTS + 1])
    return WorkflowPage(
        standing=standing,
        datasets=tuple(workflow.datasets.order_by("name")),
        experiments=tuple(experiment_rows(newest[:_SHOWN_EXPERIMENTS])),
        has_more=len(newest) > _SHOWN_EXPERIMENTS,
    )


def _job(run: Run, now: datetime) -> RunningJob:
    done = getattr(run, "answers_done", 0)
    elapsed = elapsed_seconds(run, now=now)
    left = seconds_left(done=done, wanted=run.answers_wanted, elapsed_s=elapsed)
    return RunningJob(run=run, done=done, seconds_left=left)


def _open_imports(now: datetime) -> list[DatasetImport]:
    under_way = Q(state__in=[DatasetImport.State.QUEUED, DatasetImport.State.RUNNING])
    waiting = Q(state__in=[DatasetImport.State.DRAFT, DatasetImport.State.FAILED], created_at__gt=now - _RECENT)
    return list(DatasetImport.objects.filter(under_way | waiting).select_related("dataset").order_by("-pk")[:20])


def _run_needs(runs: Sequence[Run]) -> Iterator[Need]:
    for run in runs:
        done = f"{getattr(run, 'answers_done', 0):,} of {run.answers_wanted:,} answers are there."
        if run.state == Run.State.CAPPED:
            detail = f"{done} Raise the cap to go on, or cancel the run."
            yield Need(state="risk", words="Stopped at the cap", title=run.experiment.title, detail=detail, run=run)
        elif run.state == Run.State.PAUSED:
            yield Need(state="info", words="Paused", title=run.experiment.title, detail=f"{done} Resume it.", run=run)


def _import_needs(imports: Sequence[DatasetImport]) -> Iterator[Need]:
    for one in imports:
        name = one.dataset.name
        if one.state == DatasetImport.State.DRAFT:
            detail = "Look at the first rows, say which column is which, and start the import."
            yield Need(state="info", words="Import waits", title=name, detail=detail, dataset_import=one)
        elif one.state == DatasetImport.State.FAILED:
            detail = f"{len(one.problems)} problems found. Nothing was imported."
            yield Need(state="fail", words="Import failed", title=name, detail=detail, dataset_import=one)


def _failed_needs(now: datetime) -> Iterator[Need]:
    """Runs that finished lately with answers whose calls failed."""
    finished = Run.objects.filter(state=Run.State.FINISHED, finished_at__gt=now - _RECENT)
    lacking = finished.annotate(lacking=Sum("progress__failed", default=0)).filter(lacking__gt=0)
    for run in lacking.select_related("experiment").order_by("-pk")[:_SHOWN_NEEDS]:
        count = getattr(run, "lacking", 0)
        detail = f"{count:,} of {run.answers_wanted:,} answers failed. Retry them, or read the result without."
        yield Need(state="risk", words="Answers failed", title=run.experiment.title, detail=detail, run=run)
