from __future__ import annotations

import pytest

from evaluation.results import Detectable
from evaluation.selectors.findings import (
    calibration_finding,
    comparison_finding,
    cost_finding,
    format_confidence,
    format_p,
    latency_finding,
    power_finding,
    uplift_finding,
    voters_finding,
)
from tests.unit.evaluation.result_values import (
    interval,
    make_arm,
    make_baseline,
    make_calibration,
    make_change,
    make_comparison,
    make_map,
    make_step,
    make_uplift,
)


def test_a_settled_difference_is_said_with_its_interval() -> None:
    better = make_comparison(difference=0.021, interval=interval(0.004, 0.038), p_value=0.02, p_holm=0.02)
    worse = make_comparison(difference=-0.021, interval=interval(-0.038, -0.004), p_value=0.02, p_holm=0.02)
    words = "one model by 2.1 points (0.4 to 3.8), p = 0.02."
    assert comparison_finding(better, tests=1) == f"More accurate than {words}"
    assert comparison_finding(worse, tests=1) == f"Less accurate than {words}"


def test_an_interval_over_zero_claims_nothing() -> None:
    assert comparison_finding(make_comparison(), tests=1) == (
        "No clear difference from one model: +3.0 points (−4.2 to +10.2), p = 0.42."
    )


def test_what_does_not_survive_holm_is_not_claimed() -> None:
    shaky = make_comparison(difference=0.021, interval=interval(0.001, 0.041), p_value=0.04, p_holm=0.12)
    assert comparison_finding(shaky, tests=3) == (
        "Not settled: measured above one model by 2.1 points (0.1 to 4.1), p = 0.12 after Holm over 3 comparisons."
    )


def test_a_test_that_disagrees_with_the_interval_is_not_claimed_either() -> None:
    shaky = make_comparison(difference=-0.02, interval=interval(-0.041, -0.001), p_value=0.06, p_holm=0.06)
    assert comparison_finding(shaky, tests=1).startswith("Not settled: measured below one model by 2.0 points")


def test_unscored_is_not_a_tie() -> None:
    unscored = make_comparison(pairs=0, difference=None, interval=None, p_value=None, p_holm=None, detectable=None)
    assert comparison_finding(unscored, tests=0).startswith("Unscored")
    assert power_finding(unscored).startswith("Nothing could be detected")


def test_power_is_said_with_what_was_assumed_and_what_was_seen() -> None:
    assert power_finding(make_comparison()) == (
        "With 100 pairs, 13.0 % of them discordant, a difference of 10.4 points or more shows in four of five such "
        "runs (assumed before the run: 9.3 at 10 % discordance, 12.7 at 20 %)."
    )
    alike = make_comparison(detectable=Detectable(at_10=0.093, at_20=0.127, discordance=0.0, at_observed=None))
    assert power_finding(alike).startswith("No example was decided differently in 100 pairs")


def test_cost_says_which_way_only_where_the_interval_does() -> None:
    assert cost_finding(make_comparison()) == (
        "Costs $0.0040 less per request ($0.0036 to $0.0044), −44.4 % (−48.0 to −41.0), n 100 pairs."
    )
    open_sign = make_change(estimate=100_000.0, interval=interval(-200_000.0, 400_000.0), relative=None)
    assert cost_finding(make_comparison(cost=open_sign)) == (
        "No clear difference in cost per request: +$0.00010 (−$0.00020 to +$0.00040), n 100 pairs."
    )
    assert cost_finding(make_comparison(cost=None)).startswith("Cost cannot be compared")


def test_latency_is_in_milliseconds() -> None:
    slower = make_change(
        estimate=0.24, interval=interval(0.12, 0.41), relative=0.34, relative_interval=interval(0.1, 0.6)
    )
    assert latency_finding(make_comparison(p95=slower)) == (
        "P95 latency is 240 ms longer (120 ms to 410 ms), +34.0 % (+10.0 to +60.0), n 100 pairs."
    )
    assert latency_finding(make_comparison()).startswith("P95 latency cannot be compared")


@pytest.mark.parametrize(
    ("low", "high", "p_value", "start"),
    [
        (0.01, 0.09, 0.01, "More accurate than its best member a by 5.0 points"),
        (0.001, 0.1, 0.06, "Not settled: measured above its best member a"),
        (-0.022, 0.121, 0.18, "No clear difference from its best member a: +5.0 points"),
    ],
)
def test_uplift_claims_no_more_than_its_interval(low: float, high: float, p_value: float, start: str) -> None:
    assert uplift_finding(make_uplift(interval=interval(low, high), p_value=p_value)).startswith(start)


def test_voters_are_said_of_panels_alone() -> None:
    assert voters_finding(make_arm()) == "Counting shared errors, its 2 members are worth 1.8 independent voters."
    assert voters_finding(make_baseline()) == ""


@pytest.mark.parametrize(
    ("p_value", "words"), [(0.0004, "p < 0.001"), (0.0042, "p = 0.004"), (0.0099, "p = 0.01"), (0.5, "p = 0.50")]
)
def test_p_values_are_short(p_value: float, words: str) -> None:
    assert format_p(p_value) == words


def test_a_calibrated_arm_says_what_its_confidence_means() -> None:
    assert calibration_finding(make_calibration()) == (
        "When it says 0.90, it was right 91.4 % of the time (n 70); when it says 0.64, 65.5 % of the time (n 29). "
        "On new answers like these, expect it to be 4.1 points off on average (0.4 to 10.2)."
    )


def test_one_confidence_for_every_answer_is_said_to_tell_nothing() -> None:
    said = calibration_finding(make_calibration(fitted=make_map(steps=(make_step(),))))
    assert said.startswith("When it says 0.90, it was right 91.4 % of the time (n 70). ")
    assert said.endswith("so it does not tell which ones are right.")


@pytest.mark.parametrize(
    ("labelled", "words"),
    [(0, "no answer is labelled right or wrong. 50"), (49, "Label 1 more."), (8, "Label 42 more.")],
)
def test_confidence_that_stays_blank_says_what_is_missing(labelled: int, words: str) -> None:
    said = calibration_finding(make_calibration(labelled=labelled, fitted=None))
    assert said.startswith("Confidence stays blank: ")
    assert words in said


@pytest.mark.parametrize(
    ("share", "words"), [(0.5, "0.50"), (0.99, "0.99"), (0.996, "above 0.99"), (0.004, "below 0.01"), (0.01, "0.01")]
)
def test_confidence_is_never_written_as_certain(share: float, words: str) -> None:
    assert format_confidence(share) == words
