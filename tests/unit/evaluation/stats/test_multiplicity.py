from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.stats.multiplicity import holm

P_VALUES = st.lists(st.floats(0, 1), max_size=7)


def test_holm_steps_down_and_never_falls():
    # By hand: 4 * 0.01, 3 * 0.02, then 2 * 0.03 and 1 * 0.04 held up at 0.06.
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])


def test_holm_keeps_the_order_given():
    assert holm([0.6, 0.01, 0.03]) == pytest.approx([0.6, 0.03, 0.06])


def test_holm_of_nothing_is_nothing():
    assert holm([]) == []


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_value_that_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match="p-value"):
        holm([0.5, p])


@settings(deadline=None)
@given(P_VALUES)
def test_holm_is_the_closed_test_of_bonferroni(p_values):
    # Brute force: Holm rejects i when Bonferroni rejects every group of hypotheses that holds i.
    everything = range(len(p_values))
    groups = [g for size in range(1, len(p_values) + 1) for g in combinations(everything, size)]
    expected = [max(min(1.0, len(g) * min(p_values[j] for j in g)) for g in groups if i in g) for i in everything]
    assert holm(p_values) == pytest.approx(expected)


@settings(deadline=None)
@given(P_VALUES)
def test_adjusting_raises_values_and_keeps_their_order(p_values):
    adjusted = holm(p_values)
    assert all(raw <= new <= 1 for raw, new in zip(p_values, adjusted, strict=True))
    by_raw = [new for _, new in sorted(zip(p_values, adjusted, strict=True))]
    assert by_raw == sorted(adjusted)
