"""Intervals for one proportion: a share of n independent examples, unit 1 (0.42 = 42 %)."""

from math import sqrt

from evaluation.stats.interval import Interval, two_sided_z

# Below this many events the normal approximation behind Wilson's limits is not relied on.
FEW_EVENTS = 10


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Score interval without continuity correction.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22:209-212 (1927); method 3 in R. G. Newcombe,
    Stat. Med. 17:857-872 (1998). `ValueError` for n = 0 or successes outside 0..n.
    """
    _check_counts(successes, n)
    low, high = wilson_limits(successes, n, two_sided_z(level))
    return Interval(low=low, high=high, level=level, method="Wilson")


def wilson_limits(successes: int, n: int, z: float) -> tuple[float, float]:
    """The two roots p of |successes/n - p| = z * sqrt(p(1-p)/n); see `wilson`."""
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At 0 and n the limits are 0 and 1 exactly; rounding would leave them a hair outside.
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return low, high


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval: each tail holds at most (1 - level) / 2.

    Source: C. J. Clopper and E. S. Pearson, Biometrika 26:404-413 (1934), as beta quantiles.
    `ValueError` for n = 0 or successes outside 0..n.
    """
    from scipy.special import betaincinv

    _check_counts(successes, n)
    two_sided_z(level)  # refuses a level outside 0..1
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(low=low, high=high, level=level, method="Clopper-Pearson")


def rule_of_three(n: int) -> Interval:
    """Interval for 0 events of n: from 0 to 3/n, the one-sided 95 % limit (never above 1).

    Source: J. A. Hanley and A. Lippman-Hand, J. Am. Med. Assoc. 249:1743-1745 (1983).
    """
    _check_counts(0, n)
    return Interval(low=0.0, high=min(1.0, 3 / n), level=0.95, method="rule of three")


def rate_interval(events: int, n: int) -> Interval:
    """95 % interval for a rate of events: Wilson; under 10 events Clopper-Pearson; 0 of n the rule of three."""
    if events == 0:
        return rule_of_three(n)
    if events < FEW_EVENTS:
        return clopper_pearson(events, n)
    return wilson(events, n)


def _check_counts(successes: int, n: int) -> None:
    if n < 1:
        raise ValueError(f"A proportion needs at least one example, got n = {n}.")
    if not 0 <= successes <= n:
        raise ValueError(f"Successes lie between 0 and n = {n}, got {successes}.")
