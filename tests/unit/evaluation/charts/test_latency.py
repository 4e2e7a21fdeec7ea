from __future__ import annotations

from dataclasses import replace

from evaluation.charts.latency import latency_chart
from fusion_site.lib.chart import arm_look
from tests.unit.evaluation.result_values import make_result

LOOKS = {1: arm_look(0, is_baseline=True), 2: arm_look(0, is_baseline=False)}


def test_a_curve_rises_from_nothing_in_milliseconds() -> None:
    chart = latency_chart(make_result(), looks=LOOKS)
    assert chart is not None
    trace = chart.figure["data"][0]
    assert trace["x"] == [100, 100, 300, 700, 1200]
    assert trace["y"] == [0.0, 1.0, 50.0, 95.0, 100.0]
    assert chart.finding == "95 % of the answers arrive: “five, weighted” within 700 ms."
    assert chart.rows == (("five, weighted", "100", "300 ms", "700 ms", "600 ms to 900 ms"),)


def test_the_axis_ends_at_p99_or_the_target() -> None:
    data = make_result()
    curve = replace(data.latency[0], seconds=(0.1, 0.5, 60.0), share=(0.5, 0.995, 1.0))
    data = replace(data, latency=(curve,))
    near, far = latency_chart(data, looks=LOOKS), latency_chart(data, looks=LOOKS, target_ms=2_000)
    assert near is not None
    assert far is not None
    assert near.figure["layout"]["xaxis"]["range"] == [0, 525.0]
    assert far.figure["layout"]["xaxis"]["range"] == [0, 2_100.0]


def test_a_target_is_a_line_with_a_word() -> None:
    chart = latency_chart(make_result(), looks=LOOKS, target_ms=500)
    assert chart is not None
    assert [label["text"] for label in chart.figure["labels"]] == ["P95", "target 500 ms", "five, weighted"]
