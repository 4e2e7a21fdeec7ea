"""Percentiles of measured values (seconds, nano-dollars, tokens): in the unit of the values."""

from collections.abc import Sequence
from math import ceil, floor

from evaluation.stats.interval import Interval, two_sided_z


def percentile(values: Sequence[float], q: float) -> float:
    """Quantile at share q (0.95 for P95), linear between the two nearest order statistics.

    Source: definition 7 of R. J. Hyndman and Y. Fan, Am. Stat. 50:361-365 (1996), numpy's default.
    `ValueError` without values or with q outside 0..1.
    """
    import numpy as np

    _check_sample(values, q)
    return float(np.quantile(np.asarray(values, dtype=float), q))


def percentile_interval(values: Sequence[float], q: float, level: float = 0.95) -> Interval:
    """Distribution-free interval of the quantile at share q, its limits two of the values.

    Ranks l < u with B ~ Bin(n, q): P(B < l) <= (1 - level)/2 and P(B >= u) <= (1 - level)/2, as tight
    as they can be. Source: W. J. Conover, Practical Nonparametric Statistics, 3rd ed. (1999), 3.2;
    G. J. Hahn and W. Q. Meeker, Statistical Intervals (1991), 5.2. Where too few values reach `level`
    (P95: fewer than 72), the smallest or largest value is the limit and `level` is what it covers.
    """
    import numpy as np

    _check_sample(values, q)
    low_rank, high_rank, covered = _binomial_ranks(len(values), q, level)
    ordered = np.sort(np.asarray(values, dtype=float))
    low, high = float(ordered[low_rank - 1]), float(ordered[high_rank - 1])
    return Interval(low=low, high=high, level=covered, method="order statistics")


def ecdf(values: Sequence[float], points: int = 200) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Empirical distribution (x, share of values <= x), at most `points` steps, evenly spaced in rank.

    The smallest and the largest value are always among them, so the share ends at 1. No values: two
    empty tuples. `ValueError` for fewer than 2 points.
    """
    import numpy as np

    if points < 2:
        raise ValueError(f"A distribution needs at least 2 points, got {points}.")
    ordered = np.sort(np.asarray(values, dtype=float))
    ranks = np.linspace(0, len(ordered) - 1, min(points, len(ordered))).round().astype(int)
    x = np.unique(ordered[ranks])
    share = np.searchsorted(ordered, x, side="right") / max(1, len(ordered))
    return tuple(x.tolist()), tuple(share.tolist())


def _binomial_ranks(n: int, q: float, level: float) -> tuple[int, int, float]:
    """(low rank, high rank, coverage), ranks counted from 1; the coverage is `level` unless ranks run out."""
    import numpy as np
    from scipy.special import bdtr

    two_sided_z(level)  # refuses a level outside 0..1
    tail = (1 - level) / 2
    cumulative = bdtr(np.arange(n + 1), n, q)
    low = int(np.searchsorted(cumulative, tail))
    high = int(np.searchsorted(cumulative, 1 - tail)) + 1
    if low >= 1 and high <= n:
        return low, high, level
    # Too few values: take what there is, and never less than the neighbours the estimate lies between.
    position = (n - 1) * q
    low = max(1, min(low, floor(position) + 1))
    high = min(n, max(high, ceil(position) + 1))
    return low, high, float(cumulative[high - 1] - cumulative[low - 1])


def _check_sample(values: Sequence[float], q: float) -> None:
    if len(values) == 0:
        raise ValueError("A percentile needs at least one value, got n = 0.")
    if not 0 <= q <= 1:
        raise ValueError(f"A percentile is a share between 0 and 1, got {q}.")
