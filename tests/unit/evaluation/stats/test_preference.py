import random
from math import comb

import pytest
from scipy.integrate import quad
from scipy.stats import beta

from evaluation.stats.preference import prefer, prefer_items, preference_e_value
from evaluation.stats.weighted_rates import SampledItem


@pytest.mark.parametrize(("wins", "n"), [(0, 0), (7, 10), (10, 10), (30, 50), (0, 12)])
def test_the_e_value_is_the_integral_of_the_likelihood_ratio(wins, n):
    def ratio(share):
        return beta.pdf(share, 5, 5) * share**wins * (1 - share) ** (n - wins) * 2**n

    assert preference_e_value(wins, n) == pytest.approx(quad(ratio, 0, 1)[0], rel=1e-8)


@pytest.mark.parametrize("n", [1, 9, 40])
def test_under_no_preference_the_e_value_is_one_on_average(n):
    expected = sum(comb(n, wins) / 2**n * preference_e_value(wins, n) for wins in range(n + 1))
    assert expected == pytest.approx(1.0)


def test_looked_at_after_every_vote_it_seldom_cries_wolf():
    chance = random.Random(11)
    alarms = 0
    for _ in range(400):
        wins = 0
        for n in range(1, 201):
            wins += chance.random() < 0.5
            if preference_e_value(wins, n) >= 20:
                alarms += 1
                break
    assert alarms / 400 <= 0.05


def test_a_clear_preference_settles_and_says_how_large():
    found = prefer(wins=34, losses=6)
    assert found.is_settled
    assert found.decided == 40
    assert found.win_rate == 0.85
    assert found.interval is not None
    assert found.interval.low > 0.5
    assert not prefer(wins=21, losses=19).is_settled


def test_nothing_decided_says_nothing():
    found = prefer(wins=0, losses=0)
    assert (found.e_value, found.win_rate, found.interval) == (1.0, None, None)


def test_no_evidence_is_beyond_a_float():
    assert preference_e_value(5000, 5000) > 1e300


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="negative"):
        prefer(wins=-1, losses=2)
    with pytest.raises(ValueError, match="between 0 and n = 2"):
        preference_e_value(3, 2)


def results(wins, losses, inclusion=1.0):
    return [SampledItem(event=won, inclusion=inclusion) for won in [True] * wins + [False] * losses]


def test_items_drawn_alike_are_counted_as_they_are():
    found = prefer_items(results(34, 6))
    assert (found.wins, found.losses, found.win_rate) == (34, 6, 0.85)
    assert found.e_value == prefer(wins=34, losses=6).e_value
    assert found.is_settled
    assert prefer_items([]).win_rate is None


def test_a_preference_among_oversampled_items_alone_settles_nothing():
    # 40 contested items all looked at, which the first wins; of 400 others one in ten, which the second wins.
    found = prefer_items([*results(36, 4), *results(15, 25, 0.1)])
    assert found.win_rate == pytest.approx((36 + 150) / 440)
    assert found.e_value < 20
    more = prefer_items([*results(78, 2), *results(15, 25, 0.1)])
    assert more.e_value >= 20
    assert more.win_rate == pytest.approx((78 + 150) / 480)
    assert not more.is_settled
