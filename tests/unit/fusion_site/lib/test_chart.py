from fusion_site.lib.chart import BASELINE, Chart, arm_look


def test_the_baseline_looks_the_same_at_every_place():
    assert {arm_look(place, is_baseline=True) for place in range(7)} == {BASELINE}


def test_five_arms_beside_the_baseline_differ_in_colour_marker_and_dash():
    looks = [BASELINE, *(arm_look(place, is_baseline=False) for place in range(5))]
    for of in ("color", "text_color", "symbol", "dash"):
        assert len({getattr(look, of) for look in looks}) == 6


def test_a_sixth_arm_starts_again():
    assert arm_look(5, is_baseline=False) == arm_look(0, is_baseline=False)


def test_a_chart_names_its_data_after_itself():
    chart = Chart(id="pareto", title="", subtitle="", finding="", figure={}, heads=(), rows=())
    assert chart.data_id == "pareto-data"
