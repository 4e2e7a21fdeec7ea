"""Bank accounts and payment cards, by shape and check digits. Each function gives (start, end) of its hits."""

from __future__ import annotations

import re
from collections.abc import Iterator

_GAP = r"[ \u00a0\u202f.-]?"
_IBAN_START = re.compile(r"(?<![^\W_])[A-Za-z]{2}[0-9]{2}(?=[ \u00a0\u202f.-]?[A-Za-z0-9])")
_IBAN_BODY = re.compile(rf"(?:{_GAP}[A-Za-z0-9]){{11,30}}")
_NO_ALNUM = re.compile(r"[^A-Za-z0-9]")
_MIN_IBAN_CHARS = 15
# As printed on cards: fours, American Express, Diners; or all in one.
_CARD = re.compile(
    rf"(?<![\d])(?:[2-6]\d{{12,18}}|[2-6]\d{{3}}({_GAP})\d{{4}}\1\d{{4}}\1\d{{1,7}}|3\d{{3}}({_GAP})\d{{6}}\2\d{{4,5}})(?!\d)"
)


def find_ibans(text: str) -> Iterator[tuple[int, int]]:
    """With the right check digits and the country's length and structure, in groups or not."""
    for head in _IBAN_START.finditer(text):
        body = _IBAN_BODY.match(text, head.end())
        end = _iban_end(text, head.start(), body.end()) if body else None
        if end is not None:
            yield head.start(), end


def find_cards(text: str) -> Iterator[tuple[int, int]]:
    """13 to 19 digits that begin like a payment card's and pass Luhn's check."""
    for match in _CARD.finditer(text):
        if _passes_luhn(_NO_ALNUM.sub("", match[0])):
            yield match.span()


def _iban_end(text: str, start: int, end: int) -> int | None:
    """The body may have run on into the next words: the longest beginning that is valid counts."""
    # Imported where used: it takes longer than masking most prompts.
    from stdnum import iban

    for last in range(end - 1, start + _MIN_IBAN_CHARS - 2, -1):
        whole = text[last].isalnum() and not text[last + 1 : last + 2].isalnum()
        if whole and iban.is_valid(_NO_ALNUM.sub("", text[start : last + 1]), check_country=False):
            return last + 1
    return None


def _passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: from the right, every second digit counts double, its digits added up."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0
