"""Exact values: of the fields that a workflow marks sensitive, and of what a detector has found once."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import quote, quote_plus

from panels.fusion.privacy.folding import Folded, fold, folded
from panels.fusion.privacy.placeholder_map import PlaceholderMap, SensitiveValue
from panels.fusion.privacy.placeholders import MAX_KIND_LETTERS
from panels.fusion.privacy.spans import Span

MIN_VALUE_CHARS = 2
# Shorter ones are words too ("May", "Al"): they are found as they are written only.
_MIN_FREE_CASE = 4
_MIN_PART = 3
_MIN_COMPACT = 8
_MIN_COMPACT_DIGITS = 6
_MAX_GAP = 3
_FIELD_WORDS = re.compile(r"[A-Z]*[a-z]+|[A-Z]+")
_NAME_WORDS = frozenset({"name", "names", "surname", "forename", "firstname", "lastname", "fullname"})
# Names of these are made of everyday words.
_NO_PERSON = frozenset(
    {
        "brand",
        "company",
        "domain",
        "drug",
        "event",
        "file",
        "host",
        "organisation",
        "organization",
        "product",
        "project",
    }
)
_NAME_PARTICLES = frozenset(
    {
        "and",
        "bin",
        "dal",
        "das",
        "del",
        "den",
        "der",
        "des",
        "dos",
        "ibn",
        "les",
        "mrs",
        "ter",
        "the",
        "van",
        "von",
        "zum",
        "zur",
    }
)
_NAME_PART = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# E-mail addresses and URLs with other dots in them are other addresses.
_COMPACTABLE = re.compile(r"[\w\s.,()+/'’#&-]+")
# Whatever ``str.isalnum`` says no to.
_NOT_ALNUM = re.compile(r"[\W_]+")
# Scripts written without blanks between words, or with particles joined to names.
_JOINED_SCRIPTS = (
    "\u0590-\u08ff\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_LETTER = re.compile(rf"[^\W\d_{_JOINED_SCRIPTS}]")


class SensitiveValueTooShort(ValueError):
    """A single character cannot be masked: it would stand everywhere. The message names the field alone."""

    def __init__(self, *, field_name: str) -> None:
        self.field_name = field_name
        super().__init__(
            f"The sensitive field {field_name!r} holds a single character, which stands in any text. "
            f"Values need at least {MIN_VALUE_CHARS} characters: complete it, or do not mark the field as sensitive."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Needle:
    """One spelling to look for. ``text`` is folded as ``where`` says."""

    kind: str
    identity: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needles:
    """What to look for whatever its case, as it is written, and whatever stands between its letters and digits."""

    free: tuple[Needle, ...]
    cased: tuple[Needle, ...]
    compact: tuple[Needle, ...]


def sensitive_values(fields: Mapping[str, str]) -> tuple[SensitiveValue, ...]:
    """Longest first. Empty fields have nothing to hide. Raises SensitiveValueTooShort."""
    values = [_sensitive_value(name, text.strip()) for name, text in fields.items() if text.strip()]
    return tuple(sorted(values, key=lambda value: (-len(value.value), value.kind, value.value)))


def kind_of_field(name: str) -> str:
    """``patient_name`` → ``PATIENTNAME``; FIELD where the name has no Latin letters."""
    letters = re.sub("[^A-Z]", "", name.upper())[:MAX_KIND_LETTERS]
    return letters if len(letters) > 1 else "FIELD"


def identity_of(text: str) -> str:
    """What all spellings of a value have in common."""
    plain = folded(text)
    return _compact_text(plain) if _is_compactable(plain) else plain


def needles_of(placeholder_map: PlaceholderMap, found: Iterable[tuple[str, str]] = ()) -> Needles:
    """For everything the map knows, and for what detectors have found: (kind, text)."""
    values, parts = _sensitive_wanted(placeholder_map.sensitive)
    covered = {(kind, identity) for kind, _, identity in values}
    for entry in placeholder_map.secrets:
        # Spellings of sensitive values are found by the values; a part must not become a value of its own.
        if (entry.placeholder.kind, entry.identity) not in covered:
            values.append((entry.placeholder.kind, entry.original, entry.identity))
    values += [(kind, text, identity_of(text)) for kind, text in found]
    return _needles(dict.fromkeys(values), parts)


def find_values(text: str, needles: Needles) -> list[Span]:
    """Every place where one of them stands whole: letters may not go on, nor digits, at its ends."""
    haystack = fold(text)
    spans = list(_find(haystack, needles.free))
    if needles.cased:
        spans += _find(fold(text, keep_case=True), needles.cased)
    if needles.compact:
        spans += _find_compact(haystack, needles.compact)
    return spans


def _sensitive_wanted(
    sensitive: Iterable[SensitiveValue],
) -> tuple[list[tuple[str, str, str]], dict[str, tuple[str, str]]]:
    """The values as (kind, text, identity), and their parts with kind and identity of the whole."""
    values: list[tuple[str, str, str]] = []
    parts: dict[str, tuple[str, str]] = {}
    for item in sensitive:
        identity = identity_of(item.value)
        values.append((item.kind, item.value, identity))
        for part in item.parts:
            parts.setdefault(part, (item.kind, identity))
    return values, parts


def _sensitive_value(name: str, value: str) -> SensitiveValue:
    if len(value) < MIN_VALUE_CHARS:
        raise SensitiveValueTooShort(field_name=name)
    words = {word.lower() for word in _FIELD_WORDS.findall(name)}
    parts = _name_parts(value) if words & _NAME_WORDS and not words & _NO_PERSON else ()
    return SensitiveValue(kind=kind_of_field(name), value=value, parts=parts)


def _name_parts(value: str) -> tuple[str, ...]:
    """Of "Anna von Schmidt", Anna and Schmidt: texts call people by half of their name."""
    parts = [part for part in _NAME_PART.findall(value) if part != value]
    return tuple(part for part in parts if len(part) >= _MIN_PART and part.lower() not in _NAME_PARTICLES)


def _needles(wanted: Iterable[tuple[str, str, str]], parts: Mapping[str, tuple[str, str]]) -> Needles:
    free: dict[str, Needle] = {}
    cased: dict[str, Needle] = {}
    compact: dict[str, Needle] = {}
    for kind, text, identity in wanted:
        for spelling in _encodings(text):
            found = cased if len(spelling) < _MIN_FREE_CASE else free
            plain = folded(spelling, keep_case=found is cased)
            found.setdefault(plain, Needle(kind=kind, identity=identity, text=plain))
        plain = folded(text)
        if _is_compactable(plain):
            compact.setdefault(_compact_text(plain), Needle(kind=kind, identity=identity, text=_compact_text(plain)))
    for part, (kind, identity) in parts.items():
        for spelling in (part, part.upper()):
            plain = folded(spelling, keep_case=True)
            cased.setdefault(plain, Needle(kind=kind, identity=identity, text=plain))
    return Needles(free=_usable(free), cased=_usable(cased), compact=_usable(compact))


def _usable(needles: Mapping[str, Needle]) -> tuple[Needle, ...]:
    return tuple(needle for text, needle in needles.items() if text)


def _encodings(text: str) -> Iterator[str]:
    """As it stands, and in a URL, in JSON and in HTML within the text."""
    yield text
    yield quote(text, safe="", errors="replace")
    yield quote_plus(text, errors="replace")
    yield json.dumps(text)[1:-1]
    yield html.escape(text)


def _is_compactable(text: str) -> bool:
    if not _COMPACTABLE.fullmatch(text):
        return False
    compact = _compact_text(text)
    digits = sum(character.isdigit() for character in compact)
    return len(compact) >= _MIN_COMPACT or digits >= _MIN_COMPACT_DIGITS


def _compact_text(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _find(haystack: Folded, needles: Iterable[Needle]) -> Iterator[Span]:
    for needle in needles:
        start = haystack.text.find(needle.text)
        while start >= 0:
            end = start + len(needle.text)
            if _stands_whole(haystack.text, start, end):
                first, last = haystack.original_span(start, end)
                yield Span(start=first, end=last, kind=needle.kind, identity=needle.identity)
            start = haystack.text.find(needle.text, start + 1)


def _find_compact(haystack: Folded, needles: Iterable[Needle]) -> Iterator[Span]:
    text = _NOT_ALNUM.sub("", haystack.text)
    present = [needle for needle in needles if needle.text in text]
    # Worth its while only where there is something: most texts hold none, and every body that leaves is one.
    places = [place for place, character in enumerate(haystack.text) if character.isalnum()] if present else []
    for needle in present:
        start = text.find(needle.text)
        while start >= 0:
            stretch = places[start : start + len(needle.text)]
            if _is_one_value(haystack.text, stretch):
                first, last = haystack.original_span(stretch[0], stretch[-1] + 1)
                yield Span(start=first, end=last, kind=needle.kind, identity=needle.identity)
            start = text.find(needle.text, start + 1)


def _is_one_value(text: str, places: list[int]) -> bool:
    close = all(right - left <= _MAX_GAP + 1 for left, right in pairwise(places))
    return close and _stands_whole(text, places[0], places[-1] + 1)


def _stands_whole(text: str, start: int, end: int) -> bool:
    return not _goes_on(text[start], text[start - 1 : start]) and (
        not _goes_on(text[end - 1], text[end : end + 1]) or _is_genitive(text, start, end)
    )


def _goes_on(edge: str, neighbour: str) -> bool:
    """Whether a word or number that has ``edge`` at its end continues with ``neighbour`` (empty: the text ends)."""
    if edge.isdigit():
        return neighbour.isdigit()
    return bool(_LETTER.match(edge) and _LETTER.match(neighbour))


def _is_genitive(text: str, start: int, end: int) -> bool:
    """Annas, Schmidts: the s stays in the text, the name does not."""
    long_enough = end - start >= _MIN_FREE_CASE
    return long_enough and text[end] in "sS" and not _LETTER.match(text[end + 1 : end + 2])
