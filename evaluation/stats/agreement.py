"""How far several reviewers agree on the same items: chance-corrected, and as the plain share of pairs that agree.

A table of ratings has one row an item and in it the levels given, as whole numbers from 0 to ``levels`` - 1, in any
order and number: reviewers need not be the same from item to item. Items with fewer than two ratings say nothing.
``weights`` are 1 / inclusion of the items, where they were not all equally likely to be drawn: an item of weight 2
counts as two like it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evaluation.stats.interval import Interval, two_sided_z

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Metric = Literal["nominal", "ordinal"]
Ratings = Sequence[Sequence[int]]
Weights = Sequence[float] | None

_DRAWN_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Agreement on one question over ``items`` items that two or more rated.

    ``alpha`` is Krippendorff's, ``ac1`` Gwet's, both 1 for perfect agreement and 0 for chance; None where all ratings
    are of one level, so that chance would agree as well. ``share`` is that of pairs of ratings that are equal, of the
    same item. ``interval`` is that of alpha.
    """

    items: int
    alpha: float | None
    interval: Interval | None
    ac1: float | None
    share: float


def agreement(
    ratings: Ratings,
    *,
    levels: int,
    metric: Metric,
    seed: int,
    weights: Weights = None,
    resamples: int = 1000,
    level: float = 0.95,
) -> Agreement | None:
    """None if no item has two ratings. ``ValueError`` for a rating outside the levels.

    The interval is the percentile bootstrap over items; it is None with alpha, and for fewer than two items.
    """
    import numpy as np

    counts, weighing = _counts(ratings, levels), _weighing(ratings, weights)
    if not len(counts):
        return None
    tables = _coincidences(counts) * weighing[:, None, None]
    alpha = _alphas(tables.sum(axis=0)[None], metric)[0]
    has_interval = alpha is not None and len(counts) > 1
    return Agreement(
        items=len(counts),
        alpha=alpha,
        interval=_interval(tables, metric, seed, resamples, level) if has_interval else None,
        ac1=_ac1(ratings, levels, weights),
        share=float(np.average(_pair_shares(counts), weights=weighing)),
    )


def krippendorff_alpha(ratings: Ratings, *, levels: int, metric: Metric) -> float | None:
    """1 - observed over expected disagreement; None where all ratings are of one level.

    Source: K. Krippendorff, Content Analysis (4th ed. 2018), chapter 12; the ordinal difference of levels c and k is
    (n_c / 2 + all between + n_k / 2)².
    """
    counts = _counts(ratings, levels)
    return _alphas(_coincidences(counts).sum(axis=0)[None], metric)[0] if len(counts) else None


def gwet_ac1(ratings: Ratings, *, levels: int) -> float | None:
    """Agreement beyond chance that does not collapse where one level is common; None for fewer than two levels.

    Source: K. L. Gwet, Br. J. Math. Stat. Psychol. 61:29-48 (2008), equations 4 to 6, for several raters.
    """
    return _ac1(ratings, levels, None) if len(_counts(ratings, levels)) else None


def _counts(ratings: Ratings, levels: int, least: int = 2) -> "Floats":
    """Ratings of each level by item, of the items with ``least`` or more; shape (items, levels)."""
    import numpy as np

    rows = [row for row in ratings if len(row) >= least]
    if any(not 0 <= rating < levels for row in ratings for rating in row):
        raise ValueError(f"A rating lies between 0 and {levels - 1}.")
    return np.array([np.bincount(row, minlength=levels) for row in rows], dtype=float).reshape(len(rows), levels)


def _weighing(ratings: Ratings, weights: Weights, least: int = 2) -> "Floats":
    """The weights of the items with ``least`` or more ratings, 1 on average."""
    import numpy as np

    given = [1.0] * len(ratings) if weights is None else weights
    kept = np.array([weight for row, weight in zip(ratings, given, strict=True) if len(row) >= least])
    return np.asarray(kept / kept.mean()) if len(kept) else kept


def _coincidences(counts: "Floats") -> "Floats":
    """Ordered pairs of ratings of one item, each weighing 1 / (ratings of the item - 1); shape (items, q, q)."""
    import numpy as np

    pairs = counts[:, :, None] * counts[:, None, :]
    same = np.einsum("icc->ic", pairs)
    same -= counts
    return np.asarray(pairs / (counts.sum(axis=1) - 1)[:, None, None])


def _alphas(coincidences: "Floats", metric: Metric) -> list[float | None]:
    """For each table of shape (q, q); None where nothing is expected to differ."""
    import numpy as np

    totals = coincidences.sum(axis=2)
    n = totals.sum(axis=1)
    apart = _differences(totals, metric)
    observed = (coincidences * apart).sum(axis=(1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * apart).sum(axis=(1, 2)) / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = 1 - observed / expected
    return [float(alpha) if wanted > 0 else None for alpha, wanted in zip(found, expected, strict=True)]


def _differences(totals: "Floats", metric: Metric) -> "Floats":
    """Squared differences between levels, from how often each occurs; shape (tables, q, q)."""
    import numpy as np

    levels = totals.shape[1]
    if metric == "nominal":
        return np.broadcast_to(1.0 - np.eye(levels), (len(totals), levels, levels))
    middle = np.cumsum(totals, axis=1) - totals / 2
    return np.asarray((middle[:, :, None] - middle[:, None, :]) ** 2)


def _interval(tables: "Floats", metric: Metric, seed: int, resamples: int, level: float) -> Interval | None:
    """A resample in which all ratings are of one level has no alpha, and is left out."""
    import numpy as np

    two_sided_z(level)  # refuses a level outside 0..1
    generator = np.random.default_rng(seed)
    alphas: list[float] = []
    for start in range(0, resamples, _DRAWN_AT_ONCE):
        size = min(_DRAWN_AT_ONCE, resamples - start)
        drawn = generator.multinomial(len(tables), np.full(len(tables), 1 / len(tables)), size=size)
        resampled = np.tensordot(drawn.astype(float), tables, axes=1)
        alphas += [alpha for alpha in _alphas(resampled, metric) if alpha is not None]
    if not alphas:
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(alphas, [tail, 1 - tail])
    return Interval(low=float(low), high=float(high), level=level, method="bootstrap over items")


def _pair_shares(counts: "Floats") -> "Floats":
    """The share of pairs of ratings that are equal, by item."""
    import numpy as np

    n = counts.sum(axis=1)
    return np.asarray((counts * (counts - 1)).sum(axis=1) / (n * (n - 1)))


def _ac1(ratings: Ratings, levels: int, weights: Weights) -> float | None:
    """Also items with one rating say how common a level is."""
    import numpy as np

    if levels < 2:
        return None
    observed = np.average(_pair_shares(_counts(ratings, levels)), weights=_weighing(ratings, weights))
    every = _counts(ratings, levels, least=1)
    shares = np.average(every / every.sum(axis=1)[:, None], axis=0, weights=_weighing(ratings, weights, least=1))
    chance = (shares * (1 - shares)).sum() / (levels - 1)
    return float((observed - chance) / (1 - chance))
