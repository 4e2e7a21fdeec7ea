import random
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from evaluation.stats.calibration import (
    FEWEST_LABELLED,
    MOST_BINS,
    CalibratedAnswers,
    brier_score,
    calibration_error,
    confidence_of,
    fit_calibration,
)
from evaluation.stats.proportions import wilson

VOTES_OF_THREE = {1 / 3: 0.4, 2 / 3: 0.7, 1.0: 0.95}


def labelled(counts):
    """Consensus and marks of answers, from (consensus, right, n)."""
    pairs = [(share, place < right) for share, right, n in counts for place in range(n)]
    return [share for share, _ in pairs], [mark for _, mark in pairs]


def fitted(consensus, correct, **given) -> CalibratedAnswers:
    answers = fit_calibration(consensus, correct, keys=range(len(consensus)), seed=1, **given)
    assert answers is not None
    return answers


def drawn(rng, n, skill=VOTES_OF_THREE):
    consensus = rng.choices(list(skill), k=n)
    return consensus, [rng.random() < skill[share] for share in consensus]


def venn_abers_by_scipy(counts):
    """p1 / (1 - p0 + p1) from scipy's isotonic regression, one bin asked for at a time."""
    said = []
    for asked in range(len(counts)):
        ends = []
        for mark in (0, 1):
            n = [total + (place == asked) for place, (_, total) in enumerate(counts)]
            right = [good + (mark if place == asked else 0) for place, (good, _) in enumerate(counts)]
            shares = [good / total for good, total in zip(right, n, strict=True)]
            ends.append(isotonic_regression(shares, weights=n).x[asked])
        said.append(ends[1] / (1 - ends[0] + ends[1]))
    return said


def test_rising_shares_follow_the_rule_of_succession():
    answers = fitted(*labelled([(1 / 3, 3, 10), (2 / 3, 12, 20), (1.0, 27, 30)]))
    steps = answers.fitted.steps
    assert [(step.n, step.correct) for step in steps] == [(10, 3), (20, 12), (30, 27)]
    assert [step.confidence for step in steps] == pytest.approx([4 / 12, 13 / 22, 28 / 32])
    assert steps[2].interval == wilson(27, 30)
    assert (answers.fitted.n, answers.fitted.correct) == (60, 42)


def test_falling_shares_are_pooled():
    steps = fitted(*labelled([(1 / 3, 8, 10), (2 / 3, 4, 10), (1.0, 27, 30)])).fitted.steps
    # Asked for in either of the first two bins, 12 of 20 answers stand together: (12 + 1) / (20 + 2).
    assert [step.confidence for step in steps] == pytest.approx([13 / 22, 13 / 22, 28 / 32])


@pytest.mark.parametrize(("right", "said"), [(60, Fraction(61, 62)), (0, Fraction(1, 62))])
def test_answers_that_are_all_right_or_all_wrong_do_not_make_certain(right, said):
    (step,) = fitted(*labelled([(1.0, right, 60)])).fitted.steps
    assert step.confidence == pytest.approx(float(said))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), min_size=1, max_size=8))
def test_the_map_is_what_isotonic_regression_gives(shares):
    counts = [(min(right, n), n) for right, n in shares]
    counts[0] = (counts[0][0], counts[0][1] + FEWEST_LABELLED)
    rows = [((place + 1) / len(counts), right, n) for place, (right, n) in enumerate(counts)]
    steps = fitted(*labelled(rows), resamples=1).fitted.steps
    assert [step.confidence for step in steps] == pytest.approx(venn_abers_by_scipy(counts))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=FEWEST_LABELLED, max_size=120))
def test_confidence_rises_with_consensus_and_is_never_certain(pairs):
    answers = fitted([share for share, _ in pairs], [mark for _, mark in pairs], resamples=5)
    steps = answers.fitted.steps
    said = [step.confidence for step in steps]
    assert all(low <= high + 1e-12 for low, high in pairwise(said))
    assert all(0 < one < 1 for one in (*said, *answers.held_out))
    assert 1 <= len(steps) <= MOST_BINS
    assert sum(step.n for step in steps) == len(pairs) == len(answers.held_out)
    assert sum(step.correct for step in steps) == sum(mark for _, mark in pairs)
    assert 0 <= answers.fitted.error_interval.low <= answers.fitted.error_interval.high <= 1


