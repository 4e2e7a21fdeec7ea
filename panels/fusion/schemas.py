"""The JSON schemas that answers have to satisfy. A schema travels as its text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from panels.fusion.json_text import JsonObject, read_object

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_MESSAGE_CHARS = 200
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class BadSchema(ValueError):
    """The schema cannot be used; the message says why and what to do."""


def schema_problem(schema: str) -> str:
    """Why the schema cannot be used, and what to do; empty if it can."""
    try:
        _validator(schema)
    except BadSchema as error:
        return str(error)
    return ""


def violation(value: object, *, schema: str) -> str:
    """Where and how the value breaks the schema, ``$.total: '12' is not of type 'integer'``; empty if it does not.

    An empty schema is satisfied by anything. Raises BadSchema.
    """
    if not schema:
        return ""
    try:
        error = next(iter(_validator(schema).iter_errors(value)), None)
    except RecursionError:
        return "$: it is nested too deeply to be checked"
    return "" if error is None else f"{error.json_path}: {_shortened(error.message)}"


@lru_cache(maxsize=128)
def _validator(schema: str) -> Any:
    """The compiled schema. Items of a dataset mostly share one; the bound is for those that do not."""
    loaded = read_object(schema)
    if loaded is None:
        raise BadSchema("the schema is not a JSON object; write a JSON schema, {…}")
    told = loaded.get("type", "object")
    if told != "object" and not (isinstance(told, list) and "object" in told):
        raise BadSchema('the schema does not describe an object; write "type": "object", with the fields as properties')
    try:
        return _compiled(loaded)
    except RecursionError:
        raise BadSchema("the schema refers to itself without end, or is nested too deeply; simplify it") from None


def _compiled(loaded: JsonObject) -> Any:
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for
    from referencing.exceptions import Unresolvable

    told = loaded.get("$schema", _DRAFT)
    checker = validator_for({"$schema": told}, default=None) if isinstance(told, str) else None
    if checker is None:
        raise BadSchema(f"the schema's language “{_shortened(str(told))}” is not known; write {_DRAFT}")
    try:
        _check(loaded, checker)
    except SchemaError as error:
        raise BadSchema(f"the schema is wrong at {error.json_path}: {_shortened(error.message)}; correct it") from None
    except Unresolvable as error:
        missing = f"#{_shortened(error.ref.removeprefix('#'))}"
        raise BadSchema(f"the schema refers to “{missing}”, which it does not have; correct it") from None
    return checker(loaded)


def _check(loaded: JsonObject, checker: Any) -> None:
    """The schema and whatever it refers to. Nothing is ever fetched, so a reference has to stay inside the schema."""
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    checker.check_schema(loaded)
    resolver = Registry().resolver_with_root(Resource.from_contents(loaded, default_specification=DRAFT202012))
    for reference in _references(loaded):
        if not reference.startswith("#"):
            raise BadSchema(f"the schema refers to “{_shortened(reference)}”; copy what it needs into its own $defs")
        checker.check_schema(resolver.lookup(reference).contents)
        # A reference that leads back to itself shows here, and not with the first answer.
        list(checker(loaded).evolve(schema={"$ref": reference}).iter_errors(None))


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in _REFERENCES and isinstance(value, str):
                yield value
            yield from _references(value)
    elif isinstance(node, list):
        for entry in node:
            yield from _references(entry)


def _shortened(text: str) -> str:
    return text if len(text) <= _MESSAGE_CHARS else f"{text[: _MESSAGE_CHARS - 1]}…"
