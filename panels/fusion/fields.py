"""The fields of a JSON answer: of which kind each is, and when two answers say the same in one of them.

A field's kind is what the schema tells of it, else what its values are: ``label`` (enum, const, boolean, texts with a
format or a pattern, lists and objects: equality of the canonical JSON), ``number``, ``short``, or ``text`` (a text that
may be longer than 200 characters, or that mostly has more than 8 words).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard
from urllib.parse import unquote

from panels.fusion.agreement import TEXT_SIMILARITY_THRESHOLD, same_number, same_short
from panels.fusion.answers import normalise_short
from panels.fusion.json_text import JsonObject, canonical_json, read_object
from panels.fusion.types import AnswerKind, Question, Similarity

_SHORT_CHARS = 200
_SHORT_WORDS = 8
# Up to this tolerance it is for the rounding of decimals; whole numbers that differ in it are different numbers.
_ROUNDING = 1e-6
_HOPS = 16

SameText = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldValue:
    """What one answer says in one field. ``text`` is the value's canonical JSON; None: the field is left out."""

    value: object = None
    text: str | None = None


def field_value(answer: Mapping[str, object], name: str) -> FieldValue:
    if name not in answer:
        return FieldValue()
    return FieldValue(value=answer[name], text=canonical_json(answer[name]))


def field_kind(name: str, *, schema: str, values: Iterable[FieldValue]) -> AnswerKind:
    """One of ``label``, ``number``, ``short`` and ``text``."""
    told = _kinds_told(schema).get(name)
    if told is not None:
        return told
    said = [value.value for value in values if value.value is not None]
    if all(_is_number(value) for value in said):
        return AnswerKind.NUMBER
    texts = [value for value in said if isinstance(value, str)]
    if len(texts) < len(said):
        return AnswerKind.LABEL
    long = sum(len(text.split()) > _SHORT_WORDS for text in texts)
    return AnswerKind.TEXT if 2 * long > len(texts) else AnswerKind.SHORT


def same_field(
    left: FieldValue, right: FieldValue, *, kind: AnswerKind, question: Question, similarity: Similarity
) -> bool:
    """Whether two members say the same. A field left out, null, and a value of another type stand for themselves."""
    if kind is AnswerKind.TEXT:
        return _same(left, right, kind, question, lambda one, two: similarity(one, two) >= TEXT_SIMILARITY_THRESHOLD)
    return _same(left, right, kind, question, same_short)


def equal_field(left: FieldValue, right: FieldValue, *, kind: AnswerKind, question: Question) -> bool:
    """Whether an answer equals the reference: as members agree, but texts are equal only as SQuAD normalises them."""
    return _same(left, right, kind, question, lambda one, two: normalise_short(one) == normalise_short(two))


def _same(left: FieldValue, right: FieldValue, kind: AnswerKind, question: Question, same_text: SameText) -> bool:
    if left.text == right.text:
        return True
    one, two = left.value, right.value
    if kind is AnswerKind.NUMBER and _is_number(one) and _is_number(two):
        return _same_number(one, two, question.tolerance)
    if kind in {AnswerKind.SHORT, AnswerKind.TEXT} and isinstance(one, str) and isinstance(two, str):
        return _has_letters(one) and _has_letters(two) and same_text(one, two)
    return False


def _same_number(left: float, right: float, tolerance: float) -> bool:
    if isinstance(left, int) and isinstance(right, int) and tolerance <= _ROUNDING:
        return left == right
    return same_number(left, right, tolerance)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_letters(text: str) -> bool:
    """A text without a letter is a date, a code or an amount: normalising would take its points and dashes away."""
    return any(character.isalpha() for character in text)


@lru_cache(maxsize=128)
def _kinds_told(schema: str) -> Mapping[str, AnswerKind | None]:
    """What the schema tells of each property's kind; None leaves it to the values."""
    root = (read_object(schema) if schema else None) or {}
    properties = _behind(root, root).get("properties")
    found = properties.items() if isinstance(properties, dict) else ()
    return {name: _kind_told(_behind(node, root)) for name, node in found}


def _kind_told(node: JsonObject) -> AnswerKind | None:
    if "enum" in node or "const" in node:
        return AnswerKind.LABEL
    types = _types(node) - {"null"}
    if types and types <= {"number", "integer"}:
        return AnswerKind.NUMBER
    if types == {"string"}:
        return _text_told(node)
    return AnswerKind.LABEL if types and types <= {"boolean", "object", "array"} else None


def _text_told(node: JsonObject) -> AnswerKind | None:
    if "format" in node or "pattern" in node:
        return AnswerKind.LABEL
    longest = node.get("maxLength")
    if not _is_number(longest):
        return None
    return AnswerKind.TEXT if longest > _SHORT_CHARS else AnswerKind.SHORT


def _types(node: JsonObject) -> set[str]:
    told = node.get("type")
    entries = told if isinstance(told, list) else [told]
    return {entry for entry in entries if isinstance(entry, str)}


def _behind(node: object, root: JsonObject) -> JsonObject:
    """The schema behind references inside the document, and behind "this or null"."""
    for _ in range(_HOPS):
        if not isinstance(node, dict):
            break
        following = _pointed_at(node["$ref"], root) if "$ref" in node else _only_alternative(node)
        if following is None:
            return node
        node = following
    return {}


def _only_alternative(node: JsonObject) -> object | None:
    parts = next((node[word] for word in ("anyOf", "oneOf", "allOf") if isinstance(node.get(word), list)), [])
    assert isinstance(parts, list)
    others = [part for part in parts if not (isinstance(part, dict) and part.get("type") == "null")]
    return others[0] if len(others) == 1 else None


def _pointed_at(reference: object, root: JsonObject) -> object:
    """What a JSON pointer (RFC 6901) in a fragment leads to; an anchor leads to nothing."""
    found: object = root
    for step in str(reference).removeprefix("#").split("/")[1:]:
        key = unquote(step).replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    return found
