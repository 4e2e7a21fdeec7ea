from __future__ import annotations

import pytest

from evaluation.charts.calibration import calibration_chart
from fusion_site.lib.chart import Cell, Chart, arm_look
from tests.unit.evaluation.result_values import interval, make_calibration, make_map, make_step

LOOKS = {2: arm_look(0, is_baseline=False)}


def drawn(**changes) -> Chart:
    chart = calibration_chart(make_calibration(**changes), looks=LOOKS, items_url="/runs/3/items/")
    assert chart is not None
    return chart


def test_marks_stand_where_what_was_said_meets_what_was_right():
    line, marks = drawn().figure["data"]
    assert (line["x"][0], line["y"][0], line["x"][-1], line["y"][-1]) == (0, 0, 1, 100)
    assert [share * 100 for share in line["x"]] == line["y"]
    assert marks["x"] == [0.642, 0.901]
    assert marks["y"] == pytest.approx([19 / 29 * 100, 64 / 70 * 100])
    assert marks["error_y"]["array"] == pytest.approx([80.1 - 1900 / 29, 95.8 - 6400 / 70])
    assert marks["error_y"]["arrayminus"] == pytest.approx([1900 / 29 - 47.3, 6400 / 70 - 82.5])
    assert marks["marker"]["size"][0] < marks["marker"]["size"][1] == 16


def test_both_axes_begin_below_the_lowest_interval():
    layout = drawn().figure["layout"]
    assert layout["xaxis"]["range"] == [0.4, 1.02]
    assert layout["yaxis"]["range"] == [40, 102]


def test_marks_and_rows_open_the_items_of_their_step():
    chart = drawn()
    addresses = ["/runs/3/items/?arm=2&from=0.666&to=0.668", "/runs/3/items/?arm=2&from=0.999&to=1.0"]
    assert chart.figure["data"][1]["customdata"] == addresses
    assert chart.rows[1] == (Cell(text="1.00", url=addresses[1]), "70", "0.90", "91.4", "82.5 to 95.8", "0.90")
    assert [label["text"] for label in chart.figure["labels"]] == ["n 29", "n 70"]


def test_a_step_that_merges_values_is_named_by_its_ends():
    steps = (make_step(low=0.4, high=0.52), make_step())
    chart = drawn(fitted=make_map(steps=steps))
    assert chart.rows[0][0] == Cell(text="0.40 to 0.52", url="/runs/3/items/?arm=2&from=0.399&to=0.521")


def test_the_link_of_a_rounded_step_holds_its_answers():
    # Two of three members agree: the item has 0.666…, the step 0.666667 and the link starts below both.
    chart = drawn(fitted=make_map(steps=(make_step(low=0.666667, high=0.666667), make_step())))
    assert chart.rows[0][0] == Cell(text="0.67", url="/runs/3/items/?arm=2&from=0.666&to=0.667")


def test_many_steps_leave_the_counts_to_the_table():
    steps = tuple(make_step(low=place / 10, high=place / 10) for place in range(1, 8))
    chart = drawn(fitted=make_map(steps=steps))
    assert chart.figure["labels"] == []
    assert len(chart.rows) == 7
    assert "in 7 steps of consensus" in chart.subtitle


def test_what_is_never_right_is_drawn_from_nothing():
    never = make_step(low=0.2, high=0.2, n=30, correct=0, held_out=0.03, interval=interval(0.0, 0.11))
    assert drawn(fitted=make_map(steps=(never, make_step()))).figure["layout"]["yaxis"]["range"] == [0, 102]


@pytest.mark.parametrize("fitted", [None, make_map(steps=(make_step(),))])
def test_nothing_is_drawn_without_two_steps(fitted):
    assert calibration_chart(make_calibration(fitted=fitted), looks=LOOKS, items_url="/x/") is None
