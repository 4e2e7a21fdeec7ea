"""Where a workflow stands: its latest finished run against its targets, and which step of the pilot it has reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from evaluation.models import Dataset, Experiment, Run, RunResult, Workflow
from evaluation.results import READABLE_FORMATS, ArmScore, Comparison, ResultData, from_json
from evaluation.stats.interval import Interval
from fusion_site.lib.figures import format_interval, format_money, format_percent, format_points, format_signed

STEPS = (
    "Pick workflow", "Success metrics", "Create panel", "Offline benchmark", "Live A/B", "Analyse", "Decide",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """An interval against a target on one scale; ``good`` is the side of the target that is wanted."""

    low: float
    high: float
    point: float
    target: float
    minimum: float
    maximum: float
    words: str
    label: str
    good: str
    reference: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure of a panel. ``state`` is ``pass``, ``risk`` or ``fail`` against a target; empty without one."""

    name: str
    value: str
    unit: str
    interval: str
    note: str
    state: str
    gauge: Gauge | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    name: str
    number: int
    done: bool
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A workflow with the panel of highest accuracy in its latest finished run; without one ``run`` is None."""

    workflow: Workflow
    steps: tuple[Step, ...]
    run: Run | None
    arm: ArmScore | None
    baseline: ArmScore | None
    comparison: Comparison | None
    measures: tuple[Measure, ...]
    panels: int
    simulated: bool

    @property
    def step(self) -> Step:
        return next(step for step in self.steps if step.current)


def workflow_standings(workflows: QuerySet[Workflow]) -> list[Standing]:
    """Two queries, whatever the number of workflows."""
    finished = Run.objects.filter(
        experiment__workflow=OuterRef("pk"), state=Run.State.FINISHED, result__format__in=READABLE_FORMATS
    )
    rows = list(
        workflows.annotate(
            latest_run=Subquery(finished.order_by("-finished_at", "-pk").values("pk")[:1]),
            has_experiment=Exists(Experiment.objects.filter(workflow=OuterRef("pk"))),
            has_dataset=Exists(Dataset.objects.filter(workflow=OuterRef("pk"))),
        ).order_by("name")
    )
    wanted = [row.latest_run for row in rows if row.latest_run is not None]
    results = RunResult.objects.filter(run__in=wanted).select_related("run__experiment")
    by_run = {result.run_id: result for result in results}
    return [_standing(row, by_run.get(row.latest_run) if row.latest_run else None) for row in rows]


def _standing(workflow: Workflow, result: RunResult | None) -> Standing:
    data = from_json(result.data) if result is not None else None
    comparison, arm = _leading(data) if data is not None else (None, None)
    baseline = data.baseline if data is not None else None
    return Standing(
        workflow=workflow,
        steps=_steps(workflow, benchmarked=result is not None),
        run=result.run if result is not None else None,
        arm=arm,
        baseline=baseline,
        comparison=comparison,
        measures=tuple(_measures(workflow, arm, baseline, comparison)),
        panels=len(data.arms) - 1 if data is not None else 0,
        simulated=data is not None and data.is_simulated,
    )


def _leading(data: ResultData) -> tuple[Comparison | None, ArmScore | None]:
    """The panel of highest accuracy; the cheaper one of two equals, then the earlier one."""
    panels = [arm for arm in data.arms if not arm.is_baseline and arm.accuracy is not None]
    best = min(panels, key=lambda arm: (-(arm.accuracy or 0), arm.cost_nanousd or 0, arm.position), default=None)
    compared = next((one for one in data.comparisons if best is not None and one.arm_id == best.arm_id), None)
    return compared, best


def _steps(workflow: Workflow, *, benchmarked: bool) -> tuple[Step, ...]:
    has_target = (workflow.target_accuracy, workflow.target_p95_ms, workflow.target_cost_change) != (None, None, None)
    made = bool(getattr(workflow, "has_experiment", False))
    done = (True, has_target, made, benchmarked, False, False, False)
    current = next(place for place, is_done in enumerate(done) if not is_done)
    return tuple(
        Step(name=name, number=place + 1, done=is_done, current=place == current)
        for place, (name, is_done) in enumerate(zip(STEPS, done, strict=True))
    )


def _measures(
    workflow: Workflow, arm: ArmScore | None, baseline: ArmScore | None, comparison: Comparison | None
) -> Iterator[Measure]:
    if arm is None or baseline is None:
        return
    yield _accuracy(workflow, arm, baseline, comparison)
    if arm.p95_s is not None:
        yield _latency(workflow, arm, baseline)
    yield _cost(workflow, arm, baseline, comparison)


def _accuracy(workflow: Workflow, arm: ArmScore, baseline: ArmScore, comparison: Comparison | None) -> Measure:
    difference = "" if comparison is None else f", difference {format_points(comparison.difference)}"
    return _measure(
        name="Accuracy",
        value=format_percent(arm.accuracy),
        unit="%",
        interval=format_interval(_bounds(arm.interval)),
        note=f"baseline {format_percent(baseline.accuracy)} %{difference}, n {arm.n:,}",
        point=arm.accuracy,
        bounds=arm.interval,
        target=workflow.target_accuracy,
        reference=baseline.accuracy,
        good="above",
        words=f"{format_percent(workflow.target_accuracy)} %",
    )


def _latency(workflow: Workflow, arm: ArmScore, baseline: ArmScore) -> Measure:
    bounds = arm.p95_interval
    before = "not measured" if baseline.p95_s is None else f"{baseline.p95_s * 1000:,.0f} ms"
    return _measure(
        name="Latency P95",
        value=f"{(arm.p95_s or 0) * 1000:,.0f}",
        unit="ms",
        interval="" if bounds is None else f"{bounds.low * 1000:,.0f} to {bounds.high * 1000:,.0f}",
        note=f"baseline {before}, n {arm.measured:,}",
        point=arm.p95_s,
        bounds=bounds,
        target=None if workflow.target_p95_ms is None else workflow.target_p95_ms / 1000,
        reference=baseline.p95_s,
        good="below",
        words=f"{workflow.target_p95_ms or 0:,} ms",
    )


def _cost(workflow: Workflow, arm: ArmScore, baseline: ArmScore, comparison: Comparison | None) -> Measure:
    change = comparison.cost if comparison is not None else None
    each = format_money(arm.cost_per_request_nanousd, 4)
    note = f"{each}, baseline {format_money(baseline.cost_per_request_nanousd, 4)}"
    if change is None or change.relative is None:
        return Measure(name="Cost per request", value=each, unit="", interval="", note=note, state="", gauge=None)
    return _measure(
        name="Cost per request",
        value=format_signed(change.relative * 100),
        unit="%",
        interval=_signed(change.relative_interval),
        note=f"{note}, n {change.pairs:,} pairs",
        point=change.relative,
        bounds=change.relative_interval,
        target=workflow.target_cost_change,
        reference=None,
        good="below",
        words=f"{format_signed((workflow.target_cost_change or 0) * 100, 0)} %",
    )


def _bounds(interval: Interval | None) -> tuple[float, float] | None:
    return None if interval is None else (interval.low, interval.high)


def _signed(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{format_signed(interval.low * 100)} to {format_signed(interval.high * 100)}"


def _measure(
    *,
    point: float | None,
    bounds: Interval | None,
    target: float | None,
    reference: float | None,
    good: str,
    words: str,
    **shown: str,
) -> Measure:
    if point is None or bounds is None or target is None:
        return Measure(**shown, state="", gauge=None)
    ends = [bounds.low, bounds.high, target] + ([] if reference is None else [reference])
    margin = (max(ends) - min(ends)) * 0.2 or 0.01
    gauge = Gauge(
        low=bounds.low,
        high=bounds.high,
        point=point,
        target=target,
        minimum=min(ends) - margin,
        maximum=max(ends) + margin,
        words=words,
        label=f"{shown['interval']} {shown['unit']}, target {words}",
        good=good,
        reference=reference,
    )
    return Measure(**shown, state=_state(bounds, point, target, good), gauge=gauge)


def _state(bounds: Interval, point: float, target: float, good: str) -> str:
    """Pass: the whole interval is on the good side. At risk: the estimate is, the interval crosses the target."""
    sides: Sequence[float] = (bounds.low, point) if good == "above" else (-bounds.high, -point)
    limit = target if good == "above" else -target
    if sides[0] >= limit:
        return "pass"
    return "risk" if sides[1] >= limit else "fail"
