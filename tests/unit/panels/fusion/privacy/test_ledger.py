from __future__ import annotations

from panels.fusion.privacy.ledger import Ledger
from panels.fusion.privacy.placeholder_map import PlaceholderMap
from panels.fusion.privacy.spans import Span

EMPTY = PlaceholderMap(kinds=("EMAIL", "NAME", "TEXT"))


def hand_out(ledger, original, kind="EMAIL", identity=None):
    placeholder = ledger.placeholder_of(Span(start=0, end=len(original), kind=kind, identity=identity), original)
    return f"{placeholder.kind}_{placeholder.number}{placeholder.spelling}"


def test_the_same_value_has_the_same_number_and_another_spelling_another_letter():
    ledger = Ledger(EMPTY)
    given = [hand_out(ledger, text) for text in ("a@x.org", "b@x.org", "A@X.ORG", "a@x.org", "A@X.ORG", "A@x.org")]
    assert given == ["EMAIL_1", "EMAIL_2", "EMAIL_1b", "EMAIL_1", "EMAIL_1b", "EMAIL_1c"]


def test_a_ledger_goes_on_where_the_map_ends():
    first = Ledger(EMPTY)
    hand_out(first, "a@x.org")
    second = Ledger(first.placeholder_map())
    assert hand_out(second, "a@x.org") == "EMAIL_1"
    assert hand_out(second, "A@x.org") == "EMAIL_1b"
    assert hand_out(second, "b@x.org") == "EMAIL_2"
    assert second.placeholder_map().entries[0] == first.placeholder_map().entries[0]


def test_text_that_looks_like_a_placeholder_is_itself_and_nothing_else():
    ledger = Ledger(EMPTY)
    assert [hand_out(ledger, text, "TEXT") for text in ("[[A_1]]", "[[a_1]]")] == ["TEXT_1", "TEXT_2"]


def test_when_the_letters_run_out_a_spelling_gets_a_number_of_its_own():
    ledger = Ledger(EMPTY)
    given = [hand_out(ledger, f"anna{index}", "NAME", "anna") for index in range(28)]
    assert given[:2] == ["NAME_1", "NAME_1b"]
    assert given[25:] == ["NAME_1z", "NAME_2", "NAME_2b"]
    assert hand_out(ledger, "anna3", "NAME", "anna") == "NAME_1d"