def test_many_values_are_merged_into_bins_of_about_equal_count():
    rng = random.Random(3)
    consensus = [rng.random() for _ in range(1_000)]
    steps = fitted(consensus, [rng.random() < share for share in consensus]).fitted.steps
    assert [step.n for step in steps] == [100] * 10
    assert all(step.low < step.high for step in steps)
    assert all(left.high < right.low for left, right in pairwise(steps))


def test_equal_consensus_is_never_split_between_bins():
    values = [place / 20 for place in range(20)]
    consensus = [1.0] * 500 + values * 5
    steps = fitted(consensus, [True, False] * 300).fitted.steps
    assert steps[-1].low <= 1.0 == steps[-1].high
    assert sum(step.n for step in steps if step.high == 1.0) >= 500
    assert len({step.low for step in steps}) == len(steps) < MOST_BINS


def test_what_rounding_tells_apart_is_one_consensus():
    consensus = [0.1 + 0.2, 0.3] * 30
    (step,) = fitted(consensus, [True, False] * 30).fitted.steps
    assert confidence_of(0.1 + 0.2, [step]) == confidence_of(0.3, [step]) == step.confidence


def test_no_answer_is_judged_by_a_map_that_saw_it():
    consensus, correct = labelled([(1 / 3, 10, 30), (1.0, 25, 30)])
    answers = fitted(consensus, correct)
    for place in range(len(correct)):
        flipped = [mark != (place == other) for other, mark in enumerate(correct)]
        assert fitted(consensus, flipped, resamples=1).held_out[place] == answers.held_out[place]


def test_held_out_confidence_by_hand():
    # One bin: each answer is told (right in the other four folds + 1) / (answers there + 2).
    correct = [place % 3 > 0 for place in range(60)]
    answers = fitted([1.0] * 60, correct)
    by_fold: dict[float, list[bool]] = {}
    for said, mark in zip(answers.held_out, correct, strict=True):
        by_fold.setdefault(round(said * 50), []).append(mark)
    assert sum(len(marks) for marks in by_fold.values()) == 60
    for right_elsewhere, marks in by_fold.items():
        assert len(marks) % 12 == 0
        folds = len(marks) // 12
        assert sum(marks) == folds * (40 - (right_elsewhere - 1))
    (step,) = answers.fitted.steps
    assert step.held_out == pytest.approx(sum(answers.held_out) / 60)


def test_the_order_of_the_answers_changes_nothing():
    consensus, correct = drawn(random.Random(5), 300)
    keys = list(range(1_000, 1_300))
    first = fit_calibration(consensus, correct, keys=keys, seed=9)
    order = random.Random(6).sample(range(300), 300)
    second = fit_calibration(
        [consensus[place] for place in order],
        [correct[place] for place in order],
        keys=[keys[place] for place in order],
        seed=9,
    )
    assert first is not None
    assert second is not None
    assert second.fitted == first.fitted
    assert second.held_out == tuple(first.held_out[place] for place in order)


def test_another_key_puts_an_answer_into_another_fold():
    consensus, correct = drawn(random.Random(5), 300)
    one = fit_calibration(consensus, correct, keys=range(300), seed=9)
    other = fit_calibration(consensus, correct, keys=range(7, 307), seed=9)
    assert one is not None
    assert other is not None
    assert one.held_out != other.held_out


def test_calibration_error_counts_every_answer():
    rng = random.Random(8)
    said = [0.2, 0.55, 0.9]
    marks = [[rng.random() < 0.6 for _ in range(n)] for n in (7, 20, 33)]
    by_answer = 0.0
    for confidence, held in zip(said, marks, strict=True):
        share = sum(held) / len(held)
        by_answer += sum(abs(confidence - share) for _ in held) / 60
    right = np.array([sum(held) for held in marks], dtype=float)
    n = np.array([len(held) for held in marks], dtype=float)
    assert float(calibration_error(np.array(said), right, n)) == pytest.approx(by_answer)
    # By hand: 0.5 · |0.9 − 0.8| + 0.5 · |0.4 − 0.6|.
    halves = calibration_error(np.array([0.9, 0.4]), np.array([8.0, 6.0]), np.array([10.0, 10.0]))
    assert float(halves) == pytest.approx(0.15)


