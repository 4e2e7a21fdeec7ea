"""What a paired comparison can see: the smallest difference for n pairs, and the pairs for a difference.

Both solve the same equation, R. J. Connor, Biometrics 43:207-211 (1987), p. 209, for McNemar's test:
n = ((z_a sqrt(psi) + z_b sqrt(psi - d²)) / d)², where psi is the share of discordant pairs, d the
difference of the two accuracies (both shares), z_a the two-sided and z_b the power quantile.
"""

from math import ceil, inf, sqrt
from statistics import NormalDist

from evaluation.stats.interval import two_sided_z


def detectable_difference(n: int, discordance: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Smallest difference of accuracy (share, above 0) that n pairs show with the given power.

    1,000 pairs see about 0.03 at discordance 0.10 and 0.04 at 0.20. A difference cannot exceed the
    discordance; where the equation asks for that, the discordance is taken as large as the
    difference itself, all discordant pairs on one side. Never above 1.
    """
    if n < 1:
        raise ValueError(f"A comparison needs at least one pair, got n = {n}.")
    _check_share(discordance)
    z_alpha, z_beta = _quantiles(power, alpha)
    difference = _difference_at(n, discordance, z_alpha, z_beta)
    return difference if 0 < difference <= discordance else _one_sided_difference(n, z_alpha, z_beta)


def pairs_needed(difference: float, discordance: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Pairs that show `difference` (a share, its sign ignored) with the given power, rounded up.

    `ValueError` for a difference of 0 or one beyond the discordance, which no data can show.
    """
    _check_share(discordance)
    z_alpha, z_beta = _quantiles(power, alpha)
    size = abs(difference)
    if not 0 < size <= discordance:
        raise ValueError(f"A difference lies between 0 and the discordance {discordance}, got {size}.")
    spread = z_alpha * sqrt(discordance) + z_beta * sqrt(discordance - size * size)
    return ceil((spread / size) ** 2)


def _difference_at(n: int, discordance: float, z_alpha: float, z_beta: float) -> float:
    """The larger root d of (d sqrt(n) - z_a sqrt(psi))² = z_b² (psi - d²); infinite for too few pairs."""
    under_root = z_beta**2 * discordance * (n + z_beta**2 - z_alpha**2)
    if under_root < 0:
        return inf
    return (z_alpha * sqrt(discordance * n) + sqrt(under_root)) / (n + z_beta**2)


def _one_sided_difference(n: int, z_alpha: float, z_beta: float) -> float:
    """The root d of Connor's equation with psi = d, solved for s = sqrt(1 - d); 1 for too few pairs.

    With psi = d it reads n (1 - s²) = (z_a + z_b s)².
    """
    if n <= z_alpha**2:
        return 1.0
    slope = z_alpha * z_beta
    root = sqrt(slope**2 + (n + z_beta**2) * (n - z_alpha**2))
    return 1 - ((root - slope) / (n + z_beta**2)) ** 2


def _quantiles(power: float, alpha: float) -> tuple[float, float]:
    if not 0.5 <= power < 1:
        raise ValueError(f"Power lies between 0.5 and 1, got {power}.")
    return two_sided_z(1 - alpha), NormalDist().inv_cdf(power)


def _check_share(discordance: float) -> None:
    if not 0 <= discordance <= 1:
        raise ValueError(f"Discordance lies between 0 and 1, got {discordance}.")
