from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.stats.pareto import frontier

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30)


def test_only_panels_worth_their_cost_remain_by_rising_cost():
    points = [(9.0, 0.90), (1.0, 0.70), (5.0, 0.65), (3.0, 0.80), (12.0, 0.90)]
    assert frontier(points) == [1, 3, 0]


def test_at_equal_cost_only_the_better_remains():
    assert frontier([(1, 0.7), (1, 0.8)]) == [1]


def test_equal_points_both_remain():
    assert frontier([(1, 0.7), (2, 0.6), (1, 0.7)]) == [0, 2]


def test_no_points_have_no_frontier():
    assert frontier([]) == []


@settings(deadline=None)
@given(POINTS)
def test_the_frontier_is_what_no_other_point_dominates(points):
    # Brute force: compare every point with every other.
    expected = {
        i
        for i, (cost, quality) in enumerate(points)
        if not any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in points)
    }
    assert set(frontier(points)) == expected
    assert [points[i][0] for i in frontier(points)] == sorted(points[i][0] for i in expected)