def test_error_is_that_of_maps_fitted_to_resampled_answers():
    counts = [(6, 20), (18, 30), (46, 50)]
    consensus, correct = labelled([(0.4, *counts[0]), (0.6, *counts[1]), (1.0, *counts[2])])
    rng = random.Random(11)
    bins = [place for place, (_, n) in enumerate(counts) for _ in range(n)]
    errors = []
    for _ in range(1_500):
        again = [(0, 0)] * 3
        for place in rng.choices(range(100), k=100):
            right, n = again[bins[place]]
            again[bins[place]] = (right + correct[place], n + 1)
        said = venn_abers_by_scipy(again)
        errors.append(sum(n * abs(one - right / n) for one, (right, n) in zip(said, counts, strict=True)) / 100)
    found = fitted(consensus, correct, resamples=4_000).fitted
    assert found.error == pytest.approx(np.mean(errors), abs=0.002)
    assert found.error_interval.low == pytest.approx(np.quantile(errors, 0.025), abs=0.003)
    assert found.error_interval.high == pytest.approx(np.quantile(errors, 0.975), abs=0.006)


def test_the_error_says_how_far_the_map_is_off_on_what_the_panel_does():
    rng = random.Random(12)
    said, true, textbook = [], [], []
    for _ in range(120):
        consensus, correct = drawn(rng, 400)
        found = fitted(consensus, correct, resamples=100).fitted
        skill = {round(share, 6): right for share, right in VOTES_OF_THREE.items()}
        said.append(found.error)
        true.append(sum(abs(step.confidence - skill[step.low]) for step in found.steps) / 3)
        textbook.append(sum(abs(step.n * step.held_out - step.correct) for step in found.steps) / 400)
    assert np.mean(said) == pytest.approx(np.mean(true), rel=0.15)
    assert np.mean(textbook) < 0.4 * np.mean(true)  # the errors of the folds cancel, so it is not what is shown


def test_a_calibrated_source_of_many_answers_has_an_error_near_nothing():
    rng = random.Random(13)
    consensus = [rng.choice([0.2, 0.4, 0.6, 0.8, 1.0]) for _ in range(20_000)]
    found = fitted(consensus, [rng.random() < share * 0.95 for share in consensus]).fitted
    assert found.error < 0.006
    assert found.error_interval.high < 0.012
    assert [step.confidence for step in found.steps] == pytest.approx([0.19, 0.38, 0.57, 0.76, 0.95], abs=0.02)


def test_brier_score_by_hand():
    assert brier_score([0.9, 0.6], [True, False]) == pytest.approx((0.01 + 0.36) / 2)
    found = fitted(*labelled([(0.5, 10, 40), (1.0, 38, 40)])).fitted
    assert found.brier_constant == pytest.approx(0.6 * 0.4)
    assert found.brier < found.brier_constant


def test_too_few_labelled_answers_calibrate_nothing():
    consensus, correct = labelled([(1.0, 30, FEWEST_LABELLED)])
    assert fit_calibration(consensus[1:], correct[1:], keys=range(FEWEST_LABELLED - 1), seed=1) is None
    assert fit_calibration(consensus, correct, keys=range(FEWEST_LABELLED), seed=1) is not None
    assert fit_calibration([], [], keys=[], seed=1) is None


def test_confidence_of_an_answer_comes_from_the_step_at_or_below_it():
    steps = fitted(*labelled([(1 / 3, 3, 10), (2 / 3, 12, 20), (1.0, 27, 30)])).fitted.steps
    assert confidence_of(1 / 3, steps) == steps[0].confidence
    assert confidence_of(0.99, steps) == steps[1].confidence
    assert confidence_of(1.0, steps) == steps[2].confidence
    assert confidence_of(0.2, steps) is None


def test_numbers_are_plain_so_that_they_can_be_stored():
    found = fitted(*labelled([(1.0, 30, 60)])).fitted
    figures = [found.n, found.correct, found.error, found.brier, found.brier_constant]
    assert [type(figure) for figure in figures] == [int, int, float, float, float]


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="2, 1 and 2"):
        fit_calibration([0.5, 0.5], [True], keys=[1, 2], seed=1)


def test_a_key_that_occurs_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        fit_calibration([0.5, 0.5], [True, False], keys=[1, 1], seed=1)


@pytest.mark.parametrize("share", [-0.1, 1.2, float("nan")])
def test_a_consensus_that_is_no_share_is_refused(share):
    with pytest.raises(ValueError, match=f"got {share}"):
        fit_calibration([share], [True], keys=[1], seed=1)
