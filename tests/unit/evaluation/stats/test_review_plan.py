from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from evaluation.stats.power import pairs_needed
from evaluation.stats.review_plan import (
    USUAL_DISCORDANCE,
    detectable_win_rate,
    finish_at,
    pairs_for_win_rate,
    plan_review,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_a_win_rate_of_60_percent_takes_194_pairs():
    assert pairs_for_win_rate(0.6) == 194
    assert detectable_win_rate(194) == pytest.approx(0.6, abs=5e-4)


def test_four_points_less_hallucination_take_391_items_at_8_percent_discordance():
    assert pairs_needed(0.04, USUAL_DISCORDANCE) == 391
    plan = plan_review(items=391, overlap=0, overlap_votes=2, reviewers=1)
    assert plan.hallucination == pytest.approx(0.04, abs=5e-5)


def test_194_pairs_have_the_power_by_the_binomial_distribution():
    """Exact, with the critical count that a two-sided test at 5 % has: whole counts cost a few points."""
    critical = next(k for k in range(195) if binom.sf(k - 1, 194, 0.5) <= 0.025)
    assert binom.sf(critical - 1, 194, 0.6) == pytest.approx(0.8, abs=0.04)


@given(st.integers(10, 100_000))
def test_pairs_and_win_rate_undo_each_other(decided):
    rate = detectable_win_rate(decided)
    assert 0.5 < rate < 1
    assert abs(pairs_for_win_rate(rate) - decided) <= 1


@given(st.integers(1, 5_000))
def test_more_pairs_see_less(decided):
    assert detectable_win_rate(decided + 1) <= detectable_win_rate(decided) <= 1


@pytest.mark.parametrize("rate", [0.5, 0.4, 1.0])
def test_a_win_rate_to_detect_lies_above_one_half(rate):
    with pytest.raises(ValueError, match="above one half"):
        pairs_for_win_rate(rate)


def test_one_pair_shows_nothing_and_none_is_no_question():
    assert detectable_win_rate(1) == 1
    with pytest.raises(ValueError, match="at least one"):
        detectable_win_rate(0)


def test_hours_count_every_vote():
    """200 items, a quarter twice: 250 votes, 13 gold ones, and 8 of calibration for each of 3 reviewers."""
    plan = plan_review(items=200, overlap=0.25, overlap_votes=2, reviewers=3, calibration=8, gold_share=0.05)
    assert plan.votes == 250 + 13 + 24
    assert plan.hours == pytest.approx(287 * 37 / 3600)
    slow = plan_review(items=200, overlap=1, overlap_votes=3, reviewers=3, pace_s=60.0)
    assert (slow.votes, slow.hours) == (600, 10)


def test_only_decided_items_count_for_preference():
    plan = plan_review(items=388, overlap=0, overlap_votes=2, reviewers=1, decided_share=0.5)
    assert (plan.decided, plan.win_rate) == (194, detectable_win_rate(194))


@pytest.mark.parametrize(("items", "reviewers"), [(0, 1), (1, 0)])
def test_a_plan_is_of_something(items, reviewers):
    with pytest.raises(ValueError, match="at least one"):
        plan_review(items=items, overlap=0, overlap_votes=2, reviewers=reviewers)


def test_the_finish_goes_on_at_the_pace_so_far():
    given_at = [NOW - timedelta(hours=10) + timedelta(hours=hour) for hour in range(10)]
    assert finish_at(given_at=given_at, left=20, now=NOW) == NOW + timedelta(hours=20)
    assert finish_at(given_at=given_at, left=0, now=NOW) == NOW


@pytest.mark.parametrize("given_at", [[], [NOW - timedelta(hours=1)], [NOW, NOW]])
def test_one_vote_is_no_pace(given_at):
    assert finish_at(given_at=given_at, left=5, now=NOW) is None
