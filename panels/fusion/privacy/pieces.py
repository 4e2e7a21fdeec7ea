"""A text with placeholders in the places of values, and what else in it could be taken for one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from panels.fusion.privacy.folding import end_of_marks
from panels.fusion.privacy.placeholders import LOOKALIKE, Grammar, Placeholder, Sighting
from panels.fusion.privacy.spans import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A placeholder in the place of characters ``start`` to ``end`` of a text."""

    start: int
    end: int
    placeholder: Placeholder


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gaps:
    """The text between the pieces: where each gap starts once written, how far that is from its place in the text,
    and where it ends in the text."""

    starts: Sequence[int]
    shifts: Sequence[int]
    ends: Sequence[int]


def write(text: str, pieces: Iterable[Piece]) -> str:
    """``pieces`` in order of place, none overlapping."""
    written, done = [], 0
    for piece in pieces:
        written += [text[done : piece.start], str(piece.placeholder)]
        done = piece.end
    return "".join([*written, text[done:]])


def find_lookalikes(text: str, pieces: Sequence[Piece], grammar: Grammar) -> Iterator[Span]:
    """What of the text itself would be recognised as a placeholder, or a part of one, once the pieces stand in it."""
    gaps, own = _layout(text, pieces)
    for sighting in grammar.sightings(write(text, pieces)):
        if (sighting.start, sighting.end) not in own:
            yield _own_text(text, sighting, gaps)


def _layout(text: str, pieces: Sequence[Piece]) -> tuple[_Gaps, set[tuple[int, int]]]:
    """The gaps, and where the pieces stand once written."""
    shift, starts, shifts = 0, [0], [0]
    own = set()
    for piece in pieces:
        size = len(str(piece.placeholder))
        own.add((piece.start + shift, piece.start + shift + size))
        shift += size - (piece.end - piece.start)
        starts.append(piece.end + shift)
        shifts.append(shift)
    return _Gaps(starts=starts, shifts=shifts, ends=[*(piece.start for piece in pieces), len(text)]), own


def _own_text(text: str, sighting: Sighting, gaps: _Gaps) -> Span:
    """As much of a sighting as is the text's own, with the accents on it.

    No sighting begins within a piece, since nothing that is recognised has an opening bracket in its middle.
    """
    index = bisect_right(gaps.starts, sighting.start) - 1
    end = end_of_marks(text, sighting.end - gaps.shifts[index])
    return Span(start=sighting.start - gaps.shifts[index], end=min(end, gaps.ends[index]), kind=LOOKALIKE)
