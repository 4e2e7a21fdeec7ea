from __future__ import annotations

import pytest

from panels.fusion.spans import normalise_span, stands_in

TEXT = normalise_span("The bridge’s deck,\n opened  in\u00a01932 (“the Lang deck”), is 1–2 km … long. 北京市")


@pytest.mark.parametrize(
    "quote",
    [
        "opened in 1932",
        "THE BRIDGE'S DECK, opened",
        '"opened in 1932"',
        "… long.",
        "“the Lang deck”",
        "1-2 km",
        "opened\tin\n1932...",
        "1932",
        "北京",
    ],
)
def test_a_span_is_found_whatever_its_case_spaces_and_marks(quote: str) -> None:
    assert stands_in(quote, TEXT)


@pytest.mark.parametrize("quote", ["opened in 1933", "", " ", ".", '"…"', ",", "opened 1932", "opened in ... long"])
def test_other_words_and_bare_punctuation_are_no_quote(quote: str) -> None:
    assert not stands_in(quote, TEXT)


def test_nothing_stands_in_an_empty_text() -> None:
    assert not stands_in("opened", normalise_span(""))
