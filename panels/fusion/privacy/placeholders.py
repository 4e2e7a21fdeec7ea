"""What stands in for a value: ``[[EMAIL_1_d5]]``, a closed grammar whose check characters betray an altered one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

# Text that merely looks like a placeholder is put aside under this kind.
LOOKALIKE = "TEXT"
MAX_KIND_LETTERS = 16
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_FLAGS = re.ASCII | re.IGNORECASE
_WORDS = re.compile(r"[A-Za-z0-9]+")
_NUMBERED = re.compile(r"(\d+)([a-z]?)")
_PAIRED = 2


@lru_cache(maxsize=4096)
def check_characters(text: str) -> str:
    """Two check characters by ISO 7064, MOD 1271-36, in lower case; ``text`` of letters and digits.

    Every single wrong character and every swap of two neighbours changes them.
    """
    total = 0
    for character in text.lower():
        total = (total * 36 + _ALPHABET.index(character)) % 1271
    tens, ones = divmod((1 - total * 36 * 36) % 1271, 36)
    return _ALPHABET[tens] + _ALPHABET[ones]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """``kind`` in capital letters, a running number from 1, and a letter from b on for another spelling of a value."""

    kind: str
    number: int
    spelling: str = ""

    @property
    def check(self) -> str:
        return check_characters(f"{self.kind}{self.number}{self.spelling}")

    def __str__(self) -> str:
        return f"[[{self.kind}_{self.number}{self.spelling}_{self.check}]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Something in a text that is a placeholder, or was one before a model changed it.

    ``sound``: kind, number and spelling carry the right check characters. ``kept`` are the brackets before and after
    that belong to the text.
    """

    start: int
    end: int
    placeholder: Placeholder
    sound: bool
    exact: bool
    kept: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Element:
    """One step of the grammar: the expression it must match, and the one for as much of it as has come so far."""

    whole: str
    begun: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """How placeholders of some kinds are recognised, as written and as models change them."""

    token: re.Pattern[str]
    begun: re.Pattern[str]

    def sightings(self, text: str, start: int = 0) -> Iterator[Sighting]:
        """All of them, left to right."""
        return (_read(match) for match in self.token.finditer(text, start))

    def next_sighting(self, text: str, start: int) -> Sighting | None:
        match = self.token.search(text, start)
        return None if match is None else _read(match)

    def first_unfinished(self, text: str, start: int) -> int:
        """Where the earliest stretch begins that further text could make a placeholder; the text's length if none."""
        match = self.begun.search(text, max(start, len(text) - _LONGEST))
        return len(text) if match is None else match.start()


@lru_cache(maxsize=256)
def grammar_of(kinds: Sequence[str]) -> Grammar:
    """Between double brackets every kind is recognised, without them only one of ``kinds``."""
    bare = (_up_to(r"\[", 2), _one_of(kinds), *_UNDERSCORE, *_NUMBER, *_UNDERSCORE, _CHECK_AT_END, _LAST_TWO)
    token = "|".join((_join(_BRACKETED), _join(_BRACKETED_UNCHECKED), _AT_START + _join(bare)))
    begun = "|".join((_begun(_BRACKETED), _begun(_BRACKETED_UNCHECKED), _AT_START + _begun(bare)))
    return Grammar(token=re.compile(token, _FLAGS), begun=re.compile(begun, _FLAGS))


def _read(match: re.Match[str]) -> Sighting:
    kind, numbered, *check = _WORDS.findall(match[0])
    # The grammar has matched a number here.
    number, spelling = _NUMBERED.findall(numbered.lower())[0]
    placeholder = Placeholder(kind=kind.upper(), number=int(number), spelling=spelling)
    sound = check != [] and check[0].lower() == placeholder.check
    return Sighting(
        start=match.start(),
        end=match.end(),
        placeholder=placeholder,
        sound=sound,
        exact=sound and match[0] == str(placeholder),
        kept=_lone_brackets(match[0]),
    )


def _lone_brackets(text: str) -> tuple[str, str]:
    """A single bracket on one side alone: a list's, not the placeholder's."""
    opened, closed = text.count("["), text.count("]")
    if opened == closed or max(opened, closed) == _PAIRED:
        return "", ""
    return "[" * opened, "]" * closed


def _up_to(character: str, most: int) -> _Element:
    return _some(character, 0, most)


def _some(character: str, least: int, most: int) -> _Element:
    return _Element(whole=f"{character}{{{least},{most}}}", begun=f"{character}{{0,{most}}}")


def _one_of(words: Sequence[str]) -> _Element:
    prefixes = {prefix for word in words for prefix in accumulate(word)}
    return _Element(whole=_alternatives(words), begun=f"{_alternatives(prefixes)}?")


def _alternatives(words: Sequence[str] | set[str]) -> str:
    return f"(?:{'|'.join(sorted(words, key=lambda word: (-len(word), word)))})"


def _join(elements: Sequence[_Element]) -> str:
    return "".join(element.whole for element in elements)


def _begun(elements: Sequence[_Element]) -> str:
    expression = ""
    for element in reversed(elements):
        rest = f"|{element.whole}{expression}" if expression else ""
        expression = rf"(?:{element.begun}\Z{rest})"
    return expression


_AT_START = r"(?<![A-Za-z0-9])"
_ESCAPE = _up_to(r"\\", 1)
_SPACE = _up_to(" ", 1)
_OPEN = (_ESCAPE, _some(r"\[", 1, 1), _ESCAPE, _some(r"\[", 1, 1), _SPACE)
# Once the last bracket has come, nothing more can.
_LAST_ONE = _Element(whole=r"\]", begun="")
_LAST_TWO = _Element(whole=r"\]{0,2}", begun=r"\]?")
_CLOSE = (_SPACE, _ESCAPE, _some(r"\]", 1, 1), _ESCAPE, _LAST_ONE)
_SEPARATOR = (_ESCAPE, _some("[_ -]", 1, 1))
_UNDERSCORE = (_ESCAPE, _some("_", 1, 1))
_NUMBER = (_some("[0-9]", 1, 9), _up_to("[A-Za-z]", 1))
_CHECK = _some("[A-Za-z0-9]", 2, 2)
_CHECK_AT_END = _Element(whole=_CHECK.whole + "(?![A-Za-z0-9])", begun=_CHECK.begun)
_BRACKETED_UNCHECKED = (*_OPEN, _some("[A-Za-z]", 2, MAX_KIND_LETTERS), *_SEPARATOR, *_NUMBER, *_CLOSE)
_BRACKETED = (*_OPEN, _some("[A-Za-z]", 2, MAX_KIND_LETTERS), *_SEPARATOR, *_NUMBER, *_SEPARATOR, _CHECK, *_CLOSE)
# No stretch that could become a placeholder is longer: 5 + 16 + 2 + 10 + 2 + 2 + 5 characters.
_LONGEST = 48
