"""Confidence: the probability that an answer is right, learnt from the consensus of labelled answers. *Own*.

One rule for few and for many values of consensus. Answers are binned by consensus: every value is a bin of its own, and
only more than `MOST_BINS` values are merged into about as many bins of about equal count, equal values together. Over
the bins runs the Venn-Abers predictor: isotonic regression with the new answer counted once as right (p1) and once as
wrong (p0), merged as p1 / (1 - p0 + p1). Where the share of right answers rises from bin to bin this is the rule of
succession in each bin, (right + 1) / (n + 2); where it falls, neighbours are pooled. So confidence rises with consensus
and is never 0 or 1.

Sources: V. Vovk and I. Petej, Venn-Abers predictors, UAI 2014, arXiv 1211.0025; isotonic regression by its min-max
formula, T. Robertson, F. T. Wright and R. L. Dykstra, Order Restricted Statistical Inference (1988), 1.4.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import fsum
from typing import TYPE_CHECKING

from evaluation.stats.interval import Interval
from evaluation.stats.proportions import wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

METHOD = "Venn-Abers on consensus"
# Below this many labelled answers the error of a confidence is as large as what it would tell apart.
FEWEST_LABELLED = 50
MOST_BINS = 10
FOLDS = 5
# Sums of weights differ in the last bits for what is one consensus.
_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Labelled answers with low <= consensus <= high.

    `confidence` is what the map fitted on all labelled answers says there; `held_out` is the mean of what was said of
    these `n` answers out of fold, `correct` of which are right, a share with its 95 % `interval`.
    """

    low: float
    high: float
    n: int
    correct: int
    confidence: float
    held_out: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceMap:
    """A map from consensus to confidence, steps by rising consensus, and how far it can be trusted.

    `error` is the expected calibration error over the steps and `error_interval` where it lies in 95 % of `resamples`
    resamples; see `_refitted_errors`. `brier` is the mean squared distance of the held-out confidence from right (1) or
    wrong (0), `brier_constant` that of always saying the overall share.
    """

    n: int
    correct: int
    steps: tuple[Step, ...]
    folds: int
    resamples: int
    error: float
    error_interval: Interval
    brier: float
    brier_constant: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedAnswers:
    """`held_out` holds the confidence of each labelled answer, from a map that did not see it, in the order given."""

    fitted: ConfidenceMap
    held_out: tuple[float, ...]


def fit_calibration(
    consensus: Sequence[float],
    correct: Sequence[bool],
    *,
    keys: Sequence[int],
    folds: int = FOLDS,
    resamples: int = 1_000,
    seed: int,
) -> CalibratedAnswers | None:
    """The map for these labelled answers; None for fewer than `FEWEST_LABELLED`.

    `keys` name the examples, each once: they alone decide the fold, so the order of the answers changes nothing.
    `ValueError` if the lengths differ, a key occurs twice or a consensus is not a share.
    """
    _check_labelled(consensus, correct, keys)
    if len(consensus) < FEWEST_LABELLED:
        return None
    bins, places = _bin_consensus(consensus)
    right = _counts(places, correct, len(bins))
    held_out = _held_out(places, correct, _folds_of(keys, folds), bins=len(bins))
    steps = _steps(bins, right, _venn_abers(right), held_out=_bin_means(places, held_out, len(bins)))
    errors = _refitted_errors(right, resamples=resamples, seed=seed)
    share = sum(correct) / len(correct)
    fitted = ConfidenceMap(
        n=len(correct),
        correct=sum(correct),
        steps=steps,
        folds=folds,
        resamples=resamples,
        error=float(errors.mean()),
        error_interval=_limits(errors),
        brier=brier_score(held_out, correct),
        brier_constant=share * (1 - share),
    )
    return CalibratedAnswers(fitted=fitted, held_out=held_out)


def confidence_of(consensus: float, steps: Sequence[Step]) -> float | None:
    """What the map says of an answer; between two steps the lower one speaks.

    None below the lowest step: no labelled answer had so little consensus.
    """
    place = bisect_right([step.low for step in steps], round(consensus, _DIGITS)) - 1
    return steps[place].confidence if place >= 0 else None


def calibration_error(confidence: "Floats", correct: "Floats", n: "Floats") -> "Floats":
    """Sum over bins of n / N · |confidence - correct / n|; bins on the last axis, every n above 0.

    Source: M. P. Naeini, G. F. Cooper and M. Hauskrecht, Obtaining well calibrated probabilities using Bayesian
    binning, AAAI 2015.
    """
    import numpy as np

    return np.asarray(np.abs(confidence * n - correct).sum(axis=-1) / n.sum(axis=-1))


