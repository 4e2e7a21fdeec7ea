"""What a finished run says for and against a panel change, frozen at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from evaluation.models import Answer, Arm, Example, Experiment, Run
from evaluation.results import ArmScore, Change, Comparison
from evaluation.selectors.findings import comparison_finding, cost_finding, latency_finding
from evaluation.selectors.results import ResultsPage, run_results
from evaluation.selectors.runs import arms_of
from evaluation.stats.interval import Interval
from panels.evidence import (
    ArmFigures,
    DatasetFacts,
    Differences,
    Estimate,
    Evidence,
    Gate,
    Regression,
    RunFacts,
)
from panels.gate import DataPolicy, contract_day, gate_findings, version_seats
from panels.models import DataClass, Panel, PanelVersion
from panels.selectors.applications import applied_version
from panels.selectors.panels import with_members

_WORST = 3
_LONGEST = 160
# What may be written down word for word beside a request that is kept for good.
_OPEN = frozenset({DataClass.PUBLIC, DataClass.INTERNAL})


class NoResult(Exception):
    """The run has no result yet, or this version took no part in it. The message says which."""


def gather_evidence(*, candidate: PanelVersion, run: Run | None, policy: DataPolicy, now: datetime) -> Evidence:
    """The gate's word, and what the run measured. Raises NoResult."""
    gate = _gate(candidate, policy, now)
    if run is None:
        return Evidence(candidate_hash=candidate.content_hash, gate=gate)
    results = run_results(run) if run.state == Run.State.FINISHED else None
    if results is None:
        raise NoResult("This run has no result yet. Choose one that has finished.")
    arms = arms_of(run)
    chosen = _arm_with(arms, candidate)
    if chosen is None:
        raise NoResult("This version took no part in that run. Choose a run that measured it.")
    return _measured(candidate, run, results, arms, chosen, policy, gate)


def runs_with(candidate: PanelVersion) -> list[Run]:
    """Finished runs that measured this content, under whatever name, the newest first."""
    found = Run.objects.filter(
        state=Run.State.FINISHED, experiment__arms__panel_version__content_hash=candidate.content_hash
    )
    rows = found.select_related("experiment__workflow", "experiment__dataset_version__dataset").distinct()
    return list(rows.order_by("-finished_at", "-pk")[:20])


def _measured(
    candidate: PanelVersion,
    run: Run,
    results: ResultsPage,
    arms: Iterable[Arm],
    chosen: Arm,
    policy: DataPolicy,
    gate: Gate,
) -> Evidence:
    base = applied_version(candidate.panel)
    parts = {arm.pk: _part(arm, chosen, base) for arm in arms}
    shown = sorted((arm for arm in arms if parts[arm.pk]), key=lambda arm: arm is chosen)
    scores = {score.arm_id: score for score in results.data.arms}
    comparison = next((one for one in results.data.comparisons if one.arm_id == chosen.pk), None)
    workflow = run.experiment.workflow
    return Evidence(
        candidate_hash=candidate.content_hash,
        gate=gate,
        run=_run_facts(run),
        dataset=_dataset_facts(run.experiment),
        workflow="" if workflow is None else workflow.name,
        arms=tuple(_figures(arm, parts[arm.pk], scores[arm.pk]) for arm in shown),
        differences=None if comparison is None else _differences(comparison, results),
        regressions=tuple(_regressions(run, chosen, may_quote=policy.data_class in _OPEN)),
        lost=0 if comparison is None else comparison.only_baseline,
    )


def _arm_with(arms: Iterable[Arm], version: PanelVersion) -> Arm | None:
    """What counts is the content: the same panel may stand in a run under another name."""
    same = [arm for arm in arms if arm.panel_version.content_hash == version.content_hash]
    own = [arm for arm in same if arm.panel_version_id == version.pk]
    return next(iter([*own, *same]), None)


def _part(arm: Arm, chosen: Arm, base: PanelVersion | None) -> str:
    if arm is chosen:
        return "candidate"
    is_base = base is not None and arm.panel_version.content_hash == base.content_hash
    return " and ".join([*(["base"] if is_base else []), *(["baseline"] if arm.is_baseline else [])])


def _gate(candidate: PanelVersion, policy: DataPolicy, now: datetime) -> Gate:
    models, roles = version_seats(with_members(PanelVersion.objects.filter(pk=candidate.pk)).get())
    today = contract_day(now)
    found = gate_findings(policy=policy, models=models, roles=roles, today=today)
    lines = tuple(str(finding) for finding in found)
    return Gate(checked_on=today.isoformat(), data_class=policy.data_class, models=len(models), findings=lines)


def _run_facts(run: Run) -> RunFacts:
    return RunFacts(
        id=run.pk,
        title=run.experiment.title,
        number=run.number,
        finished_at="" if run.finished_at is None else run.finished_at.isoformat(),
        replies=run.experiment.replies,
    )


def _dataset_facts(experiment: Experiment) -> DatasetFacts:
    version = experiment.dataset_version
    return DatasetFacts(
        name=version.dataset.name,
        slug=version.dataset.slug,
        version=version.number,
        content_hash=version.content_hash,
        examples=version.example_count,
        scorer=version.scorer,
    )


def _figures(arm: Arm, part: str, score: ArmScore) -> ArmFigures:
    panel: Panel = arm.panel_version.panel
    return ArmFigures(
        name=arm.name,
        part=part,
        panel=f"{panel.slug}@{arm.panel_version.number}",
        items=score.items,
        accuracy=_estimate(score.accuracy, score.interval, score.n),
        p95_s=_estimate(score.p95_s, score.p95_interval, score.measured),
        cost_nanousd=score.cost_per_request_nanousd,
        abstained=score.abstained,
        failed=score.failed,
        simulated=score.simulated,
    )


def _differences(comparison: Comparison, results: ResultsPage) -> Differences:
    tests = sum(one.p_value is not None for one in results.data.comparisons)
    cost = comparison.cost
    return Differences(
        against=comparison.baseline,
        accuracy=_estimate(comparison.difference, comparison.interval, comparison.pairs),
        cost_nanousd=_change(cost),
        cost_relative=None if cost is None else _estimate(cost.relative, cost.relative_interval, cost.pairs),
        p95_s=_change(comparison.p95),
        words=(
            comparison_finding(comparison, tests=tests),
            cost_finding(comparison),
            latency_finding(comparison),
        ),
    )


def _change(change: Change | None) -> Estimate | None:
    return None if change is None else _estimate(change.estimate, change.interval, change.pairs)


def _estimate(value: float | None, interval: Interval | None, n: int) -> Estimate | None:
    if value is None:
        return None
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return Estimate(value=value, low=low, high=high, n=n)


def _regressions(run: Run, arm: Arm, *, may_quote: bool) -> Iterator[Regression]:
    """What the baseline had right and the candidate has wrong, most agreed first: there nothing warned of it."""
    lost = Answer.objects.filter(run=run, arm=arm, versus=Answer.Versus.LOST).select_related("example")
    for answer in lost.order_by("-consensus", "position")[:_WORST]:
        example = answer.place.example
        yield Regression(
            item_id=example.item_id,
            answer_id=answer.pk,
            consensus=answer.consensus,
            title=example.title[:_LONGEST] if may_quote else "",
            said=(answer.value or "")[:_LONGEST] if may_quote else "",
            right=_expected(example)[:_LONGEST] if may_quote else "",
        )


def _expected(example: Example) -> str:
    return example.reference or ", ".join(map(str, example.references))
