from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion.privacy.placeholders import Placeholder, check_characters, grammar_of

GRAMMAR = grammar_of(("EMAIL", "ID", "TEXT"))
EMAIL = Placeholder(kind="EMAIL", number=1)


def sightings(text):
    return [(text[seen.start : seen.end], str(seen.placeholder), seen.sound) for seen in GRAMMAR.sightings(text)]


def test_the_check_characters_of_the_standards_own_example():
    # ISO/IEC 7064, MOD 1271-36: ISO79 becomes ISO793W.
    assert check_characters("ISO79") == "3w"


@settings(deadline=None)
@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=16), st.integers(1, 99999), st.data())
def test_one_wrong_character_or_one_swap_shows(kind, number, data):
    text = f"{kind}{number}"
    place = data.draw(st.integers(0, len(text) - 2))
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    wrong = text[:place] + data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")) + text[place + 1 :]
    for other in {swapped, wrong} - {text}:
        assert check_characters(other) != check_characters(text)


def test_a_placeholder_is_written_in_a_closed_grammar():
    assert re.fullmatch(r"\[\[EMAIL_1_[0-9a-z]{2}\]\]", str(EMAIL))
    assert str(Placeholder(kind="EMAIL", number=1, spelling="b")).startswith("[[EMAIL_1b_")


def test_what_was_written_is_read_exactly():
    [seen] = GRAMMAR.sightings(f"to {EMAIL}.")
    assert (seen.start, seen.end) == (3, 3 + len(str(EMAIL)))
    assert (seen.placeholder, seen.sound, seen.exact, seen.kept) == (EMAIL, True, True, ("", ""))


@pytest.mark.parametrize(
    "changed",
    [
        "[[email_1_{check}]]",
        "[[ EMAIL_1_{check} ]]",
        r"\[\[EMAIL\_1\_{check}\]\]",
        "[[EMAIL 1 {check}]]",
        "[[EMAIL-1-{check}]]",
        "[[EMAIL_01_{check}]]",
        "[EMAIL_1_{check}]",
        "EMAIL_1_{check}",
        "Email_1_{check}]]",
        "[[EMAIL_1_{check}",
    ],
)
def test_a_changed_one_is_still_recognised_and_its_check_characters_tell_which_it_was(changed):
    text = changed.format(check=EMAIL.check)
    assert sightings(text) == [(text, str(EMAIL), True)]
    assert not next(GRAMMAR.sightings(text)).exact


@pytest.mark.parametrize("changed", ["[[EMAIL_1]]", "[[EMAIL_1_zz]]", "EMAIL_1_zz", "[[EMAIL_1b]]"])
def test_without_the_right_check_characters_nothing_is_told(changed):
    [(text, _, sound)] = sightings(changed)
    assert text == changed
    assert not sound


@pytest.mark.parametrize(
    "text",
    [
        "EMAIL",
        "EMAIL_1",
        "PASSPORT_1_ab",  # no kind of ours, no brackets
        "XEMAIL_1_ab",
        "EMAIL_1_abc",
        "EMAIL 1 ab",
        "[EMAIL 1 ab]",
        "[[EMAIL]]",
        "[[1_ab]]",
        "[[ABCDEFGHIJKLMNOPQ_1_ab]]",
        "[[EMAIL_1234567890_ab]]",
    ],
)
def test_other_text_is_no_placeholder(text):
    assert sightings(text) == []


def test_between_double_brackets_every_kind_is_recognised():
    assert len(sightings("[[PASSPORT_1_ab]]")) == 1


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("[EMAIL_1_{}, ...]", ("[", "")),
        ("EMAIL_1_{}]", ("", "]")),
        ("[EMAIL_1_{}]", ("", "")),
        ("[[EMAIL_1_{}]", ("", "")),
    ],
)
def test_a_lone_bracket_belongs_to_the_text(text, kept):
    [seen] = GRAMMAR.sightings(text.format(EMAIL.check))
    assert seen.kept == kept


def test_only_the_beginning_of_a_placeholder_is_unfinished():
    assert GRAMMAR.first_unfinished("Write to [[EMA", 0) == 9
    assert GRAMMAR.first_unfinished("Write to EMA", 0) == 9
    assert GRAMMAR.first_unfinished("Write to me, CINEMA", 0) == 19
    assert GRAMMAR.first_unfinished("Write to me.", 0) == 12
    # Every prefix of what is recognised may still become it.
    whole = r"\[\[ EMAIL\_123456789b\_ab \]\]"
    assert all(GRAMMAR.first_unfinished("." + whole[:size], 0) == 1 for size in range(1, len(whole)))
    assert GRAMMAR.first_unfinished("." * 100 + "[[EMAIL_1_ab" + "]", 0) == 100
