"""A rate from items that were not all equally likely to be looked at, and the difference of two such rates."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from evaluation.stats.interval import Interval, two_sided_z
from evaluation.stats.paired import newcombe_paired, paired_table
from evaluation.stats.proportions import rate_interval

# What rounding leaves of a sum of squares that is 0.
_NOTHING = 1e-18


class UnweightedOversample(Exception):
    """Items were drawn with different probabilities, so that their plain share says nothing of all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledItem:
    """One judged item: whether the event was there, and the probability with which the item came into the sample."""

    event: bool
    inclusion: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedRate:
    """``events`` of ``n`` judged items; ``estimate`` is the share of all items, with its interval."""

    events: int
    n: int
    estimate: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledPair:
    """One item judged for both arms: whether the event was there in each."""

    first: bool
    second: bool
    inclusion: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedDifference:
    """The rate of the first less that of the second, of all items, from ``n`` on which ``discordant`` differ."""

    n: int
    discordant: int
    estimate: float
    interval: Interval

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves no doubt about which rate is the larger."""
        return self.interval.low > 0 or self.interval.high < 0


def plain_rate(items: Sequence[SampledItem]) -> WeightedRate:
    """The unweighted share. Raises UnweightedOversample where inclusion differs; ``ValueError`` without items."""
    _check(items)
    if len({item.inclusion for item in items}) > 1:
        raise UnweightedOversample("These items were drawn with different probabilities; weight them.")
    events = sum(item.event for item in items)
    interval = rate_interval(events, len(items))
    return WeightedRate(events=events, n=len(items), estimate=events / len(items), interval=interval)


def weighted_rate(items: Sequence[SampledItem], level: float = 0.95) -> WeightedRate:
    """Every item counts for the 1 / inclusion items like it; equal probabilities give ``plain_rate``.

    Source: the ratio estimator of J. Hájek (1971) and its linearised variance, C.-E. Särndal, B. Swensson and
    J. Wretman, Model Assisted Survey Sampling (1992), 5.7 and 5.8; its interval is Wilson's at the effective sample
    size p(1 - p) / variance (E. L. Korn and B. I. Graubard, Survey Methodology 24:193-201, 1998). Without an event, or
    with nothing else, that size is Kish's, (sum of weights)² / sum of squared weights.
    """
    _check(items)
    if len({item.inclusion for item in items}) == 1:
        return plain_rate(items)
    weights = [1 / item.inclusion for item in items]
    total = sum(weights)
    share = sum(weight for weight, item in zip(weights, items, strict=True) if item.event) / total
    size = _effective_size(items, weights, share)
    return WeightedRate(
        events=sum(item.event for item in items), n=len(items), estimate=share, interval=_score(share, size, level)
    )


def weighted_difference(pairs: Sequence[SampledPair], level: float = 0.95) -> WeightedDifference:
    """On the same items; equal probabilities give Newcombe's paired interval.

    Else the linearised variance of ``weighted_rate`` with the difference in place of the event; where all items say
    the same, no item of the other kind is ruled out beyond 3 / Kish's effective size. ``ValueError`` without pairs.
    """
    _check(pairs)
    discordant = sum(pair.first is not pair.second for pair in pairs)
    if len({pair.inclusion for pair in pairs}) == 1:
        table = paired_table([pair.first for pair in pairs], [pair.second for pair in pairs])
        interval = newcombe_paired(table, level)
        return WeightedDifference(n=len(pairs), discordant=discordant, estimate=table.difference, interval=interval)
    weights = [1 / pair.inclusion for pair in pairs]
    apart = [int(pair.first) - int(pair.second) for pair in pairs]
    estimate = sum(weight * each for weight, each in zip(weights, apart, strict=True)) / sum(weights)
    half = _half_width(weights, [each - estimate for each in apart], level)
    interval = Interval(
        low=max(-1.0, estimate - half), high=min(1.0, estimate + half), level=level, method="normal, weighted"
    )
    return WeightedDifference(n=len(pairs), discordant=discordant, estimate=estimate, interval=interval)


def _half_width(weights: Sequence[float], residuals: Sequence[float], level: float) -> float:
    squares = sum((weight * residual) ** 2 for weight, residual in zip(weights, residuals, strict=True))
    if squares < _NOTHING:
        return 3 * sum(weight**2 for weight in weights) / sum(weights) ** 2
    return two_sided_z(level) * sqrt(squares * len(weights) / (len(weights) - 1)) / sum(weights)


def _effective_size(items: Sequence[SampledItem], weights: Sequence[float], share: float) -> float:
    total = sum(weights)
    squares = sum(weight**2 for weight in weights)
    if not 0 < share < 1:
        return total**2 / squares
    residuals = (weight * (item.event - share) for weight, item in zip(weights, items, strict=True))
    variance = sum(residual**2 for residual in residuals) / total**2 * len(items) / (len(items) - 1)
    # Weights that happen to fit the events must not claim more than the items there are.
    return min(share * (1 - share) / variance, float(len(items)))


def _score(share: float, size: float, level: float) -> Interval:
    """Wilson's interval for a size that need not be whole."""
    z = two_sided_z(level)
    centre = share + z * z / (2 * size)
    half = z * sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    scale = 1 + z * z / size
    low = 0.0 if share == 0 else (centre - half) / scale
    high = 1.0 if share == 1 else (centre + half) / scale
    return Interval(low=low, high=high, level=level, method="Wilson, weighted")


def _check(items: Sequence[SampledItem] | Sequence[SampledPair]) -> None:
    if not items:
        raise ValueError("A rate needs at least one item.")
    if any(not 0 < item.inclusion <= 1 for item in items):
        raise ValueError("An inclusion probability lies above 0 and at most at 1.")
