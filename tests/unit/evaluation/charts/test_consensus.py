from __future__ import annotations

from evaluation.charts.consensus import consensus_chart
from evaluation.stats.bands import Band
from fusion_site.lib.chart import Cell, arm_look
from tests.unit.evaluation.result_values import make_bands

LOOKS = {2: arm_look(0, is_baseline=False)}


def test_bars_count_answers_and_say_how_many_are_right() -> None:
    chart = consensus_chart(make_bands(), looks=LOOKS, items_url="/runs/3/items/")
    bars = chart.figure["data"][0]
    assert bars["x"] == ["0 to 0.5", "0.5 to 0.9", "0.9 to 1"]
    assert bars["y"] == [10, 0, 90]
    assert bars["text"] == ["10<br>40.0 %", "0", "90<br>87.8 %"]
    assert chart.finding == (
        "90 of 100 answers reach a consensus of 0.9 or more, and 87.8 % of them are right; of the others, 40.0 %."
    )


def test_bars_and_rows_open_the_items_of_their_band() -> None:
    chart = consensus_chart(make_bands(), looks=LOOKS, items_url="/runs/3/items/")
    address = "/runs/3/items/?arm=2&from=0.9&to=1.0"
    assert chart.figure["data"][0]["customdata"][2] == address
    assert chart.rows[2] == (Cell(text="0.9 to 1", url=address), "90", "90", "87.8", "79.0 to 93.0")
    assert chart.rows[1][3:] == ("no data", "no interval")


def test_unscored_answers_are_not_called_wrong() -> None:
    bands = (
        Band(low=0.0, high=0.9, n=4, correct=0, scored=0, accuracy=None),
        Band(low=0.9, high=1.0, n=6, correct=0, scored=0, accuracy=None),
    )
    chart = consensus_chart(make_bands(bands=bands), looks=LOOKS, items_url="/x/")
    assert chart.finding == "6 of 10 answers reach a consensus of 0.9 or more."
    assert chart.figure["data"][0]["text"] == ["4<br>unscored", "6<br>unscored"]


def test_no_answers_are_said_to_be_none() -> None:
    bands = (Band(low=0.0, high=1.0, n=0, correct=0, scored=0, accuracy=None),)
    chart = consensus_chart(make_bands(bands=bands), looks=LOOKS, items_url="/x/")
    assert chart.finding == "No answer was recorded."
    assert chart.figure["layout"]["yaxis"]["range"] == [0, 1]
