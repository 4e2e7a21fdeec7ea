from __future__ import annotations

import pytest

from panels.fusion.privacy.phones import find_phones


def found(text, *regions):
    return {text[start:end] for start, end in find_phones(text, regions=regions)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call +44 20 7946 0958.", "+44 20 7946 0958"),
        ("tel:+442079460958", "+442079460958"),
        ("+49 (0)170 1234567", "+49 (0)170 1234567"),
        ("+1 (212) 555-0100", "+1 (212) 555-0100"),
        ("0044 20 7946 0958", "0044 20 7946 0958"),
        ("+44 20 7946 0958 2026-01-03", "+44 20 7946 0958"),
        # A range not known to be in use is still somebody's.
        ("+999 1234567", "+999 1234567"),
    ],
)
def test_international_numbers_need_no_region(text, expected):
    assert found(text) == {expected}


@pytest.mark.parametrize(
    "text", ["1+1234567", "2 + 2 = 4", "+12 3", "0170 1234567", "on 2026-01-03 10:30:00", "+1" + "2" * 30, "x0044207"]
)
def test_other_numbers_are_none(text):
    assert found(text) == set()


def test_national_numbers_are_read_where_their_region_is_given():
    assert found("(212) 555-0100", "US") == {"(212) 555-0100"}
    assert found("0170 1234567", "GB", "DE") == {"0170 1234567"}
    assert found("0170 1234567", "US") == set()
    # The library's own matcher loses a number that a date follows.
    assert found("0170 1234567 2026-01-03", "DE") == {"0170 1234567"}


def test_what_is_no_number_anywhere_is_left():
    assert found("000000000", "DE") == set()
    assert found("00 1 234567 8901234567890123456789") == set()
