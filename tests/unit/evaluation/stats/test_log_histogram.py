from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.stats.log_histogram import (
    GAMMA,
    bucket_of,
    count_of,
    count_values,
    middle_of,
    pack,
    quantile,
    quantiles,
    unpack,
)

SECONDS = st.floats(min_value=1e-6, max_value=1e5)
WITHIN = (GAMMA - 1) / (GAMMA + 1) * (1 + 1e-9)


@given(SECONDS)
def test_a_bucket_stands_for_its_values_within_one_percent(value):
    assert abs(middle_of(bucket_of(value)) - value) <= WITHIN * value


def test_what_nobody_measures_shares_a_bucket_of_its_own():
    assert bucket_of(0.0) == bucket_of(9e-7)
    assert middle_of(bucket_of(0.0)) == 0.0
    assert bucket_of(0.0) < bucket_of(1e-6)


@pytest.mark.parametrize("value", [-0.1, float("inf"), float("nan")])
def test_what_is_no_measurement_is_refused(value):
    with pytest.raises(ValueError, match="finite values of 0 or more"):
        bucket_of(value)


@given(st.lists(SECONDS, min_size=1, max_size=200), st.floats(min_value=0, max_value=1))
def test_a_percentile_is_within_one_percent_of_the_order_statistic(values, q):
    exact = float(np.quantile(values, q, method="inverted_cdf"))
    found = quantile(count_values(values), q)
    assert found is not None
    assert abs(found - exact) <= WITHIN * exact


def test_the_ends_are_the_smallest_and_the_largest_value():
    counts = count_values([1.0, 2.0, 4.0])
    assert quantile(counts, 0) == pytest.approx(1.0, rel=0.01)
    assert quantile(counts, 1) == pytest.approx(4.0, rel=0.01)


def test_no_values_have_no_percentile():
    assert quantile({}, 0.5) is None


@pytest.mark.parametrize("q", [-0.01, 1.01])
def test_a_share_outside_0_to_1_is_refused(q):
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile({0: 1}, q)


@given(st.lists(st.floats(min_value=0, max_value=1e5)), st.lists(st.floats(min_value=0, max_value=1e5)))
def test_packed_histograms_joined_are_the_histogram_of_all(first, second):
    joined = pack(count_values(first)) + pack(count_values(second))
    assert unpack(joined) == count_values([*first, *second])


def test_a_packed_histogram_that_is_cut_off_is_refused():
    with pytest.raises(ValueError, match="8 bytes a bucket"):
        unpack(pack(Counter({3: 4}))[:-1])


@given(st.lists(SECONDS, max_size=50), st.lists(SECONDS, max_size=50))
def test_percentiles_of_what_is_packed_are_those_of_the_counts(first, second):
    shares = (0.0, 0.5, 0.95, 1.0)
    joined = pack(count_values(first)) + pack(count_values(second))
    counts = count_values([*first, *second])
    assert quantiles(joined, shares) == tuple(quantile(counts, q) for q in shares)
    assert count_of(joined) == len(first) + len(second)
