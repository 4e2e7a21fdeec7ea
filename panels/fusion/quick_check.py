"""Whether a value surely satisfies a JSON schema: quick, and silent about why not.

A library's checker walks a schema at about a thousandth of a second for an arbiter's reply, most of which are as they
should be. What passes here needs no such walk; what does not is left to the checker, which can say what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_TYPES: Mapping[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


def surely_satisfies(value: object, schema: Mapping[str, Any]) -> bool:
    """True only if it does. False if it does not, or if the schema uses a word that is not known here."""
    return all(word in _CHECKS and _CHECKS[word](value, told) for word, told in schema.items())


def _has_type(value: object, told: str | list[str]) -> bool:
    names = [told] if isinstance(told, str) else told
    return any(name in _TYPES and _TYPES[name](value) for name in names)


def _has_properties(value: object, told: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    return all(surely_satisfies(value[name], inner) for name, inner in told.items() if name in value)


def _has_items(value: object, told: Mapping[str, Any]) -> bool:
    return not isinstance(value, list) or all(surely_satisfies(entry, told) for entry in value)


# As in JSON schema, a word says nothing about values of a type that it does not speak of.
_CHECKS: Mapping[str, Callable[[Any, Any], bool]] = {
    "type": _has_type,
    "properties": _has_properties,
    "items": _has_items,
    "required": lambda value, told: not isinstance(value, dict) or all(name in value for name in told),
    "minItems": lambda value, told: not isinstance(value, list) or len(value) >= told,
    "pattern": lambda value, told: not isinstance(value, str) or re.search(told, value) is not None,
    # Among texts alone is equality in Python what it is in JSON.
    "enum": lambda value, told: isinstance(value, str) and value in told,
}
