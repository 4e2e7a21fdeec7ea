from __future__ import annotations

from panels.fusion.privacy.placeholder_map import Entry, PlaceholderMap, SensitiveValue
from panels.fusion.privacy.placeholders import Placeholder

FIRST = Placeholder(kind="NAME", number=1)
ENTRY = Entry(placeholder=FIRST, original="Anna Schmidt", identity="annaschmidt")
MAP = PlaceholderMap(
    kinds=("NAME", "TEXT"),
    sensitive=(SensitiveValue(kind="NAME", value="Anna Schmidt", parts=("Anna", "Schmidt")),),
    entries=(ENTRY,),
)


def test_nothing_prints_a_value():
    for shown in (MAP, ENTRY, MAP.sensitive, [MAP], MAP.extended([])):
        assert "nna" not in f"{shown!r} {shown!s}"
    assert repr(MAP) == "PlaceholderMap(NAME: 1)"


def test_placeholders_are_looked_up_and_entries_added():
    spelling = Placeholder(kind="NAME", number=1, spelling="b")
    other = Placeholder(kind="NAME", number=2)
    longer = MAP.extended([Entry(placeholder=spelling, original="Anna", identity="annaschmidt")])
    assert longer.original(FIRST) == "Anna Schmidt"
    assert longer.original(spelling) == "Anna"
    assert MAP.original(spelling) is None
    assert MAP.knows_number(spelling)
    assert not MAP.knows_number(other)
    assert repr(longer) == "PlaceholderMap(NAME: 1)"


def test_text_that_looks_like_a_placeholder_is_no_secret():
    text = Entry(placeholder=Placeholder(kind="TEXT", number=1), original="[[A_1]]", identity="[[A_1]]")
    assert MAP.extended([text]).secrets == (ENTRY,)
