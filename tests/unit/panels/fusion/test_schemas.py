from __future__ import annotations

import json

import pytest

from panels.fusion.schemas import BadSchema, schema_problem, violation

INVOICE = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}


def _problem(schema: object) -> str:
    return schema_problem(json.dumps(schema))


@pytest.mark.parametrize(
    "schema",
    [
        {},
        INVOICE,
        {"type": ["object", "null"]},
        {"properties": {"child": {"$ref": "#"}}},
        {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "integer"}}},
        {"properties": {"a": {"$ref": "#x"}}, "$defs": {"x": {"$anchor": "x", "type": "integer"}}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"m": {"type": "integer"}}},
        {"$id": "https://example.com/a", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": True}},
        {"properties": {"$ref": {"type": "string"}}, "allOf": [{"required": ["$ref"]}]},
    ],
)
def test_a_schema_that_can_be_used(schema: object) -> None:
    assert _problem(schema) == ""


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ([], "not a JSON object"),
        ({"type": "array"}, 'write "type": "object"'),
        ({"type": ["string", "null"]}, 'write "type": "object"'),
        ({"required": "total"}, "wrong at $.required: 'total' is not of type 'array'"),
        ({"properties": {"a": {"pattern": "("}}}, "wrong at $.properties.a.pattern"),
        ({"$schema": "https://example.com/mine"}, "language “https://example.com/mine” is not known"),
        ({"$schema": 7}, "language “7” is not known"),
        ({"properties": {"a": {"$ref": "https://example.com/a.json"}}}, "refers to “https://example.com/a.json”; copy"),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}}, "refers to “#/$defs/x”, which it does not have"),
        ({"title": "t", "properties": {"a": {"$ref": "#/title"}}}, "wrong at $"),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"$ref": "#/$defs/x"}}}, "without end"),
        ({"allOf": [{"$ref": "#"}]}, "without end"),
        ({"required": ["x" * 300, "x" * 300]}, "…; correct it"),
    ],
)
def test_a_schema_that_cannot_be_used_is_told_why(schema: object, words: str) -> None:
    assert words in _problem(schema)


def test_a_schema_that_is_no_json_is_told_so() -> None:
    assert "not a JSON object" in schema_problem('{"type": "object",}')


def test_a_violation_names_the_place() -> None:
    schema = json.dumps(INVOICE)

    assert violation({"total": 12.5}, schema=schema) == ""
    assert violation({"total": "12"}, schema=schema) == "$.total: '12' is not of type 'number'"
    assert violation({}, schema=schema) == "$: 'total' is a required property"
    assert len(violation({"total": "x" * 1000}, schema=schema)) < 250


def test_no_schema_is_satisfied_by_anything() -> None:
    assert violation({"anything": None}, schema="") == ""


def test_an_unusable_schema_is_no_verdict() -> None:
    with pytest.raises(BadSchema):
        violation({}, schema='{"type": "array"}')


def test_a_value_nested_beyond_checking_violates() -> None:
    value: dict[str, object] = {}
    for _ in range(400):
        value = {"child": value}

    assert "nested too deeply" in violation(value, schema='{"properties": {"child": {"$ref": "#"}}}')
