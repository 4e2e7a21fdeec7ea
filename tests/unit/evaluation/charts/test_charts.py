from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from evaluation.charts import ResultCharts, result_charts
from evaluation.results import ResultData
from fusion_site.lib.chart import Chart, arm_look
from tests.unit.evaluation.result_values import make_arm, make_baseline, make_result

LOOKS = {1: arm_look(0, is_baseline=True), 2: arm_look(0, is_baseline=False)}
TOKENS = Path(__file__).parents[4] / "static" / "css" / "tokens.css"
TOKEN = re.compile(r"--[a-z0-9-]+")


def drawn(data: ResultData | None = None, **changes: Any) -> ResultCharts:
    return result_charts(data or make_result(), looks=LOOKS, items_url="/runs/3/items/", **changes)


def all_charts(charts: ResultCharts) -> list[Chart]:
    every = (charts.cost, charts.latency, *charts.consensus, *charts.calibration, charts.correlation)
    return [chart for chart in every if chart]


def test_every_figure_is_one_that_plotly_accepts() -> None:
    from plotly.graph_objects import Figure

    charts = all_charts(drawn(target_p95_ms=500))
    assert len(charts) == 5
    for chart in charts:
        coloured = json.loads(re.sub(r"--[a-z0-9-]+(/[0-9.]+)?", "#284fc7", json.dumps(chart.figure)))
        figure = Figure(data=coloured["data"], layout=coloured["layout"])
        assert len(figure.data) == len(chart.figure["data"])


def test_every_colour_is_a_token_of_the_stylesheet() -> None:
    known = set(TOKEN.findall(TOKENS.read_text(encoding="utf-8")))
    used = {token for chart in all_charts(drawn()) for token in TOKEN.findall(json.dumps(chart.figure))}
    looks = {look.text_color for look in LOOKS.values()}
    assert used - looks <= known


def test_every_table_is_as_wide_as_its_head() -> None:
    for chart in all_charts(drawn()):
        assert {len(row) for row in chart.rows} == {len(chart.heads)}
        assert chart.finding.endswith(".")


def test_names_cannot_mark_up_a_figure() -> None:
    arm = make_arm(name="<b>five</b> & more")
    charts = drawn(make_result(arms=(make_baseline(), arm)))
    assert charts.cost is not None
    assert "<b>" not in json.dumps(charts.cost.figure)


def test_nothing_scored_leaves_no_cost_chart_and_nothing_timed_no_latency_chart() -> None:
    arms = tuple(make(accuracy=None, interval=None, n=0) for make in (make_baseline, make_arm))
    charts = drawn(make_result(arms=arms, latency=(), correlation=None, calibrations=()))
    assert (charts.cost, charts.latency, charts.calibration, charts.correlation) == (None, None, (), None)
