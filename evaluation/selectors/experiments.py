"""The list of experiments, and what an experiment can be made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery, Sum

from evaluation.models import ArmProgress, DatasetVersion, Experiment, Run, Workflow
from evaluation.stats.interval import Interval
from evaluation.stats.proportions import wilson
from fusion_site.lib.paging import Order, Page, page_of
from panels.models import Member, PanelVersion, Provider

ORDERS = {
    "created": Order(column="created_at", read=datetime.fromisoformat),
    "title": Order(column="title", read=str),
}
EXPORT_COLUMNS = (
    "experiment", "title", "workflow", "dataset", "version", "replies", "created_at", "runs", "latest_run", "state",
    "answers", "answers_wanted", "baseline", "baseline_accuracy", "best_arm", "best_accuracy",
)  # fmt: skip
_PANELS_OFFERED = 200
_EXPORT_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentFilter:
    """What the query string asks for; what it does not know asks for nothing."""

    state: str = ""
    workflow: str = ""
    text: str = ""
    sort: str = "-created"

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> ExperimentFilter:
        state, sort = query.get("state", ""), query.get("sort", "")
        return cls(
            state=state if state in Run.State.values else "",
            workflow=query.get("workflow", "")[:80].replace("\0", ""),
            text=query.get("q", "").replace("\0", "").strip()[:200],
            sort=sort if sort.removeprefix("-") in ORDERS else "-created",
        )

    @property
    def order(self) -> Order:
        order = ORDERS[self.sort.removeprefix("-")]
        return Order(column=order.column, read=order.read, descending=self.sort.startswith("-"))

    @property
    def is_on(self) -> bool:
        return bool(self.state or self.workflow or self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmStanding:
    """An arm's accuracy in the latest finished run; ``scored`` answers are its denominator."""

    name: str
    is_baseline: bool
    scored: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRow:
    """An experiment with its latest run.

    ``baseline`` and ``best``, the arm of highest accuracy that is not the baseline, are of the latest finished run:
    before its end nothing is compared.
    """

    experiment: Experiment
    run: Run | None
    runs: int
    done: int
    baseline: ArmStanding | None
    best: ArmStanding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelChoice:
    """A panel version that can answer in an experiment. ``unpriced`` names its models of unknown price."""

    pk: int
    label: str
    words: str
    is_single: bool
    simulated: bool
    unpriced: tuple[str, ...]


def experiments_page(
    wanted: ExperimentFilter, *, after: str | None = None, before: str | None = None
) -> Page[ExperimentRow]:
    """Four queries, whatever the number of rows."""
    shown = page_of(_filtered(wanted), order=wanted.order, after=after, before=before)
    rows = {row.experiment.pk: row for row in experiment_rows(shown.rows)}
    return shown.map(lambda experiment: rows[experiment.pk])


def export_experiments(wanted: ExperimentFilter) -> Iterator[dict[str, Any]]:
    key: str | None = ""
    while key is not None:
        page = page_of(_filtered(wanted), order=wanted.order, after=key, size=_EXPORT_PAGE)
        yield from map(_exported, experiment_rows(page.rows))
        key = page.next_key


def workflow_choices() -> list[Workflow]:
    return list(Workflow.objects.order_by("name"))


def has_experiments() -> bool:
    return Experiment.objects.exists()


def _filtered(wanted: ExperimentFilter) -> QuerySet[Experiment]:
    experiments = Experiment.objects.select_related("workflow", "dataset_version__dataset")
    if wanted.state:
        latest = Run.objects.filter(experiment=OuterRef("pk")).order_by("-number")
        experiments = experiments.alias(state=Subquery(latest.values("state")[:1])).filter(state=wanted.state)
    if wanted.workflow:
        experiments = experiments.filter(workflow__slug=wanted.workflow)
    if wanted.text:
        experiments = experiments.filter(
            Q(title__icontains=wanted.text)
            | Q(dataset_version__dataset__name__icontains=wanted.text)
            | Q(arms__name__icontains=wanted.text)
        ).distinct()
    return experiments


def experiment_rows(experiments: Sequence[Experiment]) -> list[ExperimentRow]:
    """Each with its latest run and how it stands; two queries."""
    runs: dict[int, list[Run]] = {}
    found = Run.objects.filter(experiment__in=[experiment.pk for experiment in experiments])
    for run in found.annotate(answers_done=Sum("progress__done", default=0)).order_by("-number"):
        runs.setdefault(run.experiment_id, []).append(run)
    judged = {pk: latest for pk, own in runs.items() if (latest := _latest_finished(own))}
    standings = standings_of([latest.pk for latest in judged.values()])
    by_experiment = {pk: standings.get(latest.pk, []) for pk, latest in judged.items()}
    return [
        _row(experiment, runs.get(experiment.pk, []), by_experiment.get(experiment.pk, []))
        for experiment in experiments
    ]


