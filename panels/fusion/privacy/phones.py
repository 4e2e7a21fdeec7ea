"""Telephone numbers: international ones anywhere, national ones where their country is given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_GAP = r"[ \t().\-/\u00a0\u202f\u2010-\u2013]{0,3}"
_INTERNATIONAL = re.compile(rf"(?:(?<!\d)\+|(?<![\w.,+-])00){_GAP}[1-9](?:{_GAP}\d){{6,16}}")
_NATIONAL = re.compile(rf"(?<![\w.,+-])\(?0\d(?:{_GAP}\d){{5,12}}")
_MIN_CHARS = 7


def find_phones(text: str, *, regions: Sequence[str] = ()) -> Iterator[tuple[int, int]]:
    """(start, end) of each. ``regions`` are countries (ISO 3166, two letters) whose national numbers are read too."""
    for match in _INTERNATIONAL.finditer(text):
        yield from _hits(match, _longest(text, match, region=None) or _unassigned(text, match))
    for region in regions:
        yield from _find_national(text, region)


def _find_national(text: str, region: str) -> Iterator[tuple[int, int]]:
    from phonenumbers import PhoneNumberMatcher

    yield from ((found.start, found.end) for found in PhoneNumberMatcher(text, region, max_tries=len(text)))
    # The matcher gives up on a number that a date follows.
    for match in _NATIONAL.finditer(text):
        yield from _hits(match, _longest(text, match, region=region))


def _hits(match: re.Match[str], end: int | None) -> Iterator[tuple[int, int]]:
    if end is not None:
        yield match.start(), end


def _unassigned(text: str, match: re.Match[str]) -> int | None:
    """A country code and as many digits as a number has: somebody's, even if its range is not known to be in use."""
    return None if text[match.end() : match.end() + 1].isdigit() else match.end()


def _longest(text: str, match: re.Match[str], *, region: str | None) -> int | None:
    """Where the longest beginning that is a number in use ends: what follows may be a date or another number."""
    from phonenumbers import is_valid_number

    for end in _group_ends(text, match):
        number = _parse(text[match.start() : end], region)
        if number is not None and is_valid_number(number):
            return end
    return None


def _group_ends(text: str, match: re.Match[str]) -> Iterator[int]:
    """Longest first, only where no digit follows."""
    for end in range(match.end(), match.start() + _MIN_CHARS - 1, -1):
        if text[end - 1].isdigit() and not text[end : end + 1].isdigit():
            yield end


def _parse(text: str, region: str | None) -> PhoneNumber | None:
    from phonenumbers import NumberParseException, parse

    if region is None and text.startswith("00"):
        text = f"+{text[2:]}"
    try:
        return parse(text, region)
    except NumberParseException:
        return None
