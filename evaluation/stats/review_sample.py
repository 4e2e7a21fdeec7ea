"""Which items people look at: drawn by a seed, each with the probability with which it came into the sample."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor

# Of a disagreement-first sample, at most this share comes from items on which the arms differ.
CONTESTED_SHARE = 0.8
CONTESTED, AGREED = "contested", "agreed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One item of a sample. ``inclusion`` is the share of its stratum that was drawn."""

    key: int
    stratum: str
    inclusion: float


def draw_random(keys: Sequence[int], size: int, *, seed: str) -> list[Drawn]:
    """A simple random sample without replacement, all of them where there are fewer."""
    return _draw({"": keys}, {"": min(size, len(keys))}, seed)


def draw_stratified(strata: Mapping[str, Sequence[int]], size: int, *, seed: str) -> list[Drawn]:
    """Each stratum by its share of all items, by largest remainder, and at least one of each while they last."""
    counts = {name: len(keys) for name, keys in strata.items() if keys}
    return _draw(strata, allocate(counts, size), seed)


def draw_disagreement_first(contested: Sequence[int], agreed: Sequence[int], size: int, *, seed: str) -> list[Drawn]:
    """Mostly items on which the arms differ, and enough of the others that a rate over all can be estimated.

    Four fifths come from the contested ones, as far as there are so many; never fewer than their own share. Every rate
    has to be weighted by 1 / inclusion.
    """
    total = len(contested) + len(agreed)
    size = min(size, total)
    wanted = max(round(CONTESTED_SHARE * size), round(size * len(contested) / total)) if total else 0
    from_contested = max(min(wanted, len(contested)), size - len(agreed))
    if agreed and size > 1 and from_contested == size:
        from_contested -= 1  # without any agreed item nothing could be said of them
    counts = {CONTESTED: from_contested, AGREED: size - from_contested}
    return _draw({CONTESTED: contested, AGREED: agreed}, counts, seed)


def allocate(counts: Mapping[str, int], size: int) -> dict[str, int]:
    """``size`` shared out over strata in proportion to their counts; never more than a stratum has."""
    total = sum(counts.values())
    size = min(size, total)
    if not size:
        return dict.fromkeys(counts, 0)
    exact = {name: size * count / total for name, count in counts.items()}
    given = {name: floor(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (given[name] - exact[name], name))
    for name in by_remainder[: size - sum(given.values())]:
        given[name] += 1
    return _one_of_each(given)


def _one_of_each(given: dict[str, int]) -> dict[str, int]:
    """Takes from the largest for those that got nothing, as long as somebody has two."""
    for name in sorted(name for name, count in given.items() if not count):
        largest = max(given, key=lambda each: (given[each], each))
        if given[largest] < 2:
            break
        given[largest] -= 1
        given[name] = 1
    return given


def _draw(strata: Mapping[str, Sequence[int]], counts: Mapping[str, int], seed: str) -> list[Drawn]:
    """In an order of its own, so that the strata come mixed."""
    chance = random.Random(seed)  # a draw that can be repeated, not a secret
    drawn: dict[str, list[int]] = defaultdict(list)
    for name in sorted(counts):
        drawn[name] = chance.sample(sorted(strata[name]), counts[name])
    chosen = [
        Drawn(key=key, stratum=name, inclusion=len(keys) / len(strata[name]))
        for name, keys in drawn.items()
        for key in keys
    ]
    chance.shuffle(chosen)
    return chosen
