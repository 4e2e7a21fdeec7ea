from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion.privacy.masking import mask_question
from panels.fusion.privacy.placeholder_map import Entry, PlaceholderMap
from panels.fusion.privacy.placeholders import Placeholder, grammar_of
from panels.fusion.privacy.unmasking import IntegrityCount, StreamingUnmasker, unmask
from panels.fusion.types import Message
from tests.unit.panels.fusion.privacy.masked_texts import GLUE, HARD_TEXTS, LOOKALIKES, mask

EMAIL = Placeholder(kind="EMAIL", number=1)
CHECK = EMAIL.check
MAP = PlaceholderMap(
    kinds=("EMAIL", "ID", "TEXT"),
    entries=(
        Entry(placeholder=EMAIL, original="anna@x.org", identity="anna@x.org"),
        Entry(placeholder=Placeholder(kind="EMAIL", number=2), original="[[ID_1", identity="[[ID_1"),
    ),
)


@pytest.mark.parametrize(
    ("text", "expected", "count"),
    [
        (f"Write to {EMAIL}, {EMAIL}!", "Write to anna@x.org, anna@x.org!", IntegrityCount(restored=2)),
        (f"[[email_1_{CHECK}]]", "anna@x.org", IntegrityCount(repaired=1)),
        (rf"\[\[EMAIL\_1\_{CHECK}\]\]", "anna@x.org", IntegrityCount(repaired=1)),
        (f"EMAIL_1_{CHECK}.", "anna@x.org.", IntegrityCount(repaired=1)),
        (f"[EMAIL_1_{CHECK}, ID_1]", "[anna@x.org, ID_1]", IntegrityCount(repaired=1)),
        # Another's check characters, none, a spelling that was never given out.
        (f"[[EMAIL_2_{CHECK}]]", f"[[EMAIL_2_{CHECK}]]", IntegrityCount(altered=1)),
        ("[[EMAIL_1]]", "[[EMAIL_1]]", IntegrityCount(altered=1)),
        ("[[EMAIL_1b]]", "[[EMAIL_1b]]", IntegrityCount(altered=1)),
        # Right check characters of a value that does not exist, and a kind that does not.
        (str(Placeholder(kind="EMAIL", number=3)), "[[EMAIL_3_{}]]", IntegrityCount(invented=1)),
        ("[[PASSPORT_1_ab]]", "[[PASSPORT_1_ab]]", IntegrityCount(invented=1)),
        # A value that looks like a placeholder is not read again.
        (f"{Placeholder(kind='EMAIL', number=2)}_ab]]", "[[ID_1_ab]]", IntegrityCount(restored=1)),
        ("Nothing to see", "Nothing to see", IntegrityCount()),
        ("", "", IntegrityCount()),
    ],
)
def test_what_the_reader_sees_and_what_is_counted(text, expected, count):
    unmasked = unmask(text, MAP)
    assert unmasked.text == expected.format(Placeholder(kind="EMAIL", number=3).check)
    assert unmasked.count == count
    assert "anna" not in repr(unmasked)


def test_counts_add_up():
    total = IntegrityCount(restored=1, altered=2) + IntegrityCount(restored=3, repaired=1, invented=1)
    assert total == IntegrityCount(restored=4, repaired=1, altered=2, invented=1)
    assert total.total == 8
    assert total.lost == 3


@settings(deadline=None)
@given(st.integers(0, 40), st.sampled_from("abz019_[] XE"))
def test_no_single_change_brings_a_wrong_value(place, character):
    text = f"{EMAIL} and {Placeholder(kind='EMAIL', number=2)}"
    place %= len(text)
    changed = unmask(text[:place] + character + text[place + 1 :], MAP).text
    # Each value once at most, and in its own place.
    assert changed.count("anna@x.org") <= 1
    assert changed.partition(" and ")[2].count("anna") == 0


def pieces_of(text, random_source):
    while text:
        size = random_source.choice((1, 1, 1, 2, 3, 5, 8, 13))
        yield text[:size]
        text = text[size:]


def streamed(text, placeholder_map, random_source):
    unmasker = StreamingUnmasker(placeholder_map)
    out = "".join([unmasker.feed(piece) for piece in pieces_of(text, random_source)])
    return out + unmasker.close(), unmasker.count


def replaced_by_hand(text, placeholder_map):
    """Apart from the streaming code: one regular expression over the whole text."""

    def value(match):
        [seen] = grammar.sightings(match[0])
        original = placeholder_map.original(seen.placeholder) if seen.sound else None
        return match[0] if original is None else original.join(seen.kept)

    grammar = grammar_of(placeholder_map.kinds)
    return grammar.token.sub(value, text)


def test_20_000_random_chunkings_come_out_as_the_whole_does():
    source = random.Random(20_000)
    masked = mask_question(
        [Message(role="user", content="Anna Schmidt, anna@x.org, ANNA@x.org, 10.0.0.1, EMAIL_1_aa")],
        sensitive={"name": "Anna Schmidt"},
    )
    known = [str(entry.placeholder) for entry in masked.placeholder_map.entries]
    alphabet = [*known, *known, *LOOKALIKES, *GLUE, *"EMAIL", "plain words ", "NAME_1_"]
    restored = 0
    for _ in range(20_000):
        text = "".join(source.choices(alphabet, k=source.randint(1, 8)))
        whole = unmask(text, masked.placeholder_map)
        assert streamed(text, masked.placeholder_map, source) == (whole.text, whole.count)
        assert whole.text == replaced_by_hand(text, masked.placeholder_map)
        restored += whole.count.restored
    assert restored > 20_000


@settings(max_examples=200, deadline=None)
@given(HARD_TEXTS, st.randoms(use_true_random=False))
def test_a_masked_text_comes_back_exactly_in_any_pieces(text, source):
    masked = mask(text)
    back, count = streamed(masked.messages[0].content, masked.placeholder_map, source)
    assert back == text
    assert count.lost == count.repaired == 0


def test_only_what_could_become_a_placeholder_is_held_back():
    unmasker = StreamingUnmasker(MAP)
    assert unmasker.feed("Dear [") == "Dear "
    assert unmasker.feed("Anna, ") == "[Anna, "
    assert unmasker.feed("mail CINEMA [[EMA") == "mail CINEMA "
    assert unmasker.feed(f"IL_1_{CHECK}]") == ""
    assert unmasker.feed("]") == "anna@x.org"
    assert unmasker.feed(" or EMAI") == " or "
    assert unmasker.feed("") == ""
    assert unmasker.close() == "EMAI"
    assert unmasker.close() == ""


def test_never_more_than_a_placeholders_length_is_held_back():
    text = r"\[\[ EMAIL\_123456789b\_ab \]\]" * 20 + "[" * 500 + "EMAIL_" * 100
    unmasker, held = StreamingUnmasker(MAP), 0
    for fed, character in enumerate(text, 1):
        held += 1 - len(unmasker.feed(character))
        assert held <= 48, fed


def test_a_long_reply_takes_time_in_proportion():
    # Quadratic searching would take minutes here.
    text = f"{EMAIL} [[EMAIL [EMAIL_1_ " * 20_000
    assert unmask(text, MAP).count.restored == 20_000
