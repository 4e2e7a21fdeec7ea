"""Stretches of a text that must not leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Characters ``start`` to ``end``. ``identity`` names the value where it is known; None: the text itself is it."""

    start: int
    end: int
    kind: str
    identity: str | None = field(default=None, repr=False)

    @property
    def length(self) -> int:
        return self.end - self.start


def merged(spans: Iterable[Span]) -> list[Span]:
    """In order of place, overlapping ones as one: nothing that any of them covers is left over.

    The longest gives its kind, the earlier listed among equals; its identity too, if it is as long as the whole.
    """
    joined: list[Span] = []
    longest: list[int] = []
    for span in sorted(spans, key=lambda span: span.start):
        if joined and span.start < joined[-1].end:
            joined[-1], longest[-1] = _join(joined[-1], span, longest[-1])
        else:
            joined.append(span)
            longest.append(span.length)
    return joined


def _join(left: Span, right: Span, longest: int) -> tuple[Span, int]:
    end = max(left.end, right.end)
    named = right if right.length > longest else left
    longest = max(longest, right.length)
    whole = longest == end - left.start
    return replace(named, start=left.start, end=end, identity=named.identity if whole else None), longest
