from __future__ import annotations

from evaluation.charts.correlation import correlation_chart
from evaluation.stats.correlation import CorrelationMatrix
from fusion_site.lib.chart import Chart
from tests.unit.evaluation.result_values import make_arm, make_baseline, make_result


def drawn(matrix: CorrelationMatrix | None = None) -> Chart:
    data = make_result() if matrix is None else make_result(correlation=matrix)
    chart = correlation_chart(data)
    assert chart is not None
    return chart


def test_the_triangle_holds_each_pair_once() -> None:
    heat = drawn().figure["data"][0]
    assert (heat["x"], heat["y"]) == (["strong", "a"], ["a", "b"])
    assert heat["z"] == [[0.3, None], [None, 0.45]]
    assert drawn().rows == (
        ("strong and a", "0.30", "100"),
        ("strong and b", "none", "0"),
        ("a and b", "0.45", "100"),
    )


def test_the_finding_names_the_closest_pair_and_what_the_panel_is_worth() -> None:
    assert drawn().finding == (
        "a and b err together most (φ 0.45); the 2 members of “five, weighted” are worth 1.8 independent voters."
    )


def test_names_that_look_alike_once_cut_keep_their_own_rows() -> None:
    names = ("a-model-with-a-long-name-1", "a-model-with-a-long-name-2", "c")
    heat = drawn(CorrelationMatrix(names=names, values=((1.0, 0.5, 0.1),) * 3, pairs=((9, 9, 9),) * 3))
    axis = heat.figure["layout"]["xaxis"]
    assert axis["tickvals"] == list(names[:2])
    assert axis["ticktext"] == ["a-model-with-a-lo…"] * 2
    assert heat.figure["data"][0]["x"] == list(names[:2])


def test_a_pair_without_errors_says_so() -> None:
    matrix = CorrelationMatrix(names=("a", "b"), values=((1.0, None), (None, 1.0)), pairs=((5, 5), (5, 5)))
    chart = correlation_chart(make_result(arms=(make_baseline(), make_arm()), correlation=matrix))
    assert chart is not None
    assert chart.finding == "No two models can be compared: one of each two made no error, or only errors."
    assert chart.figure["layout"]["annotations"][0]["text"] == "none"


def test_at_most_twelve_voters_are_drawn_and_it_says_so() -> None:
    names = tuple(f"m{number}" for number in range(14))
    matrix = CorrelationMatrix(names=names, values=((0.1,) * 14,) * 14, pairs=((9,) * 14,) * 14)
    chart = drawn(matrix)
    assert len(chart.figure["data"][0]["y"]) == 11
    assert chart.subtitle.endswith("The first 12 of 14 voters.")
