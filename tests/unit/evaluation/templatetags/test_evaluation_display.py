from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from evaluation.selectors.runs import failure_words
from evaluation.stats.interval import Interval
from evaluation.templatetags.evaluation_display import answer_mark, bounds, in_short, p_value
from panels.fusion.types import FailureKind


@pytest.mark.parametrize(
    ("outcome", "correct", "mark", "word"),
    [
        ("answered", True, "pass", "Right"),
        ("answered", False, "fail", "Wrong"),
        ("answered", None, "none", "Unscored"),
        ("abstained", False, "fail", "No answer"),
        ("abstained", None, "none", "No answer"),
        ("failed", False, "fail", "Calls failed"),
    ],
)
def test_an_answer_is_marked_by_shape_and_word(outcome, correct, mark, word):
    (shown,) = BeautifulSoup(answer_mark(outcome, correct), "html.parser").find_all("span")
    assert (shown["data-state"], shown.get_text()) == (mark, word)


@pytest.mark.parametrize(
    ("value", "words"), [(None, "none"), (0.0004, "below 0.001"), (0.1046, "0.105"), (1.0, "1.000")]
)
def test_p_values(value, words):
    assert p_value(value) == words


def test_every_kind_of_failure_has_words_and_an_unknown_one_shows_as_it_is():
    assert all(failure_words(kind.value) != kind.value or kind.value.isalpha() for kind in FailureKind)
    assert failure_words("member_failed") == "member failed"
    assert failure_words("$.due_date: a date is missing") == "$.due_date: a date is missing"


def test_bounds_of_an_interval():
    assert bounds(Interval(low=0.1, high=0.2)) == (0.1, 0.2)
    assert bounds(None) is None


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ('{"city":"Bern","lines":[1,2],"paid":null}', "city Bern, lines [1,2], paid null"),
        ("{}", "{}"),
        ("{no json}", "{no json}"),
        ("Paris", "Paris"),
        (None, ""),
    ],
)
def test_a_json_answer_in_short(text, short):
    assert in_short(text) == short
