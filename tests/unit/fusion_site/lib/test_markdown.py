from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_site.lib.markdown import ALLOWED_TAGS, render_markdown, render_pair

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![pixel](https://tracker.example/a.png)",
    "[click](javascript:alert(1))",
    "[click](https://example.com)",
    "<https://example.com/a>",
    '<a href="//example.com" onclick="steal()">x</a>',
    '<span data-c="1" data-both style="color:red">x</span>',
    "<iframe src=//example.com></iframe>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<form action=//example.com><input name=csrfmiddlewaretoken></form>",
    "<!-- --><style>*{display:none}</style>",
    "[a]: javascript:alert(1)\n\n[a]",
    "```html\n<script>alert(1)</script>\n```",
    '**bold <b onmouseover="x()">**',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "| <script>a</script> |\n|---|\n| <img src=x> |",
    "> <base href=//example.com>",
    "\x00<script\x0b>alert(1)</script>",
]
ATTRIBUTES = {"data-c", "data-both"}


def parsed(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def assert_harmless(html: str, *, tags: set[str]) -> None:
    for element in parsed(html).find_all(True):
        assert element.name in tags
        assert set(element.attrs) <= (ATTRIBUTES if element.name == "span" else set())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_can_neither_load_lead_nor_run(text):
    assert_harmless(render_markdown(text), tags=ALLOWED_TAGS)
    for prose in render_pair(text, text):
        assert_harmless(prose.html, tags=ALLOWED_TAGS | {"span"})


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*HOSTILE, "Plain. Words", "**", "\n\n", "- a\n", "_x_", "`", " "]), max_size=6))
def test_no_mixture_of_hostile_texts_gets_through(pieces):
    text = "".join(pieces)
    assert_harmless(render_markdown(text), tags=ALLOWED_TAGS)
    assert_harmless(render_pair(text, "Plain.")[0].html, tags=ALLOWED_TAGS | {"span"})


def test_html_shows_as_the_text_it_is():
    assert parsed(render_markdown("Use <b>bold</b>.")).get_text().strip() == "Use <b>bold</b>."


def test_a_span_of_the_text_itself_is_not_a_mark():
    [first, _] = render_pair('<span data-c="9" data-both>Mine</span>', "Other")
    assert [mark["data-c"] for mark in parsed(first.html).select("[data-c]")] == ["1"]
    assert not parsed(first.html).select("[data-both]")


def test_formatting_survives_and_headings_stay_below_those_of_the_page():
    html = parsed(render_markdown("# Title\n\nFirst **bold**.\n\n1. one\n2. two\n\n| a |\n|---|\n| b |"))
    assert html.h4.get_text() == "Title"
    assert html.h1 is None
    assert html.strong.get_text() == "bold"
    assert len(html.select("ol > li")) == 2
    assert html.td.get_text() == "b"


def sentences(text: str) -> list[str]:
    [prose, _] = render_pair(text, "")
    marks = parsed(prose.html).select("[data-c]")
    assert [mark["data-c"] for mark in marks] == [str(number) for number in range(1, len(marks) + 1)]
    assert [" ".join(mark.get_text().split()) for mark in marks] == list(prose.sentences)
    return list(prose.sentences)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It costs 3.5 kW, e.g. here. Then more", ["It costs 3.5 kW, e.g. here.", "Then more"]),
        ("He said “No.” She left.", ["He said “No.”", "She left."]),
        ("A **bold claim**. Next", ["A bold claim.", "Next"]),
        ("**Whole. Claim.** Next.", ["Whole. Claim. Next."]),
        ("Line one.\nLine two goes\non.", ["Line one.", "Line two goes on."]),
        ("- first\n- second. third", ["first", "second. third"]),
        ("Call `run.now()` today. Done.", ["Call run.now() today.", "Done."]),
        ("```\ncode. Block\n```", []),
        ("", []),
        ("...", []),
    ],
)
def test_sentences_are_counted_in_reading_order(text, expected):
    assert sentences(text) == expected


def test_what_both_say_is_marked_on_either_side():
    first, second = render_pair("It is **rated IP65**. Yes.", "No.\n\n- It is rated IP65!\n- Ask.")
    assert [mark.get_text().strip() for mark in parsed(first.html).select("[data-both]")] == ["It is rated IP65."]
    assert [mark.get_text().strip() for mark in parsed(second.html).select("[data-both]")] == ["It is rated IP65!"]


def test_marks_do_not_change_what_is_read():
    text = "# T\n\nOne *two*. Three\\\nfour `x`.\n\n| a. B | c |\n|---|---|\n| d | e |"
    [marked, _] = render_pair(text, "One two.")
    assert parsed(marked.html).get_text() == parsed(render_markdown(text)).get_text()
