"""The charts of the results page, as plain plotly figures with their words and tables; see ``fusion_site.lib.chart``.

Every chart leaves out what was not measured, and is None where that leaves nothing to draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.charts.calibration import calibration_chart
from evaluation.charts.consensus import consensus_chart
from evaluation.charts.correlation import correlation_chart
from evaluation.charts.cost import cost_chart
from evaluation.charts.latency import latency_chart
from evaluation.results import ResultData
from fusion_site.lib.chart import Chart, Look


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultCharts:
    """The charts there is something to draw for."""

    cost: Chart | None
    latency: Chart | None
    consensus: tuple[Chart, ...]
    calibration: tuple[Chart, ...]
    correlation: Chart | None


def result_charts(
    data: ResultData, *, looks: Mapping[int, Look], items_url: str, target_p95_ms: int | None = None
) -> ResultCharts:
    """``looks`` by arm id; ``items_url`` is the item table's address, to which marks and bars lead."""
    panels = {arm.arm_id for arm in data.arms if not arm.is_single}
    bands = [band for band in data.bands if band.arm_id in panels]
    reliability = (calibration_chart(one, looks=looks, items_url=items_url) for one in data.calibrations)
    return ResultCharts(
        cost=cost_chart(data, looks=looks, items_url=items_url),
        latency=latency_chart(data, looks=looks, target_ms=target_p95_ms),
        consensus=tuple(consensus_chart(one, looks=looks, items_url=items_url) for one in bands),
        calibration=tuple(chart for chart in reliability if chart is not None),
        correlation=correlation_chart(data),
    )
