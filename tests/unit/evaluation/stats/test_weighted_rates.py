import random

import pytest

from evaluation.stats.paired import PairedTable, newcombe_paired
from evaluation.stats.proportions import rate_interval
from evaluation.stats.weighted_rates import (
    SampledItem,
    SampledPair,
    UnweightedOversample,
    plain_rate,
    weighted_difference,
    weighted_rate,
)


def items(*groups):
    """Groups of (events, others, inclusion)."""
    return [
        SampledItem(event=event, inclusion=inclusion)
        for events, others, inclusion in groups
        for event in [True] * events + [False] * others
    ]


def test_equal_probabilities_give_the_plain_share_and_its_interval():
    for inclusion in (1.0, 0.1):
        found = weighted_rate(items((4, 96, inclusion)))
        assert (found.events, found.n, found.estimate) == (4, 100, 0.04)
        assert found.interval == rate_interval(4, 100)


def test_an_oversample_is_weighted_back():
    # 100 contested items all looked at, 900 others one in ten: 30 + 10 x 9 = 120 of 1,000 have the event.
    found = weighted_rate(items((30, 70, 1.0), (9, 81, 0.1)))
    assert found.estimate == pytest.approx(0.12)
    assert (found.events, found.n) == (39, 190)
    assert found.interval.low < 0.12 < found.interval.high


def test_an_unweighted_rate_of_an_oversample_is_refused():
    with pytest.raises(UnweightedOversample):
        plain_rate(items((1, 1, 1.0), (1, 1, 0.5)))


def test_the_interval_covers_what_it_should():
    chance = random.Random(5)
    kinds = [True] * 200 + [False] * 1800
    population = [(chance.random() < (0.3 if contested else 0.03), contested) for contested in kinds]
    truth = sum(event for event, _ in population) / len(population)
    hits = 0
    for _ in range(400):
        drawn = [
            SampledItem(event=event, inclusion=0.5 if contested else 0.1)
            for event, contested in population
            if chance.random() < (0.5 if contested else 0.1)
        ]
        found = weighted_rate(drawn)
        hits += found.interval.low <= truth <= found.interval.high
    assert hits / 400 >= 0.93


def test_without_an_event_the_interval_is_open_upwards_only():
    none = weighted_rate(items((0, 50, 1.0), (0, 50, 0.1)))
    assert (none.estimate, none.interval.low) == (0.0, 0.0)
    assert none.interval.high > rate_interval(0, 100).high
    every = weighted_rate(items((50, 0, 1.0), (50, 0, 0.1)))
    assert (every.estimate, every.interval.high) == (1.0, 1.0)


def test_weights_never_claim_more_than_the_items_there_are():
    found = weighted_rate(items((50, 0, 1.0), (1, 49, 0.999)))
    assert found.interval.high - found.interval.low > 0.15


def test_a_rate_needs_items_that_could_be_drawn():
    with pytest.raises(ValueError, match="at least one"):
        weighted_rate([])
    with pytest.raises(ValueError, match="above 0"):
        weighted_rate([SampledItem(event=True, inclusion=0.0)])


def pairs(*groups):
    """Groups of (both, only first, only second, neither, inclusion)."""
    kinds = ((True, True), (True, False), (False, True), (False, False))
    return [
        SampledPair(first=first, second=second, inclusion=inclusion)
        for *counts, inclusion in groups
        for (first, second), count in zip(kinds, counts, strict=True)
        for _ in range(count)
    ]


def test_a_difference_of_items_drawn_alike_is_newcombes():
    found = weighted_difference(pairs((3, 9, 2, 86, 0.5)))
    table = PairedTable(both=3, only_arm=9, only_baseline=2, neither=86)
    assert (found.n, found.discordant, found.estimate) == (100, 11, 0.07)
    assert found.interval == newcombe_paired(table)
    assert found.is_clear
    assert not weighted_difference(pairs((3, 3, 2, 92, 1.0))).is_clear


def test_a_difference_of_an_oversample_is_weighted_back_and_covered():
    chance = random.Random(8)
    population = [
        (chance.random() < (0.4 if contested else 0.05), chance.random() < (0.2 if contested else 0.05), contested)
        for contested in [True] * 300 + [False] * 1700
    ]
    truth = sum(first - second for first, second, _ in population) / len(population)
    hits = 0
    for _ in range(400):
        drawn = [
            SampledPair(first=first, second=second, inclusion=0.6 if contested else 0.1)
            for first, second, contested in population
            if chance.random() < (0.6 if contested else 0.1)
        ]
        found = weighted_difference(drawn)
        hits += found.interval.low <= truth <= found.interval.high
    assert hits / 400 >= 0.93


def test_no_discordant_pair_is_no_proof_that_there_is_none():
    found = weighted_difference(pairs((2, 0, 0, 48, 1.0), (0, 0, 0, 50, 0.1)))
    size = 550**2 / (50 + 50 * 100)
    assert (found.estimate, found.discordant) == (0.0, 0)
    assert (found.interval.low, found.interval.high) == (pytest.approx(-3 / size), pytest.approx(3 / size))
