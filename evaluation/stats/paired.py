"""Two panels on the same examples: the 2x2 table, its test, and the interval of the difference."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

from evaluation.stats.interval import Interval, two_sided_z
from evaluation.stats.proportions import wilson_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTable:
    """Examples by who was right: both, only the arm, only the baseline, neither (counts)."""

    both: int
    only_arm: int
    only_baseline: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.only_arm + self.only_baseline + self.neither

    @property
    def discordant(self) -> int:
        """Examples on which exactly one side was right."""
        return self.only_arm + self.only_baseline

    @property
    def difference(self) -> float:
        """Accuracy of the arm minus accuracy of the baseline, as a share. `ValueError` without examples."""
        if self.n == 0:
            raise ValueError("A paired difference needs at least one example, got n = 0.")
        return (self.only_arm - self.only_baseline) / self.n


def paired_table(arm: Sequence[bool], baseline: Sequence[bool]) -> PairedTable:
    """Count right and wrong per example; position i of both sequences is the same example.

    `ValueError` if the lengths differ or an entry is neither true nor false: an example that one
    side left unscored has no place in the table.
    """
    if len(arm) != len(baseline):
        raise ValueError(f"Paired sequences differ in length: {len(arm)} and {len(baseline)}.")
    cells = Counter(zip(arm, baseline, strict=True))
    table = PairedTable(
        both=cells[True, True],
        only_arm=cells[True, False],
        only_baseline=cells[False, True],
        neither=cells[False, False],
    )
    if table.n != len(arm):
        raise ValueError("Every pair needs right or wrong on both sides.")
    return table


def mcnemar_midp(only_arm: int, only_baseline: int) -> float:
    """Two-sided McNemar mid-p of the discordant counts; 1 where there is no discordant pair.

    With m the smaller count and X ~ Bin(only_arm + only_baseline, 1/2):
    p = min(1, 2 P(X <= m) - P(X = m)). Source: M. W. Fagerland, S. Lydersen and P. Laake,
    BMC Med. Res. Methodol. 13:91 (2013).
    """
    if min(only_arm, only_baseline) < 0:
        raise ValueError(f"Counts are not negative, got {only_arm} and {only_baseline}.")
    discordant = only_arm + only_baseline
    if discordant == 0:
        return 1.0
    from scipy.special import bdtr

    smaller = min(only_arm, only_baseline)
    at_smaller = comb(discordant, smaller) / (1 << discordant)
    up_to_smaller = float(bdtr(smaller, discordant, 0.5))
    return min(1.0, 2 * up_to_smaller - at_smaller)


def newcombe_paired(table: PairedTable, level: float = 0.95) -> Interval:
    """Hybrid score interval of `table.difference`, method 10 of the source; within -1..1.

    Square-and-add of the Wilson limits (no continuity correction) of both accuracies, with the
    correlation phi of the table taken off. Source: R. G. Newcombe, Stat. Med. 17:2635-2650 (1998);
    the phi of method 10 has its own correction, see `_method_10_phi`. `ValueError` without examples.
    """
    difference, z = table.difference, two_sided_z(level)
    arm, arm_low, arm_high = _share_with_limits(table.both + table.only_arm, table.n, z)
    base, base_low, base_high = _share_with_limits(table.both + table.only_baseline, table.n, z)
    phi = _method_10_phi(table)
    below = _combine(arm - arm_low, base_high - base, phi)
    above = _combine(arm_high - arm, base - base_low, phi)
    return Interval(
        low=max(-1.0, difference - below),
        high=min(1.0, difference + above),
        level=level,
        method="Newcombe paired score",
    )


def _share_with_limits(successes: int, n: int, z: float) -> tuple[float, float, float]:
    return successes / n, *wilson_limits(successes, n, z)


def _combine(arm_side: float, base_side: float, phi: float) -> float:
    """Length of the limit: sqrt(x² - 2 phi x y + y²), where rounding may leave a hair below 0."""
    return sqrt(max(0.0, arm_side**2 - 2 * phi * arm_side * base_side + base_side**2))


def _method_10_phi(table: PairedTable) -> float:
    """Correlation of the table as method 10 takes it, with a, b, c, d in Newcombe's order.

    phi = (ad - bc) / sqrt((a+b)(c+d)(a+c)(b+d)). A positive ad - bc becomes max(ad - bc - n/2, 0):
    plain phi (method 8) makes the interval too narrow when both sides mostly agree. A negative one
    stays as it is. An empty margin gives 0.
    """
    a, b, c, d = table.both, table.only_arm, table.only_baseline, table.neither
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    cross = a * d - b * c
    corrected = max(cross - table.n / 2, 0.0) if cross > 0 else cross
    return corrected / sqrt(margins)