def brier_score(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """Mean squared distance from 1 (right) or 0 (wrong). Source: G. W. Brier, Mon. Weather Rev. 78:1-3 (1950)."""
    return fsum((said - right) ** 2 for said, right in zip(confidence, correct, strict=True)) / len(correct)


def _refitted_errors(right: "Floats", *, resamples: int, seed: int) -> "Floats":
    """The calibration error of maps fitted to resamples of the answers, measured on all answers; shape (resamples,).

    Each resample stands to the answers as the answers stand to what the panel does, so the mean says how far the
    confidence is off on new answers. The textbook figure, the distance of `held_out` from the share right, does not:
    the errors of the folds cancel within a bin, and it comes out about eight times too small for three members and
    1,000 answers, where this one was right on average over 300 simulated sets.
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), 17.
    """
    import numpy as np

    n = right.sum(axis=0)
    drawn = np.random.default_rng(seed).multinomial(int(n.sum()), right.ravel() / n.sum(), size=resamples)
    maps = _venn_abers(drawn.reshape(resamples, *right.shape).astype(float))
    return calibration_error(maps, right[1], n)


def _venn_abers(counts: "Floats") -> "Floats":
    """Confidence by bin, shape (..., bins), from counts of wrong and right answers, shape (..., 2, bins).

    A bin may be empty: the answer that is asked for is counted in it.
    """
    import numpy as np

    right, n = _runs(counts[..., 1, :]), _runs(counts.sum(axis=-2))
    said = []
    for place in range(counts.shape[-1]):
        around = np.s_[..., : place + 1, place:]
        lower = (right[around] / (n[around] + 1)).min(axis=-1).max(axis=-1)
        upper = ((right[around] + 1) / (n[around] + 1)).min(axis=-1).max(axis=-1)
        said.append(upper / (1 - lower + upper))
    return np.stack(said, axis=-1)


def _runs(counts: "Floats") -> "Floats":
    """Sums over the bins first..last, shape (..., first, last); only first <= last means something."""
    import numpy as np

    summed = counts.cumsum(axis=-1)
    before = summed - counts
    return np.asarray(summed[..., None, :] - before[..., :, None])


def _bin_consensus(consensus: Sequence[float]) -> "tuple[list[tuple[float, float]], Places]":
    """Lowest and highest consensus of every bin, and the bin of every answer."""
    import numpy as np

    values, place, counts = np.unique(np.round(consensus, _DIGITS), return_inverse=True, return_counts=True)
    merged = np.arange(len(values))
    if len(values) > MOST_BINS:
        middle = counts.cumsum() - counts / 2
        _, merged = np.unique((middle / counts.sum() * MOST_BINS).astype(int), return_inverse=True)
    held = [values[merged == number] for number in range(int(merged[-1]) + 1)]
    return [(float(held_values[0]), float(held_values[-1])) for held_values in held], np.asarray(merged[place])


def _counts(places: "Places", correct: "Sequence[bool] | NDArray[np.bool_]", bins: int) -> "Floats":
    """Wrong and right answers by bin, shape (2, bins)."""
    import numpy as np

    marks = np.asarray(correct, dtype=bool)
    counts = [np.bincount(places[marks == mark], minlength=bins) for mark in (False, True)]
    return np.asarray(counts, dtype=float)


def _held_out(places: "Places", correct: Sequence[bool], fold: "Places", *, bins: int) -> tuple[float, ...]:
    """Each answer's confidence from the map fitted on the other folds."""
    import numpy as np

    marks = np.asarray(correct, dtype=bool)
    maps = np.stack(
        [_venn_abers(_counts(places[fold != held], marks[fold != held], bins)) for held in range(int(fold.max()) + 1)]
    )
    return tuple(float(said) for said in maps[fold, places])


def _folds_of(keys: Sequence[int], folds: int) -> "Places":
    """Folds of equal size to one answer; a key's place among the hashes of all keys decides."""
    import numpy as np

    by_hash = sorted(range(len(keys)), key=lambda place: sha256(str(keys[place]).encode()).digest())
    fold = np.empty(len(keys), dtype=np.int64)
    fold[by_hash] = np.arange(len(keys)) % folds
    return fold


def _bin_means(places: "Places", held_out: Sequence[float], bins: int) -> list[float]:
    held: list[list[float]] = [[] for _ in range(bins)]
    for place, said in zip(places, held_out, strict=True):
        held[place].append(said)
    return [fsum(said) / len(said) for said in held]


def _steps(
    bins: Sequence[tuple[float, float]], counts: "Floats", confidence: "Floats", *, held_out: Sequence[float]
) -> tuple[Step, ...]:
    return tuple(
        Step(
            low=low,
            high=high,
            n=int(wrong + right),
            correct=int(right),
            confidence=float(said),
            held_out=mean,
            interval=wilson(int(right), int(wrong + right)),
        )
        for (low, high), wrong, right, said, mean in zip(bins, *counts, confidence, held_out, strict=True)
    )


def _limits(errors: "Floats") -> Interval:
    import numpy as np

    low, high = np.quantile(errors, [0.025, 0.975])
    return Interval(low=float(low), high=float(high), level=0.95, method="bootstrap, refitted")


def _check_labelled(consensus: Sequence[float], correct: Sequence[bool], keys: Sequence[int]) -> None:
    if not len(consensus) == len(correct) == len(keys):
        raise ValueError(f"Paired sequences differ in length: {len(consensus)}, {len(correct)} and {len(keys)}.")
    if len(set(keys)) != len(keys):
        raise ValueError("Every example may occur once: a key occurs twice.")
    outside = next((share for share in consensus if not 0 <= share <= 1), None)
    if outside is not None:
        raise ValueError(f"Consensus lies between 0 and 1, got {outside}.")