def _latest_finished(runs: Sequence[Run]) -> Run | None:
    return next((run for run in runs if run.state == Run.State.FINISHED), None)


def standings_of(runs: Sequence[int]) -> dict[int, list[ArmStanding]]:
    """By run, the arms with a scored answer, in their order."""
    standings: dict[int, list[ArmStanding]] = {}
    progress = ArmProgress.objects.filter(run__in=runs, scored__gt=0).select_related("arm")
    for entry in progress.order_by("run", "arm__position"):
        standings.setdefault(entry.run_id, []).append(
            ArmStanding(
                name=entry.arm.name,
                is_baseline=entry.arm.is_baseline,
                scored=entry.scored,
                accuracy=entry.correct / entry.scored,
                interval=wilson(entry.correct, entry.scored),
            )
        )
    return standings


def _row(experiment: Experiment, runs: Sequence[Run], arms: Sequence[ArmStanding]) -> ExperimentRow:
    run = runs[0] if runs else None
    others = [arm for arm in arms if not arm.is_baseline]
    return ExperimentRow(
        experiment=experiment,
        run=run,
        runs=len(runs),
        done=getattr(run, "answers_done", 0),
        baseline=next((arm for arm in arms if arm.is_baseline), None),
        best=max(others, key=lambda arm: arm.accuracy, default=None),
    )


def _exported(row: ExperimentRow) -> dict[str, Any]:
    experiment, run = row.experiment, row.run
    return {
        "experiment": experiment.pk,
        "title": experiment.title,
        "workflow": experiment.workflow.name if experiment.workflow else None,
        "dataset": experiment.dataset_version.dataset.name,
        "version": experiment.dataset_version.number,
        "replies": experiment.replies,
        "created_at": experiment.created_at.isoformat(),
        "runs": row.runs,
        "latest_run": run.pk if run else None,
        "state": run.state if run else None,
        "answers": row.done,
        "answers_wanted": run.answers_wanted if run else None,
        "baseline": row.baseline.name if row.baseline else None,
        "baseline_accuracy": row.baseline.accuracy if row.baseline else None,
        "best_arm": row.best.name if row.best else None,
        "best_accuracy": row.best.accuracy if row.best else None,
    }


def published_versions() -> QuerySet[DatasetVersion]:
    return DatasetVersion.objects.published().select_related("dataset__workflow").order_by("dataset__name", "-number")


def panel_choices(version: DatasetVersion | None, *, replies: str) -> list[PanelChoice]:
    """Panel versions whose members can all answer: at their providers, or from the outputs of this dataset version.

    An arbiter is asked at its provider in either case.
    """
    members = Member.objects.select_related("model__provider").order_by("seat")
    panels = (
        _answering(version, replies)
        .select_related("panel", "arbiter_model__provider")
        .prefetch_related(Prefetch("members", queryset=members))
    )
    newest = panels.order_by("panel__name", "-number")[:_PANELS_OFFERED]
    return [_panel_choice(panel) for panel in newest]


def _answering(version: DatasetVersion | None, replies: str) -> QuerySet[PanelVersion]:
    seats = Member.objects.all()
    if replies == Experiment.Replies.RECORDED:
        unable = seats.exclude(model__provider=version.recorded_by_id if version else None)
    else:
        unable = seats.filter(Q(model__provider__kind=Provider.Kind.RECORDED) | Q(model__retired_at__isnull=False))
    askable = PanelVersion.objects.exclude(arbiter_model__provider__kind=Provider.Kind.RECORDED)
    return askable.exclude(arbiter_model__retired_at__isnull=False).exclude(pk__in=unable.values("version"))


def _panel_choice(panel: PanelVersion) -> PanelChoice:
    members = list(panel.members.all())
    arbiter = [] if panel.arbiter_model is None else [panel.arbiter_model]
    models = [*(member.model for member in members), *arbiter]
    names = ", ".join(member.model.name for member in members)
    strategy = f"{panel.get_strategy_display().lower()} of {len(members)}: "
    judged = f"; arbiter {panel.arbiter_model.name}" if panel.arbiter_model is not None else ""
    return PanelChoice(
        pk=panel.pk,
        label=f"{panel.panel.name} v{panel.number}",
        words=names if len(models) == 1 else strategy + names + judged,
        is_single=len(members) == 1,
        simulated=any(model.provider.is_simulated for model in models),
        unpriced=tuple(sorted({model.name for model in models if not model.has_price})),
    )
