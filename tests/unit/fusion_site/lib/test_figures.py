from datetime import UTC, datetime, timedelta

import pytest

from fusion_site.lib import figures

NOW = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("nanousd", "words"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (4_200_000, "$0.0042"),
        (12_900_000, "$0.0129"),
        (47_000, "$0.000047"),
        (1, "$0.000000001"),
        (500_000_000, "$0.50"),
        (12_913_300_000, "$12.91"),
        (1_234_567_000_000_000, "$1,234,567.00"),
        (-4_200_000, "−$0.0042"),
    ],
)
def test_money_keeps_the_digits_that_matter(nanousd, words):
    assert figures.format_money(nanousd) == words


def test_a_column_of_costs_per_request_has_at_least_four_digits():
    assert figures.format_money(12_913_300_000, 4) == "$12.9133"
    assert figures.format_money(0, 4) == "$0.0000"
    assert figures.format_money(None, 4) == "unknown"


@pytest.mark.parametrize(
    ("share", "words"), [(None, "no data"), (0.7647, "76.5"), (0.0, "0.0"), (1.0, "100.0"), (-0.00001, "0.0")]
)
def test_percent_is_a_figure_without_its_unit(share, words):
    assert figures.format_percent(share) == words


@pytest.mark.parametrize(
    ("difference", "words"),
    [(0.021, "+2.1 pt"), (-0.021, "−2.1 pt"), (0.0, "0.0 pt"), (0.0001, "0.0 pt"), (-0.0001, "0.0 pt")],
)
def test_points_carry_a_sign_unless_they_round_to_nothing(difference, words):
    assert figures.format_points(difference) == words


def test_missing_points_are_a_word():
    assert figures.format_points(None) == "no data"


def test_intervals_read_from_low_to_high():
    assert figures.format_interval((0.03, 0.055)) == "3.0 to 5.5"
    assert figures.format_signed_interval((-0.025, 0.065)) == "−2.5 to +6.5"


def test_a_missing_interval_is_a_word():
    assert figures.format_interval(None) == "no interval"
    assert figures.format_signed_interval(None) == "no interval"


def test_latency_is_whole_milliseconds():
    assert figures.format_milliseconds(611.6) == "612 ms"
    assert figures.format_milliseconds(12_000) == "12,000 ms"
    assert figures.format_milliseconds(None) == "not measured"


def test_seconds_are_milliseconds_until_ten():
    assert figures.format_seconds(0.612) == "612 ms"
    assert figures.format_seconds(9.9994) == "9,999 ms"
    assert figures.format_seconds(12.34) == "12.3 s"
    assert figures.format_seconds(None) == "not measured"


def test_counts_have_thousands():
    assert figures.format_count(1832) == "1,832"
    assert figures.format_count(0) == "0"
    assert figures.format_count(None) == "unknown"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "unknown"),
        (0, "0 s"),
        (59.4, "59 s"),
        (59.7, "1 min"),
        (240, "4 min"),
        (3590, "1 h"),
        (12_000, "3 h 20 min"),
        (7200, "2 h"),
        (3 * 86_400, "3 days"),
    ],
)
def test_a_duration_shows_what_matters(seconds, words):
    assert figures.format_duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "time left not known yet"),
        (3, "a few seconds left"),
        (38, "about 40 s left"),
        (251, "about 4 min left"),
    ],
)
def test_time_left_is_rounded_and_says_about(seconds, words):
    assert figures.format_left(seconds) == words


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=-5), "just now"),
        (timedelta(minutes=4, seconds=59), "4 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=13), "13 days ago"),
        (timedelta(days=14), "6 Mar 2026"),
    ],
)
def test_ago_counts_back_and_then_names_the_day(passed, words):
    assert figures.format_ago(NOW - passed, NOW) == words


def test_what_never_happened_says_never():
    assert figures.format_ago(None, NOW) == "never"
