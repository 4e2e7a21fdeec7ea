from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from evaluation.selectors.runs import failure_words
from evaluation.stats.interval import Interval
from evaluation.templatetags.evaluation_display import answer_mark, bounds, model_text, p_value
from panels.fusion.types import FailureKind


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "![remote](https://evil.example/pixel.png)",
        "[click](javascript:alert(1))",
        "[click](https://evil.example)",
        "<https://evil.example>",
        '<svg onload="alert(1)">',
        "| a |\n|---|\n| <iframe src=x> |",
    ],
)
def test_a_models_text_loads_and_leads_nowhere(evil):
    html = BeautifulSoup(model_text(evil), "html.parser")
    assert html.find(["script", "img", "svg", "iframe", "a", "style", "object"]) is None
    assert all(not tag.attrs for tag in html.find_all(True))


def test_a_models_text_keeps_its_paragraphs_and_lists():
    html = model_text("# Title\n\nFirst **bold**.\n\n1. one\n2. two\n\n| a |\n|---|\n| b |")
    assert "<h4>Title</h4>" in html
    assert "<strong>bold</strong>" in html
    assert html.count("<li>") == 2
    assert "<td>b</td>" in html


def test_html_that_a_model_wrote_is_readable_as_text():
    assert BeautifulSoup(model_text("Use <b>bold</b>."), "html.parser").get_text().strip() == "Use <b>bold</b>."


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


def test_bounds_of_an_interval():
    assert bounds(Interval(low=0.1, high=0.2)) == (0.1, 0.2)
    assert bounds(None) is None
