from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.stats.percentiles import ecdf, percentile, percentile_interval

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=150)


def exact_terms(n: int, q: Fraction) -> list[Fraction]:
    """P(B = k) for B ~ Bin(n, q) and k = 0..n, in fractions."""
    return [comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(n + 1)]


def test_percentile_interpolates_between_neighbours():
    # By hand: position 0.95 * (5 - 1) = 3.8 between the 4th and the 5th value.
    assert percentile([10, 50, 20, 40, 30], 0.95) == pytest.approx(48.0)
    assert percentile([10, 50, 20, 40, 30], 0.5) == 30.0


@pytest.mark.parametrize(
    ("n", "q", "low", "high"), [(10, 0.5, 2, 9), (15, 0.5, 4, 12), (20, 0.5, 6, 15), (25, 0.5, 8, 18)]
)
def test_median_ranks_match_the_published_table(n, q, low, high):
    # The 95 % ranks for a median as tabulated in Conover (1999), 3.2, and in every sign-test table.
    interval = percentile_interval(range(1, n + 1), q)
    assert (interval.low, interval.high, interval.level) == (low, high, 0.95)


@pytest.mark.parametrize(
    ("n", "q"), [(100, Fraction(95, 100)), (72, Fraction(95, 100)), (90, Fraction(3, 10)), (11, Fraction(1, 2))]
)
def test_ranks_are_the_tightest_with_at_most_half_the_error_in_each_tail(n, q):
    # Brute force over all ranks with exact binomial sums.
    terms = exact_terms(n, q)
    low = max(rank for rank in range(1, n + 1) if sum(terms[:rank]) <= 0.025)
    high = min(rank for rank in range(1, n + 1) if sum(terms[rank:]) <= 0.025)
    interval = percentile_interval(range(1, n + 1), float(q))
    assert (interval.low, interval.high, interval.level) == (low, high, 0.95)


def test_too_few_values_say_what_they_cover():
    # 50 values have no upper 97.5 % limit for P95: 0.95^50 = 7.7 % of samples miss it altogether.
    interval = percentile_interval(range(1, 51), 0.95)
    assert interval.high == 50
    assert interval.level == pytest.approx(float(sum(exact_terms(50, Fraction(95, 100))[int(interval.low) : 50])))
    assert interval.level < 0.95


def test_a_limit_never_falls_short_of_the_estimate():
    # Two values and a low share: the rank of the upper limit alone would be 1, below the estimate.
    interval = percentile_interval([0.0, 1.0], 0.01)
    assert (interval.low, interval.high) == (0.0, 1.0)
    assert interval.level == pytest.approx(2 * 0.01 * 0.99)


def test_one_value_covers_nothing():
    interval = percentile_interval([7.0], 0.95)
    assert (interval.low, interval.high, interval.level) == (7.0, 7.0, 0.0)


@settings(deadline=None)
@given(VALUES, st.floats(0.01, 0.99))
def test_the_interval_holds_the_percentile(values, q):
    interval = percentile_interval(values, q)
    assert interval.low <= percentile(values, q) + 1e-6
    assert interval.high >= percentile(values, q) - 1e-6


@pytest.mark.parametrize("method", [percentile, percentile_interval])
def test_bad_input_is_refused(method):
    with pytest.raises(ValueError, match="n = 0"):
        method([], 0.5)
    with pytest.raises(ValueError, match="got 95"):
        method([1.0], 95)


def test_an_interval_refuses_a_level_in_percent():
    with pytest.raises(ValueError, match="confidence level"):
        percentile_interval([1.0], 0.5, level=95)


def test_a_short_distribution_is_exact():
    assert ecdf([3, 1, 2, 2]) == ((1.0, 2.0, 3.0), (0.25, 0.75, 1.0))


def test_a_long_distribution_is_thinned_and_keeps_its_ends():
    x, share = ecdf(range(1, 10_001), points=50)
    assert len(x) == len(share) == 50
    assert (x[0], x[-1], share[-1]) == (1.0, 10_000.0, 1.0)


@settings(deadline=None)
@given(VALUES, st.integers(2, 20))
def test_each_share_is_the_share_of_values_at_or_below(values, points):
    x, share = ecdf(values, points)
    assert len(x) <= points
    assert list(x) == sorted(set(x))
    assert share == tuple(sum(value <= at for value in values) / len(values) for at in x)


def test_no_values_have_no_steps():
    assert ecdf([]) == ((), ())


def test_a_distribution_needs_two_points():
    with pytest.raises(ValueError, match="got 1"):
        ecdf([1.0, 2.0], points=1)
