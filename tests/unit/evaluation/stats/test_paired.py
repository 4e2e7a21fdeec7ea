from fractions import Fraction
from math import comb, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.stats.paired import PairedTable, mcnemar_midp, newcombe_paired, paired_table

TABLES = st.tuples(*[st.integers(0, 300)] * 4).filter(any)


def table_of(cells: tuple[int, int, int, int]) -> PairedTable:
    both, only_arm, only_baseline, neither = cells
    return PairedTable(both=both, only_arm=only_arm, only_baseline=only_baseline, neither=neither)


def test_a_table_counts_pairs_and_knows_its_difference():
    table = paired_table([True, True, True, False, False], [True, False, False, True, False])
    assert table == table_of((1, 2, 1, 1))
    assert (table.n, table.discordant) == (5, 3)
    assert table.difference == pytest.approx(0.2)


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="2 and 1"):
        paired_table([True, False], [True])


def test_an_unscored_example_is_refused_rather_than_counted_wrong():
    with pytest.raises(ValueError, match="right or wrong"):
        paired_table([True, None], [True, True])  # type: ignore[list-item]


def test_a_table_without_examples_has_no_difference():
    with pytest.raises(ValueError, match="n = 0"):
        _ = table_of((0, 0, 0, 0)).difference
    with pytest.raises(ValueError, match="n = 0"):
        newcombe_paired(table_of((0, 0, 0, 0)))


def test_midp_matches_the_published_example():
    # Fagerland, Lydersen and Laake, BMC Med. Res. Methodol. 13:91 (2013), table 1 (1 and 7 discordant
    # pairs): exact 0.0703, mid-p 0.0391.
    assert mcnemar_midp(1, 7) == pytest.approx(0.0391, abs=5e-5)


def test_midp_without_discordant_pairs_is_one():
    assert mcnemar_midp(0, 0) == 1.0


def test_midp_refuses_negative_counts():
    with pytest.raises(ValueError, match="-1 and 3"):
        mcnemar_midp(-1, 3)


@settings(deadline=None)
@given(st.integers(0, 120), st.integers(0, 120))
def test_midp_is_the_probability_of_more_extreme_splits_plus_half_of_this_one(first, second):
    # Brute force over every split of the discordant pairs, in fractions.
    total = first + second
    gap = abs(first - second)
    ways = [(comb(total, k), abs(total - 2 * k)) for k in range(total + 1)]
    beyond = sum(count for count, distance in ways if distance > gap)
    level = sum(count for count, distance in ways if distance == gap)
    # At an even split 2 P(X <= m) - P(X = m) is exactly 1: the definition has only one such outcome.
    expected = Fraction(1) if gap == 0 else Fraction(2 * beyond + level, 2 * 2**total)
    assert mcnemar_midp(first, second) == pytest.approx(float(expected), rel=1e-9)
    assert mcnemar_midp(second, first) == mcnemar_midp(first, second)


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [
        # R. G. Newcombe, Stat. Med. 17:2635-2650 (1998), worked examples, method 10. The second and
        # the third tell its phi from the plain phi of method 8 (0.0618 to 0.3239 and -0.0640 to 0.0640).
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((18, 12, 2, 18), 0.0562, 0.3290),
        ((53, 0, 0, 1), -0.0729, 0.0729),
        ((0, 30, 0, 0), 0.8395, 1.0),
    ],
)
def test_newcombe_method_10_matches_the_paper(cells, low, high):
    interval = newcombe_paired(table_of(cells))
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_newcombe_matches_the_airway_example():
    # Fagerland, Lydersen and Laake, Stat. Med. 33:2850-2875 (2014): square-and-add, -0.507 to -0.026.
    interval = newcombe_paired(table_of((1, 1, 7, 12)))
    assert (interval.low, interval.high) == pytest.approx((-0.507, -0.026), abs=5e-4)


def score_roots(successes: int, n: int, z: float) -> tuple[float, float]:
    """Wilson's limits as roots of (n + z²) p² - (2 k + z²) p + k²/n = 0, another route than the code's."""
    a, b, c = n + z * z, -(2 * successes + z * z), successes**2 / n
    root = sqrt(max(0.0, b * b - 4 * a * c))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


@pytest.mark.parametrize(
    "cells",
    [(700, 60, 40, 200), (59, 6, 16, 80), (14, 5, 0, 22), (3, 40, 30, 2), (5, 5, 5, 5), (10, 9, 8, 9), (0, 3, 4, 0)],
)
def test_newcombe_agrees_with_a_second_derivation(cells):
    # The same source, written from the quadratic of the limits and the three cases of phi's numerator:
    # ad - bc > n/2, between 0 and n/2, negative.
    a, b, c, d = cells
    n, z = sum(cells), 1.6448536269514722
    arm, base = score_roots(a + b, n, z), score_roots(a + c, n, z)
    cross = a * d - b * c
    numerator = cross - n / 2 if cross > n / 2 else min(0, cross)
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    phi = numerator / sqrt(margins) if margins else 0.0
    x, y = (a + b) / n - arm[0], base[1] - (a + c) / n
    v, w = arm[1] - (a + b) / n, (a + c) / n - base[0]
    expected = (
        (b - c) / n - sqrt(x * x - 2 * phi * x * y + y * y),
        (b - c) / n + sqrt(v * v - 2 * phi * v * w + w * w),
    )
    interval = newcombe_paired(table_of(cells), level=0.9)
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(TABLES)
def test_newcombe_holds_the_difference_and_stays_within_minus_1_and_1(cells):
    table = table_of(cells)
    interval = newcombe_paired(table)
    assert -1 <= interval.low <= table.difference <= interval.high <= 1


@settings(deadline=None)
@given(TABLES)
def test_swapping_the_sides_mirrors_the_interval(cells):
    both, only_arm, only_baseline, neither = cells
    interval = newcombe_paired(table_of(cells))
    swapped = newcombe_paired(table_of((both, only_baseline, only_arm, neither)))
    assert (-swapped.high, -swapped.low) == pytest.approx((interval.low, interval.high), abs=1e-12)


@settings(deadline=None)
@given(TABLES)
def test_a_higher_level_gives_a_wider_interval(cells):
    narrow, wide = newcombe_paired(table_of(cells), 0.8), newcombe_paired(table_of(cells), 0.99)
    assert wide.low <= narrow.low <= narrow.high <= wide.high
