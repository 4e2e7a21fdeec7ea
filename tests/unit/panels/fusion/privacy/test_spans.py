from __future__ import annotations

import pytest

from panels.fusion.privacy.spans import Span, merged


def span(start, end, kind="A", identity="x"):
    return Span(start=start, end=end, kind=kind, identity=identity)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([span(5, 8), span(0, 3)], [(0, 3, "A", "x"), (5, 8, "A", "x")]),
        ([span(0, 3), span(3, 5, "B")], [(0, 3, "A", "x"), (3, 5, "B", "x")]),
        # The whole address, not what is left of it beside a name.
        ([span(2, 6, "NAME"), span(0, 9, "EMAIL", None)], [(0, 9, "EMAIL", None)]),
        ([span(0, 9, "EMAIL", "e"), span(2, 6, "NAME")], [(0, 9, "EMAIL", "e")]),
        # Neither is the whole: it is a value of its own, of the longer one's kind.
        ([span(0, 4, "A", "a"), span(2, 8, "B", "b")], [(0, 8, "B", None)]),
        ([span(0, 4, "A", "a"), span(2, 5, "B", "b"), span(4, 9, "C", "c")], [(0, 9, "C", None)]),
        # Equals: the earlier listed.
        ([span(0, 4, "A", "a"), span(0, 4, "B", "b")], [(0, 4, "A", "a")]),
    ],
)
def test_overlapping_spans_become_one_that_covers_all(spans, expected):
    assert [(found.start, found.end, found.kind, found.identity) for found in merged(spans)] == expected


def test_no_value_is_printed():
    assert "secret" not in repr(span(0, 1, identity="secret"))
