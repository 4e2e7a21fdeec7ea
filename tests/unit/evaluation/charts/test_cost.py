from __future__ import annotations

from typing import Any

import pytest

from evaluation.charts.cost import cost_chart
from evaluation.results import ResultData
from fusion_site.lib.chart import Chart, arm_look
from tests.unit.evaluation.result_values import interval, make_arm, make_baseline, make_member, make_result

LOOKS = {number: arm_look(number - 2, is_baseline=number == 1) for number in (1, 2, 3)}


def drawn(data: ResultData) -> Chart:
    chart = cost_chart(data, looks=LOOKS, items_url="/runs/3/items/")
    assert chart is not None
    return chart


def mark_of(chart: Chart, name: str) -> dict[str, Any]:
    return next(trace for trace in chart.figure["data"] if trace.get("text") == [name])


def test_an_arm_is_drawn_at_its_cost_per_thousand_with_its_interval() -> None:
    mark = mark_of(drawn(make_result()), "five, weighted")
    assert (mark["x"], mark["y"]) == ([5.0], [83.0])
    assert mark["error_y"]["array"] == [pytest.approx(6.1)]
    assert mark["error_y"]["arrayminus"] == [pytest.approx(8.5)]
    assert mark["customdata"] == ["/runs/3/items/?arm=2"]


def test_the_baseline_is_a_grey_square_and_the_first_panel_a_blue_disc() -> None:
    chart = drawn(make_result())
    base, panel = mark_of(chart, "one model")["marker"], mark_of(chart, "five, weighted")["marker"]
    assert (base["symbol"], base["color"]) == ("square", "--c-base")
    assert (panel["symbol"], panel["color"]) == ("circle", "--c-panel")


def test_the_frontier_runs_over_arms_and_members_alone() -> None:
    chart = drawn(make_result())
    line = chart.figure["data"][0]
    # Members a and b cost $1 per 1,000 at 78 %, the panel $5 at 83 %; the baseline, $9 at 80 %, is beaten.
    corners = list(zip(line["x"], line["y"], strict=True))
    assert (corners[0], corners[-1]) == ((1.0, 78.0), (5.0, 83.0))
    assert (5.0, 78.0) in corners
    assert {x for x, y in corners if y > 78.0} == {5.0}  # right, then up
    assert chart.finding == (
        "On the frontier: “five, weighted”. "
        "At no higher cost than one model, something else was measured at least as accurate."
    )
    assert [row[-1] for row in chart.rows] == ["no", "yes", "yes", "yes"]


def test_a_member_that_is_an_arm_of_its_own_is_drawn_once() -> None:
    alone = make_arm(arm_id=3, name="a alone", members=(make_member(),), cost_per_request_nanousd=1_000_000)
    chart = drawn(make_result(arms=(make_baseline(), make_arm(), alone)))
    assert chart.figure["data"][1]["text"] == ["b"]


def test_a_member_that_was_not_asked_everything_is_left_out() -> None:
    late = make_arm(members=(make_member(), make_member(seat=1, stage=1, voter="b", called=20, n=20)))
    chart = drawn(make_result(arms=(make_baseline(), late)))
    assert chart.figure["data"][1]["text"] == ["a"]


def test_an_arm_of_unknown_cost_is_left_out() -> None:
    unknown = make_arm(cost_nanousd=None, cost_per_request_nanousd=None, cost_unknown=100, members=(make_member(),))
    chart = drawn(make_result(arms=(make_baseline(), unknown)))
    assert [row[0] for row in chart.rows] == ["one model"]


def test_both_axes_hold_every_mark_and_bar() -> None:
    wide = make_arm(accuracy=0.96, interval=interval(0.93, 0.98), cost_per_request_nanousd=40_000_000)
    layout = drawn(make_result(arms=(make_baseline(), wide))).figure["layout"]
    assert layout["yaxis"]["range"] == [70, 100]
    assert layout["xaxis"]["range"][1] > 40


def test_free_models_still_have_an_axis() -> None:
    free = make_baseline(cost_per_request_nanousd=0, members=(make_member(cost_nanousd=0),))
    assert drawn(make_result(arms=(free,))).figure["layout"]["xaxis"]["range"] == [0, 1]
