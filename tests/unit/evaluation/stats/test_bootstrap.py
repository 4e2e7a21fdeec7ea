from itertools import product
from statistics import mean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.stats import bootstrap
from evaluation.stats.bootstrap import paired_bootstrap


def sample(seed: int, n: int) -> tuple[list[float], list[float]]:
    """Latencies of two panels in seconds, positively related as on the same examples."""
    generator = np.random.default_rng(seed)
    baseline = generator.lognormal(size=n)
    return (1.2 * baseline + generator.random(n)).tolist(), baseline.tolist()


@pytest.mark.parametrize(
    ("statistic", "function"), [("mean", np.mean), ("p95", lambda x, axis: np.quantile(x, 0.95, axis=axis))]
)
def test_the_interval_is_that_of_an_independent_implementation(statistic, function):
    # scipy.stats.bootstrap, paired, percentile method, draws the same examples from the same seed.
    from scipy import stats

    arm, baseline = sample(1, 120)
    ours = paired_bootstrap(arm, baseline, statistic=statistic, resamples=400, seed=9)

    def compare(combine):
        return stats.bootstrap(
            (arm, baseline),
            lambda x, y, axis: combine(function(x, axis=axis), function(y, axis=axis)),
            paired=True, vectorized=True, method="percentile", n_resamples=400, rng=np.random.default_rng(9),
        ).confidence_interval  # fmt: skip

    difference, relative = compare(np.subtract), compare(lambda x, y: x / y - 1)
    assert (ours.interval.low, ours.interval.high) == pytest.approx((difference.low, difference.high), rel=1e-12)
    assert ours.relative_interval is not None
    assert (ours.relative_interval.low, ours.relative_interval.high) == pytest.approx(
        (relative.low, relative.high), rel=1e-12
    )


def test_the_interval_approaches_that_of_all_possible_resamples():
    # Brute force: each of the 4^4 resamples of four pairs once; distinct means, so the quantiles are sharp.
    arm, baseline = [1.0, 5.0, 2.5, 9.0], [2.0, 3.0, 2.0, 4.0]
    means = sorted(mean(arm[i] - baseline[i] for i in drawn) for drawn in product(range(4), repeat=4))
    found = paired_bootstrap(arm, baseline, statistic="mean", resamples=20_000, seed=2, level=0.8).interval
    assert (found.low, found.high) == pytest.approx((means[25], means[-26]), abs=0.13)


def test_estimates_are_the_plain_difference_and_ratio():
    found = paired_bootstrap([2.0, 4.0, 6.0], [4.0, 5.0, 6.0], statistic="mean", resamples=50, seed=1)
    assert found.estimate == pytest.approx(-1.0)
    assert found.relative_estimate == pytest.approx(-0.2)
    assert (found.resamples, found.interval.level, found.interval.method) == (50, 0.95, "paired bootstrap")


@pytest.mark.parametrize(("statistic", "share"), [("p50", 0.50), ("p95", 0.95), ("p99", 0.99)])
def test_percentiles_name_their_share(statistic, share):
    arm, baseline = sample(4, 301)
    found = paired_bootstrap(arm, baseline, statistic=statistic, resamples=20, seed=1)
    assert found.estimate == pytest.approx(np.quantile(arm, share) - np.quantile(baseline, share))


def test_pairs_stay_together():
    # A constant gap between the sides leaves nothing to vary; drawing the sides apart would.
    _, baseline = sample(3, 80)
    found = paired_bootstrap([x + 1 for x in baseline], baseline, statistic="mean", resamples=200, seed=1)
    assert (found.interval.low, found.interval.high) == pytest.approx((1.0, 1.0), abs=1e-9)


def test_the_seed_decides_and_the_chunks_do_not(monkeypatch):
    arm, baseline = sample(5, 50)
    first = paired_bootstrap(arm, baseline, statistic="p95", resamples=101, seed=7)
    monkeypatch.setattr(bootstrap, "CHUNK_DRAWS", 20)
    assert paired_bootstrap(arm, baseline, statistic="p95", resamples=101, seed=7) == first
    assert paired_bootstrap(arm, baseline, statistic="p95", resamples=101, seed=8) != first


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.floats(0.1, 50), st.floats(0.1, 50)), min_size=2, max_size=40))
def test_swapping_the_sides_mirrors_the_interval(pairs):
    arm, baseline = zip(*pairs, strict=True)
    forward = paired_bootstrap(arm, baseline, statistic="mean", resamples=60, seed=3).interval
    backward = paired_bootstrap(baseline, arm, statistic="mean", resamples=60, seed=3).interval
    assert (-backward.high, -backward.low) == pytest.approx((forward.low, forward.high), abs=1e-9)


@pytest.mark.parametrize("baseline", [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
def test_a_free_baseline_has_no_relative_difference(baseline):
    # The second is free only in some resamples, which would divide by zero.
    found = paired_bootstrap([1.0, 2.0, 3.0], baseline, statistic="mean", resamples=200, seed=1)
    assert (found.relative_estimate, found.relative_interval) == (None, None)
    assert found.interval.low > 0


def test_memory_is_bounded_for_the_largest_run():
    # 10,000 pairs x 2,000 resamples would be 160 MB of indices at once; count what is drawn per chunk.
    largest = max(drawn.nbytes for drawn in bootstrap._draw_examples(10_000, 40, seed=1))
    assert largest <= 8 * bootstrap.CHUNK_DRAWS
    assert bootstrap.CHUNK_DRAWS <= 1_000_000


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="2 and 1"):
        paired_bootstrap([1.0, 2.0], [1.0], statistic="mean", seed=1)
    with pytest.raises(ValueError, match="n = 0"):
        paired_bootstrap([], [], statistic="mean", seed=1)
    with pytest.raises(ValueError, match="got 0"):
        paired_bootstrap([1.0], [1.0], statistic="mean", resamples=0, seed=1)
    with pytest.raises(ValueError, match="confidence level"):
        paired_bootstrap([1.0], [1.0], statistic="mean", seed=1, level=95)
