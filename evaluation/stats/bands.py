"""Does consensus tell right from wrong: accuracy within bands of consensus."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from evaluation.stats.interval import Interval
from evaluation.stats.proportions import wilson

# Each possible vote of a panel of three, four or five falls into a band of its own.
DEFAULT_EDGES = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Examples with low <= consensus < high (the last band includes its high edge).

    `n` counts all of them, `scored` those marked right or wrong, `correct` those marked right;
    `accuracy` is the 95 % interval of correct / scored, None where nothing is scored.
    """

    low: float
    high: float
    n: int
    correct: int
    scored: int
    accuracy: Interval | None


def consensus_bands(
    consensus: Sequence[float], correct: Sequence[bool | None], edges: Sequence[float] = DEFAULT_EDGES
) -> list[Band]:
    """One band per pair of neighbouring edges, empty ones included; consensus is a share, None is unscored.

    `ValueError` if the lengths differ, the edges do not rise, or a consensus lies outside them.
    """
    if len(consensus) != len(correct):
        raise ValueError(f"Paired sequences differ in length: {len(consensus)} and {len(correct)}.")
    if len(edges) < 2 or any(low >= high for low, high in pairwise(edges)):
        raise ValueError(f"Edges of bands rise, got {list(edges)}.")
    outcomes: list[list[bool | None]] = [[] for _ in edges[1:]]
    for share, outcome in zip(consensus, correct, strict=True):
        outcomes[_band_index(share, edges)].append(outcome)
    return [_band(low, high, held) for (low, high), held in zip(pairwise(edges), outcomes, strict=True)]


def _band_index(share: float, edges: Sequence[float]) -> int:
    if not edges[0] <= share <= edges[-1]:
        raise ValueError(f"Consensus lies between {edges[0]} and {edges[-1]}, got {share}.")
    return min(bisect_right(edges, share) - 1, len(edges) - 2)


def _band(low: float, high: float, outcomes: list[bool | None]) -> Band:
    scored = [outcome for outcome in outcomes if outcome is not None]
    right = sum(scored)
    accuracy = wilson(right, len(scored)) if scored else None
    return Band(low=low, high=high, n=len(outcomes), correct=right, scored=len(scored), accuracy=accuracy)
