"""An arbiter's reply, held to the form it was asked for. What is wrong with it is said in our words alone.

The problem goes back to the arbiter outside of any fence, so nothing of the reply, where a candidate's words may have
ended up, is repeated in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from panels.fusion.json_text import JsonObject, only_object
from panels.fusion.quick_check import surely_satisfies

MAX_PROBLEM_CHARS = 200
# More than any limit of tokens lets an arbiter say; checking it against the schema would hold up everybody else.
MAX_REPLY_CHARS = 200_000
Schema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A reply that is not what was asked for, and why: ASCII, at most ``MAX_PROBLEM_CHARS``."""

    problem: str


def read_object_of(text: str, *, schema: Schema) -> JsonObject | Unreadable:
    """The one JSON object of the reply, in a code fence or amid prose, if it satisfies the schema."""
    if len(text) > MAX_REPLY_CHARS:
        return Unreadable(problem="it is far too long")
    found = only_object(text)
    if found is None:
        return Unreadable(problem="it has to hold exactly one JSON object, whole and well formed")
    problem = _violation(found, schema)
    return Unreadable(problem=problem[:MAX_PROBLEM_CHARS]) if problem else found


def _violation(found: JsonObject, schema: Schema) -> str:
    if surely_satisfies(found, schema):
        return ""
    from jsonschema import Draft202012Validator

    error = next(Draft202012Validator(schema).iter_errors(found), None)
    if error is None:
        return ""
    return f"{error.json_path} {_WRONG[error.validator](error.validator_value, error.instance)}"


def _lacking(required: Sequence[str], found: Mapping[str, object]) -> str:
    return f"lacks {', '.join(name for name in required if name not in found)}"


def _alternatives(allowed: object) -> str:
    return " or ".join(allowed) if isinstance(allowed, list) else str(allowed)


# By the word of the schema that is broken; these are all that our schemas use.
_WRONG: dict[str, Callable[[Any, Any], str]] = {
    "required": _lacking,
    "type": lambda allowed, _: f"has to be of type {_alternatives(allowed)}",
    "enum": lambda allowed, _: f"has to be one of {', '.join(allowed)}",
    "minItems": lambda *_: "is an empty list",
    "pattern": lambda *_: "is blank",
}
