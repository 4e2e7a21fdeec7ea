"""A text as it is searched: case, width, accents' encoding and runs of blanks made alike, with the way back."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import combining, normalize

_MARKS = "\u0300-\u036f\u0483-\u0487\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f"
# Soft hyphen, zero width spaces and joiners, word joiner, byte order mark: seen by nobody.
_UNSEEN = dict.fromkeys((0x00AD, 0x180E, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
_UNEVEN = re.compile(rf"\s{{2,}}|[^\S ]|.[{_MARKS}]+|(?P<run>(?:[^\x00-\x7f\s](?![{_MARKS}]))+)", re.DOTALL)
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Folded:
    """``stretches``: (start here, start in the original, end in the original, whether character by character)."""

    text: str
    stretches: tuple[tuple[int, int, int, bool], ...]

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Where the characters ``start`` to ``end`` of ``text`` came from."""
        return self._locate(start)[0], self._locate(end - 1)[1]

    def _locate(self, position: int) -> tuple[int, int]:
        index = bisect_right(self.stretches, position, key=lambda stretch: stretch[0]) - 1
        begins, start, end, even = self.stretches[index]
        if not even:
            return start, end
        return start + position - begins, start + position - begins + 1


def fold(text: str, *, keep_case: bool = False) -> Folded:
    """Linear in the length. Without ``keep_case``, what differs in case alone becomes equal."""
    folding = _Folding()
    done = 0
    for match in _UNEVEN.finditer(text):
        plain = text[done : match.start()]
        folding.add(plain if keep_case else plain.lower(), done, match.start(), even=True)
        _add_uneven(folding, match, keep_case)
        done = match.end()
    plain = text[done:]
    folding.add(plain if keep_case else plain.lower(), done, len(text), even=True)
    return Folded(text="".join(folding.pieces), stretches=tuple(folding.stretches))


def folded(text: str, *, keep_case: bool = False) -> str:
    """The text alone, for what is looked for."""
    return fold(text.strip(), keep_case=keep_case).text


def end_of_marks(text: str, end: int) -> int:
    """Where the accents end that belong to the character before ``end``."""
    while end < len(text) and combining(text[end]):
        end += 1
    return end


class _Folding:
    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.stretches: list[tuple[int, int, int, bool]] = []
        self._size = 0

    def add(self, piece: str, start: int, end: int, *, even: bool) -> None:
        """``piece`` is what characters ``start`` to ``end`` became. What became nothing has no place."""
        if piece:
            self.stretches.append((self._size, start, end, even))
            self.pieces.append(piece)
            self._size += len(piece)


def _add_uneven(folding: _Folding, match: re.Match[str], keep_case: bool) -> None:
    start, end = match.span()
    if match.lastgroup != "run":
        folding.add(_even_text(match[0], keep_case=keep_case), start, end, even=False)
        return
    pieces = [_even_character(character, keep_case) for character in match[0]]
    together = "".join(pieces)
    if len(together) == len(pieces) and "" not in pieces:
        folding.add(together, start, end, even=True)
        return
    for place, piece in enumerate(pieces, start):
        folding.add(piece, place, place + 1, even=False)


# Single characters tell nothing about anybody, so these may be remembered.
@lru_cache(maxsize=4096)
def _even_character(character: str, keep_case: bool) -> str:
    return _even_text(character, keep_case=keep_case)


def _even_text(cluster: str, *, keep_case: bool) -> str:
    even = normalize("NFKC", cluster).translate(_UNSEEN)
    if not keep_case:
        even = normalize("NFKC", even.casefold())
    return _BLANKS.sub(" ", even)
