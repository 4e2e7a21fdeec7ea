from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.stats.proportions import clopper_pearson, rate_interval, rule_of_three, wilson

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def at_most(k: int, n: int, p: Fraction) -> float:
    """P(X <= k) for X ~ Bin(n, p), by summing exact terms."""
    return float(sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1)))


# R. G. Newcombe, Stat. Med. 17:857-872 (1998), table I, methods 3 (score) and 5 (exact).
NEWCOMBE_TABLE_I = [
    (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
    (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
]


@pytest.mark.parametrize(("successes", "n", "score", "exact"), NEWCOMBE_TABLE_I)
def test_limits_match_newcombes_published_table(successes, n, score, exact):
    assert (wilson(successes, n).low, wilson(successes, n).high) == pytest.approx(score, abs=5e-5)
    assert (clopper_pearson(successes, n).low, clopper_pearson(successes, n).high) == pytest.approx(exact, abs=5e-5)


@settings(deadline=None)
@given(COUNTS)
def test_wilson_limits_solve_the_score_equation(counts):
    # By definition: at each limit p, |share - p| is 1.959964 standard errors of p.
    successes, n = counts
    interval = wilson(successes, n)
    for limit in (interval.low, interval.high):
        distance = (successes / n - limit) ** 2
        assert distance == pytest.approx(1.959963984540054**2 * limit * (1 - limit) / n, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(1, 7), (3, 12), (9, 40), (12, 12), (0, 5)])
def test_clopper_pearson_leaves_the_tail_in_the_binomial_sum(successes, n):
    # Brute force: exact binomial sums at the limits, with fractions.
    interval = clopper_pearson(successes, n, level=0.9)
    if successes > 0:
        assert 1 - at_most(successes - 1, n, Fraction(interval.low)) == pytest.approx(0.05, rel=1e-9)
    if successes < n:
        assert at_most(successes, n, Fraction(interval.high)) == pytest.approx(0.05, rel=1e-9)


@settings(deadline=None)
@given(COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
def test_intervals_hold_their_estimate_and_stay_within_0_and_1(counts, level):
    successes, n = counts
    for method in (wilson, clopper_pearson):
        interval = method(successes, n, level)
        assert 0 <= interval.low <= successes / n <= interval.high <= 1
        assert interval.level == level


@settings(deadline=None)
@given(COUNTS)
def test_counting_failures_instead_mirrors_the_interval(counts):
    successes, n = counts
    for method in (wilson, clopper_pearson):
        interval, mirror = method(successes, n), method(n - successes, n)
        assert (1 - mirror.high, 1 - mirror.low) == pytest.approx((interval.low, interval.high), abs=1e-9)


@pytest.mark.parametrize("n", [30, 100, 1000])
def test_rule_of_three_is_close_to_the_exact_one_sided_limit(n):
    # Exact: 1 - 0.05^(1/n). Hanley and Lippman-Hand call 3/n good from n = 30 on.
    interval = rule_of_three(n)
    assert (interval.low, interval.high) == (0.0, 3 / n)
    assert interval.high == pytest.approx(1 - 0.05 ** (1 / n), rel=0.06)


def test_rule_of_three_never_exceeds_one():
    assert rule_of_three(2).high == 1.0


@pytest.mark.parametrize(
    ("events", "n", "method"),
    [
        (0, 50, "rule of three"),
        (1, 50, "Clopper-Pearson"),
        (9, 1000, "Clopper-Pearson"),
        (10, 1000, "Wilson"),
        (50, 50, "Wilson"),
    ],
)
def test_the_number_of_events_chooses_the_method_of_a_rate(events, n, method):
    interval = rate_interval(events, n)
    assert (interval.method, interval.level) == (method, 0.95)
    assert interval.low <= events / n <= interval.high


@pytest.mark.parametrize("method", [wilson, clopper_pearson, rate_interval])
def test_no_examples_is_an_error_that_says_so(method):
    with pytest.raises(ValueError, match="n = 0"):
        method(0, 0)


@pytest.mark.parametrize("method", [wilson, clopper_pearson])
@pytest.mark.parametrize("successes", [-1, 11])
def test_impossible_counts_are_refused(method, successes):
    with pytest.raises(ValueError, match=f"n = 10, got {successes}"):
        method(successes, 10)


def test_clopper_pearson_refuses_a_level_in_percent():
    with pytest.raises(ValueError, match="confidence level"):
        clopper_pearson(1, 10, level=95)
