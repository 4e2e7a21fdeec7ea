from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.stats.paired import mcnemar_midp
from evaluation.stats.power import detectable_difference, pairs_needed


def test_a_thousand_pairs_see_about_three_and_four_points():
    # The planning figures of the methods: 3 points at 10 % discordance, 4 at 20 %.
    assert round(100 * detectable_difference(1000, 0.10)) == 3
    assert round(100 * detectable_difference(1000, 0.20)) == 4


def test_pairs_needed_matches_published_figures():
    # Connor's formula worked at p01 = 0.45, p10 = 0.05 (powerandsamplesize.com, McNemar's Z-test, 2-sided): 23.
    assert pairs_needed(0.40, 0.50) == 23
    # The planning figure of the methods: 4 points fewer, 8 % discordant: 391.
    assert pairs_needed(-0.04, 0.08) == 391


def exact_power(n: int, difference: float, discordance: float) -> float:
    """Power of McNemar's mid-p at 5 %, summed over every number and split of discordant pairs."""
    share = (discordance + difference) / (2 * discordance)
    power = 0.0
    for total in range(n + 1):
        chance = comb(n, total) * discordance**total * (1 - discordance) ** (n - total)
        if chance > 1e-9:
            wins = [k for k in range(total + 1) if mcnemar_midp(k, total - k) <= 0.05]
            power += chance * sum(comb(total, k) * share**k * (1 - share) ** (total - k) for k in wins)
    return power


def test_the_pairs_asked_for_give_the_power_promised():
    n = pairs_needed(0.10, 0.25)
    assert exact_power(n, 0.10, 0.25) == pytest.approx(0.80, abs=0.02)


@settings(deadline=None)
@given(
    st.integers(10, 20_000), st.floats(0.0, 1.0), st.sampled_from([0.5, 0.8, 0.9]), st.sampled_from([0.01, 0.04, 0.05])
)
def test_the_detectable_difference_needs_the_pairs_at_hand(n, discordance, power, alpha):
    difference = detectable_difference(n, discordance, power, alpha)
    needed = pairs_needed(difference, max(discordance, difference), power, alpha)
    assert n <= needed <= n + 1


@settings(deadline=None)
@given(st.integers(1, 5_000), st.floats(0.0, 1.0))
def test_more_pairs_never_see_less(n, discordance):
    assert 0 < detectable_difference(n + 1, discordance) <= detectable_difference(n, discordance) <= 1


def test_without_discordance_the_difference_is_not_claimed_to_be_zero():
    # All discordant pairs on one side: 1,000 d = (1.96 + 0.8416 sqrt(1 - d))², d = 0.0078.
    assert detectable_difference(1000, 0.0) == pytest.approx(0.0078, abs=5e-5)


@pytest.mark.parametrize("n", [1, 3])
def test_a_handful_of_pairs_sees_nothing(n):
    assert detectable_difference(n, 1.0) == 1.0


def test_impossible_plans_are_refused():
    with pytest.raises(ValueError, match="n = 0"):
        detectable_difference(0, 0.1)
    with pytest.raises(ValueError, match="Discordance"):
        detectable_difference(100, 10)
    with pytest.raises(ValueError, match="Power"):
        detectable_difference(100, 0.1, power=80)
    with pytest.raises(ValueError, match="Discordance"):
        pairs_needed(0.1, -0.1)


@pytest.mark.parametrize("difference", [0.0, 0.11, -0.11])
def test_a_difference_no_data_can_show_is_refused(difference):
    with pytest.raises(ValueError, match=r"discordance 0\.1"):
        pairs_needed(difference, 0.1)
