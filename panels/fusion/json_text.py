"""JSON as models write it: the one object of a text, read strictly, and written in one canonical form."""

from __future__ import annotations

import json
import math
import re
from typing import TypeAlias

JsonObject: TypeAlias = dict[str, object]

# Nobody means an answer this deep; reading, checking and writing it would each come to Python's own limit.
MAX_LEVELS = 64
# Whole numbers up to here are the same as a float, so that 3.0 may be written 3.
_EXACT = 2**53
_OPENING = re.compile(r"\{|\[(?=\s*\{)")
# What a reasoning model says to itself; some servers leave it in the text, drafts of the answer included.
_THINKING = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
# A brace that begins JSON and not a word of prose: what follows it is broken, and nothing inside it is the answer.
_MEANT_AS_JSON = re.compile(r"\[|\{\s*(?:[\"'{}]|\w+\s*:|$)")


def only_object(text: str) -> JsonObject | None:
    """The one object at the top level of the text, in a code fence or amid prose; leading ``<think>`` does not count.

    None if there is none or more than one, if one is cut off or broken, or holds what is no strict JSON: NaN,
    Infinity, a number beyond a float's range, a key twice, half of a surrogate pair, more than 64 levels.
    """
    thinking = _THINKING.match(text)
    found, position = [], thinking.end() if thinking else 0
    while (opening := _OPENING.search(text, position)) is not None:
        try:
            value, position = _DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            if _MEANT_AS_JSON.match(text, opening.start()):
                return None
            position = opening.end()
            continue
        # A list is stepped over with all that is in it.
        found += [value] if isinstance(value, dict) else []
    return found[0] if len(found) == 1 and _is_sound(found[0]) else None


def read_object(text: str) -> JsonObject | None:
    """The object that the whole text is; None if it is anything else, or no strict JSON."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and _is_sound(value) else None


def canonical_json(value: object) -> str:
    """Sorted keys, no blanks, letters as they are: the same text for the same value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _is_sound(value: JsonObject) -> bool:
    if not _nests_within(value, MAX_LEVELS):
        return False
    try:
        canonical_json(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def _nests_within(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_nests_within(entry, levels - 1) for entry in inner)


def _unique(pairs: list[tuple[str, object]]) -> JsonObject:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands twice")
    return values


def _refuse(text: str) -> float:
    raise ValueError(text)


def _decimal(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def _whole(text: str) -> int:
    _decimal(text)
    return int(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_decimal, parse_int=_whole)
