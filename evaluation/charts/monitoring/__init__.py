"""The charts of the monitoring page: small multiples over the steps of a span, each with its table and its export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evaluation.charts.monitoring.agreement import CONFIDENCE, CONSENSUS
from evaluation.charts.monitoring.course import OVERTURNED, STAGES
from evaluation.charts.monitoring.frame import Frame, StepChart
from evaluation.charts.monitoring.latency import LATENCY
from evaluation.charts.monitoring.money import COST, SPEND
from evaluation.charts.monitoring.volume import DEGRADED, REQUESTS
from fusion_site.lib.chart import Chart

# In the order of the page.
STEP_CHARTS: dict[str, StepChart] = {
    chart.name: chart for chart in (LATENCY, CONSENSUS, CONFIDENCE, STAGES, OVERTURNED, COST, SPEND, DEGRADED, REQUESTS)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiple:
    """One of the small multiples: its chart, or the sentence that stands instead of it."""

    plan: StepChart
    chart: Chart | None


def monitoring_charts(frame: Frame) -> Iterator[Multiple]:
    return (Multiple(plan=plan, chart=plan.on(frame)) for plan in STEP_CHARTS.values())
