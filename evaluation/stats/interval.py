"""The confidence interval as a value, and the normal quantile its methods share."""

from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval [low, high] in the unit of its estimate.

    `level` is the coverage it stands for (0.95 = 95 %), `method` the name to print beside it.
    """

    low: float
    high: float
    level: float = 0.95
    method: str = ""


def two_sided_z(level: float) -> float:
    """Standard normal quantile at (1 + level) / 2: 1.96 for level 0.95."""
    if not 0 < level < 1:
        raise ValueError(f"A confidence level lies between 0 and 1, got {level}.")
    return NormalDist().inv_cdf((1 + level) / 2)
