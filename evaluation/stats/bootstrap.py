"""Paired bootstrap: cost and latency of two panels on the same examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evaluation.stats.interval import Interval, two_sided_z

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

Statistic = Literal["mean", "p50", "p95", "p99"]

SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}

# Examples drawn at once: a bound on memory (8 bytes each, a few arrays of them), not on the result.
CHUNK_DRAWS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapDifference:
    """Statistic of the arm minus that of the baseline, in the unit of the values, with its interval.

    `relative_estimate` is arm / baseline - 1 (-0.2: a fifth less); it and its interval are None where
    the baseline's statistic is 0, in the data or in one resample.
    """

    estimate: float
    interval: Interval
    relative_estimate: float | None
    relative_interval: Interval | None
    resamples: int


def paired_bootstrap(
    arm: Sequence[float],
    baseline: Sequence[float],
    *,
    statistic: Statistic,
    resamples: int = 2000,
    seed: int,
    level: float = 0.95,
) -> BootstrapDifference:
    """Percentile interval over resampled examples, the same examples for both sides in each resample.

    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), 13.3. The same seed
    gives the same interval. `ValueError` without pairs or resamples, or if the lengths differ.
    """
    import numpy as np

    _check_pairs(len(arm), len(baseline), resamples)
    two_sided_z(level)  # refuses a level outside 0..1
    sides = np.asarray([arm, baseline], dtype=float)
    observed = _statistic_of(sides, statistic)
    draws = _draw_examples(len(arm), resamples, seed)
    resampled = np.concatenate([_statistic_of(np.take(sides, drawn, axis=1), statistic) for drawn in draws], axis=1)
    relative, relative_interval = _relative(observed, resampled, level)
    return BootstrapDifference(
        estimate=float(observed[0] - observed[1]),
        interval=_percentile_limits(resampled[0] - resampled[1], level),
        relative_estimate=relative,
        relative_interval=relative_interval,
        resamples=resamples,
    )


def _draw_examples(n: int, resamples: int, seed: int) -> "Iterator[Indices]":
    """Indices with replacement, in chunks of shape (resamples of the chunk, n)."""
    import numpy as np

    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK_DRAWS // n)
    for start in range(0, resamples, rows):
        yield generator.integers(0, n, size=(min(rows, resamples - start), n))


def _statistic_of(values: "Floats", statistic: Statistic) -> "Floats":
    """The statistic along the last axis."""
    import numpy as np

    if statistic == "mean":
        return np.asarray(values.mean(axis=-1))
    return np.asarray(np.quantile(values, SHARES[statistic], axis=-1))


def _relative(observed: "Floats", resampled: "Floats", level: float) -> tuple[float | None, Interval | None]:
    """arm / baseline - 1 and its interval; shapes (2,) and (2, resamples), the arm first."""
    if observed[1] == 0 or (resampled[1] == 0).any():
        return None, None
    return float(observed[0] / observed[1] - 1), _percentile_limits(resampled[0] / resampled[1] - 1, level)


def _percentile_limits(estimates: "Floats", level: float) -> Interval:
    import numpy as np

    tail = (1 - level) / 2
    low, high = np.quantile(estimates, [tail, 1 - tail])
    return Interval(low=float(low), high=float(high), level=level, method="paired bootstrap")


def _check_pairs(arm: int, baseline: int, resamples: int) -> None:
    if arm != baseline:
        raise ValueError(f"Paired sequences differ in length: {arm} and {baseline}.")
    if arm == 0:
        raise ValueError("A bootstrap needs at least one pair, got n = 0.")
    if resamples < 1:
        raise ValueError(f"A bootstrap needs at least one resample, got {resamples}.")
