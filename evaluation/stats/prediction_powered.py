"""A rate from a judge's verdicts on many items, set right by a few that people judged too (PPI++)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from evaluation.stats.interval import Interval, two_sided_z
from evaluation.stats.proportions import rate_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistedRate:
    """``estimate`` with its interval, and beside it what each source says alone.

    ``trust`` is how far the judge is relied on: 0 ignores it, 1 takes it as right as people.
    """

    estimate: float
    interval: Interval
    trust: float
    humans_only: float
    humans_interval: Interval
    judge_only: float
    judged_by_people: int
    judged_alone: int


def assisted_rate(
    people: Sequence[float], judge: Sequence[float], judge_alone: Sequence[float], level: float = 0.95
) -> AssistedRate:
    """``people`` (0 or 1) and ``judge`` are of the same items, in order; ``judge_alone`` of further ones, drawn alike.

    Where people all say the same there is no variance to estimate: then the interval is that of people alone.

    Source: A. N. Angelopoulos, J. C. Duchi and T. Zrnic, PPI++, arXiv 2311.01453 (2023), example 6.1 with the tuned
    weight of equation 14, kept within 0..1. ``ValueError`` unless there are two items of people and one alone.
    """
    import numpy as np

    y, f, rest = (np.asarray(values, dtype=float) for values in (people, judge, judge_alone))
    if len(y) != len(f):
        raise ValueError(f"People and judge differ in length: {len(y)} and {len(f)}.")
    if len(y) < 2 or len(rest) < 1:
        raise ValueError("An assisted rate needs two items judged by people and one judged by the judge alone.")
    trust = _trust(y, f, rest)
    errors = y - trust * f
    estimate = float(trust * rest.mean() + errors.mean())
    variance = trust**2 * _variance(rest) / len(rest) + _variance(errors) / len(y)
    alone = rate_interval(int(y.sum()), len(y))
    return AssistedRate(
        estimate=estimate,
        interval=_normal(estimate, variance, level) if variance else alone,
        trust=trust,
        humans_only=float(y.mean()),
        humans_interval=alone,
        judge_only=float(np.concatenate([f, rest]).mean()),
        judged_by_people=len(y),
        judged_alone=len(rest),
    )


def _trust(y: "NDArray[np.float64]", f: "NDArray[np.float64]", rest: "NDArray[np.float64]") -> float:
    """The weight that makes the variance smallest; 0 for a judge who always says the same."""
    import numpy as np

    spread = _variance(np.concatenate([f, rest]))
    if spread == 0:
        return 0.0
    together = float(np.cov(y, f)[0, 1])
    return float(np.clip(together / ((1 + len(y) / len(rest)) * spread), 0.0, 1.0))


def _variance(values: "NDArray[np.float64]") -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _normal(estimate: float, variance: float, level: float) -> Interval:
    half = two_sided_z(level) * sqrt(variance)
    return Interval(low=max(0.0, estimate - half), high=min(1.0, estimate + half), level=level, method="PPI++")
