import numpy as np
import pytest

from evaluation.stats.prediction_powered import assisted_rate
from evaluation.stats.proportions import rate_interval


def draw(generator, n, *, accuracy):
    truth = (generator.random(n) < 0.12).astype(float)
    judge = np.where(generator.random(n) < accuracy, truth, 1 - truth)
    return truth, judge


def test_the_estimate_is_that_of_the_formula_worked_by_hand():
    people, judge, alone = [1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0]
    # Covariance 1/6, variance of all eight judgements 2/7; 1/6 / (2 x 2/7) = 7/24.
    found = assisted_rate(people, judge, alone)
    assert found.trust == pytest.approx(7 / 24)
    assert found.estimate == pytest.approx(7 / 24 * 0.25 + 0.5 - 7 / 24 * 0.75)
    assert (found.humans_only, found.judge_only) == (0.5, 0.5)
    assert (found.judged_by_people, found.judged_alone) == (4, 4)


def test_a_good_judge_narrows_the_interval_and_covers():
    generator = np.random.default_rng(3)
    hits, narrower = 0, 0
    for _ in range(300):
        people, judge = draw(generator, 200, accuracy=0.95)
        _, alone = draw(generator, 2000, accuracy=0.95)
        found = assisted_rate(people, judge, alone)
        hits += found.interval.low <= 0.12 <= found.interval.high
        width = found.interval.high - found.interval.low
        narrower += width < found.humans_interval.high - found.humans_interval.low
    assert hits / 300 >= 0.92
    assert narrower / 300 > 0.95


def test_a_judge_who_guesses_is_left_aside():
    generator = np.random.default_rng(4)
    people, _ = draw(generator, 400, accuracy=1.0)
    judge, alone = ((generator.random(n) < 0.5).astype(float).tolist() for n in (400, 4000))
    found = assisted_rate(people, judge, alone)
    assert found.trust < 0.2
    assert found.estimate == pytest.approx(found.humans_only, abs=0.02)


def test_a_judge_who_always_says_the_same_is_not_listened_to():
    found = assisted_rate([1.0, 0.0], [0.0, 0.0], [0.0])
    assert (found.trust, found.estimate) == (0.0, 0.5)


def test_what_is_too_little_is_refused():
    with pytest.raises(ValueError, match="differ in length"):
        assisted_rate([1.0, 0.0], [1.0], [1.0])
    with pytest.raises(ValueError, match="two items"):
        assisted_rate([1.0], [1.0], [1.0])


def test_the_weight_is_the_one_that_makes_the_variance_smallest():
    """Section 6 of arXiv 2311.01453, searched for on a grid and not by its formula."""
    generator = np.random.default_rng(6)
    people, judge = draw(generator, 300, accuracy=0.9)
    _, alone = draw(generator, 900, accuracy=0.9)
    spread = np.concatenate([judge, alone]).var(ddof=1)

    def variance(weight):
        together = np.cov(people, judge)[0, 1]
        errors = people.var(ddof=1) - 2 * weight * together + weight**2 * spread
        return weight**2 * spread / len(alone) + errors / len(people)

    best = min(np.linspace(0, 1, 10_001), key=variance)
    assert assisted_rate(people, judge, alone).trust == pytest.approx(best, abs=1e-4)


def test_without_an_error_seen_the_rate_is_not_claimed_to_be_zero():
    found = assisted_rate([False] * 12, [1.0, *[0.0] * 11], [0.0] * 8)
    assert (found.estimate, found.trust) == (0.0, 0.0)
    assert found.interval == found.humans_interval == rate_interval(0, 12)
