import math

import pytest

from fusion_site.lib.chart import BASELINE, Chart, arm_look


def test_the_baseline_looks_the_same_at_every_place():
    assert {arm_look(place, is_baseline=True) for place in range(7)} == {BASELINE}


def test_five_arms_beside_the_baseline_differ_in_colour_marker_and_dash():
    looks = [BASELINE, *(arm_look(place, is_baseline=False) for place in range(5))]
    for of in ("color", "text_color", "symbol", "dash"):
        assert len({getattr(look, of) for look in looks}) == 6


def test_a_sixth_arm_starts_again():
    assert arm_look(5, is_baseline=False) == arm_look(0, is_baseline=False)


def chart_of(figure):
    return Chart(id="pareto", title="", subtitle="", finding="", figure=figure, heads=(), rows=())


def test_the_figure_travels_as_json_with_its_gaps():
    assert chart_of({"data": [{"x": [1, None], "name": "−2 %"}]}).json == '{"data":[{"x":[1,null],"name":"−2 %"}]}'


def test_a_number_that_json_does_not_know_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        chart_of({"data": [math.nan]}).json  # noqa: B018


def test_a_chart_names_its_data_after_itself():
    assert chart_of({}).data_id == "pareto-data"
