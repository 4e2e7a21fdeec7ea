from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion.privacy.folding import end_of_marks, fold, folded

ACCENTS = st.text("aA1 \n\t\u00a0éÉe\u0301ßﬁİ…ｆ田\u200b\u00ad\u0308°")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Straße", "STRASSE"),
        ("Zoë", "zoe\u0308"),
        ("Anna  von\nSchmidt", "anna von schmidt"),
        ("Anna\u00a0Schmidt", "anna schmidt"),
        ("An\u00adna\u200b", "anna"),
        ("ＡＮＮＡ", "anna"),
        ("ﬁnn", "FINN"),
    ],
)
def test_texts_that_read_alike_fold_alike(left, right):
    assert folded(left) == folded(right)


def test_what_became_one_character_came_from_all_of_them():
    text = "Zoe\u0308  Katz"
    found = fold(text)
    assert found.text == "zoë katz"
    assert found.original_span(2, 3) == (2, 4)
    assert found.original_span(2, 5) == (2, 7)


def test_case_can_be_kept():
    assert folded("May  Zoe\u0308", keep_case=True) == "May Zoë"


@settings(deadline=None)
@given(ACCENTS)
def test_every_character_knows_where_it_came_from(text):
    found = fold(text)
    for place, character in enumerate(found.text):
        start, end = found.original_span(place, place + 1)
        assert character in fold(text[start:end]).text


@settings(deadline=None)
@given(ACCENTS, ACCENTS, ACCENTS)
def test_a_word_is_found_where_it_stands(before, word, after):
    text = f"{before}.Q{word}Q.;{after}"
    found = fold(text)
    start = found.text.index(f".q{fold(word + 'Q').text}.")
    first, last = found.original_span(start, start + len(fold(word + "Q").text) + 3)
    assert fold(text[first:last]).text == fold(f".Q{word}Q.").text


def test_accents_belong_to_the_character_before_them():
    text = "ae\u0301\u0308b"
    assert end_of_marks(text, 2) == 4
    assert end_of_marks(text, 4) == 4
    assert end_of_marks("e\u0301", 1) == 2
    assert unicodedata.combining("\u0301")
