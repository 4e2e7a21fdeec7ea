from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.stats.agreement import agreement, gwet_ac1, krippendorff_alpha

# The table of four observers and twelve units in Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011),
# with values 1 to 5 written as 0 to 4; unrated places left out.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
UNITS = [[rating - 1 for rating in unit if rating is not None] for unit in zip(*OBSERVERS, strict=True)]


@pytest.mark.parametrize(("metric", "alpha"), [("nominal", 0.743), ("ordinal", 0.815)])
def test_alpha_is_that_of_the_published_example(metric, alpha):
    assert krippendorff_alpha(UNITS, levels=5, metric=metric) == pytest.approx(alpha, abs=5e-4)


def brute_force_ordinal(units, levels):
    """Observed and expected disagreement by going through all ordered pairs, with no table in between."""
    units = [unit for unit in units if len(unit) > 1]
    everything = [rating for unit in units for rating in unit]
    n = [everything.count(level) for level in range(levels)]

    def apart(one, other):
        low, high = sorted((one, other))
        return (sum(n[low : high + 1]) - (n[low] + n[high]) / 2) ** 2

    observed = sum(sum(apart(*pair) for pair in permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    expected = sum(apart(*pair) for pair in permutations(everything, 2)) / (len(everything) - 1)
    return None if expected == 0 else 1 - observed / expected


units = st.lists(st.lists(st.integers(0, 3), min_size=0, max_size=4), min_size=1, max_size=12)


@settings(deadline=None)
@given(units)
def test_alpha_is_that_of_all_pairs_counted_one_by_one(units):
    expected = brute_force_ordinal(units, 4) if any(len(unit) > 1 for unit in units) else None
    found = krippendorff_alpha(units, levels=4, metric="ordinal")
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_ac1_is_that_of_the_published_example():
    """Of the same table, as K. L. Gwet's irrCAC gives it: the unit that one observer rated counts for the shares."""
    assert gwet_ac1(UNITS, levels=5) == pytest.approx(0.77544, abs=5e-6)


def test_ac1_is_that_of_a_case_worked_by_hand():
    # Two raters, ten items: they agree on eight, of which seven are level 0. Shares 0.8 and 0.2.
    ratings = [[0, 0]] * 7 + [[1, 1]] + [[0, 1]] * 2
    chance = 2 * 0.8 * 0.2
    assert gwet_ac1(ratings, levels=2) == pytest.approx((0.8 - chance) / (1 - chance))


def test_ac1_holds_where_alpha_collapses():
    found = agreement([[0, 0]] * 95 + [[0, 1]] * 5, levels=2, metric="nominal", seed=1)
    assert found is not None
    assert found.share == 0.95
    assert found.alpha is not None
    assert found.alpha < 0
    assert found.ac1 is not None
    assert found.ac1 > 0.9


def test_perfect_agreement_is_one_and_a_single_level_has_no_alpha():
    perfect = agreement([[0, 0], [1, 1, 1], [2, 2]], levels=3, metric="ordinal", seed=1)
    assert perfect is not None
    assert (perfect.alpha, perfect.ac1, perfect.share) == (1.0, 1.0, 1.0)
    flat = agreement([[1, 1], [1, 1]], levels=3, metric="ordinal", seed=1)
    assert flat is not None
    assert (flat.alpha, flat.interval, flat.share) == (None, None, 1.0)


def test_the_interval_holds_alpha_and_repeats_itself():
    first, again = (agreement(UNITS, levels=5, metric="ordinal", seed=7) for _ in range(2))
    assert first == again
    assert first is not None
    assert first.interval is not None
    assert first.interval.low < 0.815 < first.interval.high
    wider = agreement(UNITS, levels=5, metric="ordinal", seed=7, level=0.99)
    assert wider is not None
    assert wider.interval is not None
    assert wider.interval.low <= first.interval.low


def test_resamples_of_one_level_are_left_out():
    found = agreement([[0, 0], [1, 1]], levels=2, metric="nominal", seed=3)
    assert found is not None
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (1.0, 1.0)
    # The one resample of this seed holds the same item twice.
    alone = agreement([[0, 0], [1, 1]], levels=2, metric="nominal", seed=3, resamples=1)
    assert alone is not None
    assert (alone.alpha, alone.interval) == (1.0, None)


def test_one_item_has_no_interval():
    found = agreement([[0, 1]], levels=2, metric="nominal", seed=3)
    assert found is not None
    assert (found.items, found.interval) == (1, None)


def test_items_with_one_rating_say_nothing():
    assert agreement([[0], []], levels=2, metric="nominal", seed=1) is None
    assert krippendorff_alpha([[0]], levels=2, metric="nominal") is None
    assert gwet_ac1([[0]], levels=2) is None
    assert gwet_ac1([[0, 0]], levels=1) is None


def test_a_rating_outside_the_levels_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        krippendorff_alpha([[0, 2]], levels=2, metric="nominal")


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 3), min_size=0, max_size=4), st.integers(1, 4)), min_size=1))
def test_a_weight_of_two_is_the_share_and_ac1_of_the_item_written_twice(weighted):
    ratings, weights = [row for row, _ in weighted], [weight for _, weight in weighted]
    repeated = [row for row, weight in weighted for _ in range(weight)]
    found = agreement(ratings, levels=4, metric="ordinal", seed=1, weights=weights, resamples=2)
    again = agreement(repeated, levels=4, metric="ordinal", seed=1, resamples=2)
    if found is None or again is None:
        assert found is again
        return
    assert found.items == sum(len(row) > 1 for row in ratings)
    assert found.share == pytest.approx(again.share)
    assert found.ac1 == pytest.approx(again.ac1)


def test_weighted_alpha_leans_towards_the_heavy_items():
    ratings = [[0, 0], [1, 1], [0, 1], [1, 0]]
    leaning = agreement(ratings, levels=2, metric="nominal", seed=1, weights=[9, 9, 1, 1])
    assert leaning is not None
    # Weights 1.8, 1.8, 0.2, 0.2: of 8 ratings 0.8 stand in unlike pairs; by chance, with 4 of each level, 32 / 7 would.
    assert leaning.alpha == pytest.approx(1 - 0.8 / (32 / 7))
