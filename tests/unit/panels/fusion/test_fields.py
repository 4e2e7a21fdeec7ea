from __future__ import annotations

import json

import pytest

from panels.fusion.answers import dice
from panels.fusion.fields import FieldValue, equal_field, field_kind, field_value, same_field
from panels.fusion.json_text import canonical_json
from panels.fusion.types import AnswerKind, Question
from tests.unit.panels.fusion.fused import json_question

NOTHING = FieldValue()


def _value(value: object) -> FieldValue:
    return field_value({"f": value}, "f")


def _kind(node: object, *values: object, **root: object) -> AnswerKind:
    schema = json.dumps({"properties": {"f": node}, **root})
    return field_kind("f", schema=schema, values=[_value(value) for value in values])


def _same(left: object, right: object, kind: AnswerKind, *, tolerance: float = 1e-6) -> bool:
    return same_field(_value(left), _value(right), kind=kind, question=_asked(tolerance), similarity=dice)


def _asked(tolerance: float = 1e-6) -> Question:
    return json_question(tolerance=tolerance)


def test_a_field_that_is_left_out_is_not_one_that_is_null() -> None:
    assert field_value({}, "f") == NOTHING
    assert field_value({"f": None}, "f") == FieldValue(value=None, text="null")
    assert not same_field(NOTHING, _value(None), kind=AnswerKind.LABEL, question=_asked(), similarity=dice)


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        ({"enum": ["a", 1]}, AnswerKind.LABEL),
        ({"const": "a"}, AnswerKind.LABEL),
        ({"type": "boolean"}, AnswerKind.LABEL),
        ({"type": "array", "items": {"type": "number"}}, AnswerKind.LABEL),
        ({"type": ["object", "null"]}, AnswerKind.LABEL),
        ({"type": "number"}, AnswerKind.NUMBER),
        ({"type": ["integer", "null"]}, AnswerKind.NUMBER),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, AnswerKind.NUMBER),
        ({"oneOf": [{"type": "null"}, {"$ref": "#/$defs/a~1b"}]}, AnswerKind.LABEL),
        ({"allOf": [{"$ref": "#/$defs/money"}]}, AnswerKind.NUMBER),
        ({"type": "string", "format": "date"}, AnswerKind.LABEL),
        ({"type": "string", "pattern": "^[A-Z]+$"}, AnswerKind.LABEL),
        ({"type": "string", "maxLength": 200}, AnswerKind.SHORT),
        ({"type": "string", "maxLength": 201}, AnswerKind.TEXT),
    ],
)
def test_the_schema_tells_a_kind(node: object, kind: AnswerKind) -> None:
    defs = {"money": {"type": "number"}, "a/b": {"enum": ["x"]}}

    # The values say otherwise and are not asked.
    assert _kind(node, "a word", 1.5, **{"$defs": defs}) is kind


@pytest.mark.parametrize(
    "node",
    [
        {},
        True,
        {"type": "string"},
        {"type": ["string", "integer"]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "#/$defs/list/0"},
        {"$ref": "#/$defs/round"},
    ],
)
def test_else_the_values_do(node: object) -> None:
    defs = {"list": [{"type": "number"}], "round": {"$ref": "#/$defs/round"}}

    assert _kind(node, "Paris", None, "Rome", **{"$defs": defs}) is AnswerKind.SHORT


def test_the_kind_of_values() -> None:
    long = "a sentence that goes on for more than eight words"

    assert _kind({}, 1, 2.5, None) is AnswerKind.NUMBER
    assert _kind({}, True, 1) is AnswerKind.LABEL
    assert _kind({}, [1], "x") is AnswerKind.LABEL
    assert _kind({}, long, "Paris", long) is AnswerKind.TEXT
    assert _kind({}, long, "Paris") is AnswerKind.SHORT


@pytest.mark.parametrize("schema", ["", "{}", '{"properties": true}', '{"properties": {"g": {"type": "number"}}}'])
def test_a_field_that_the_schema_does_not_name_goes_by_its_values(schema: str) -> None:
    assert field_kind("f", schema=schema, values=[_value("Paris")]) is AnswerKind.SHORT


def test_the_properties_may_stand_behind_a_reference() -> None:
    schema = {"$ref": "#/$defs/Invoice", "$defs": {"Invoice": {"properties": {"f": {"type": "number"}}}}}

    assert field_kind("f", schema=json.dumps(schema), values=[]) is AnswerKind.NUMBER


def test_numbers_agree_within_the_tolerance() -> None:
    assert _same(1000.0005, 1000.0001, AnswerKind.NUMBER)
    assert not _same(1000.5, 1000.1, AnswerKind.NUMBER)
    assert _same(1000.5, 1000.1, AnswerKind.NUMBER, tolerance=0.01)
    assert _same(100, 100.00001, AnswerKind.NUMBER)


def test_whole_numbers_differ_in_their_last_digit_unless_a_tolerance_is_set() -> None:
    assert not _same(20_240_001, 20_240_002, AnswerKind.NUMBER)
    assert _same(20_240_001, 20_240_002, AnswerKind.NUMBER, tolerance=0.001)


def test_a_number_is_no_boolean_and_no_text() -> None:
    assert not _same(1, True, AnswerKind.NUMBER)
    assert not _same(1, "1", AnswerKind.NUMBER)
    assert not _same(1, "1", AnswerKind.SHORT)
    assert not _same(True, 1, AnswerKind.LABEL)


def test_short_texts_agree_as_short_answers_do() -> None:
    assert _same("The Baird Television company", "Baird Television", AnswerKind.SHORT)
    assert not _same("Paris", "Rome", AnswerKind.SHORT)
    assert not _same("The Baird Television company", "Baird Television", AnswerKind.LABEL)


def test_texts_agree_by_similarity() -> None:
    assert _same("storm closes harbour", "the storm closes a port", AnswerKind.TEXT)
    assert not _same("storm closes harbour", "cats purr", AnswerKind.TEXT)


@pytest.mark.parametrize(("left", "right"), [("12.5", "125"), ("2024-01-02", "2024 0102"), ("", "-"), ("7", "seven")])
def test_texts_without_letters_agree_as_they_are_written(left: str, right: str) -> None:
    assert not _same(left, right, AnswerKind.SHORT)
    assert not _same(right, left, AnswerKind.SHORT)
    assert _same(left, left, AnswerKind.SHORT)


def test_lists_and_objects_agree_if_their_json_is_the_same() -> None:
    assert _same({"b": 1, "a": [2]}, {"a": [2], "b": 1}, AnswerKind.LABEL)
    assert not _same([1, 2], [2, 1], AnswerKind.LABEL)


def test_equal_is_narrower_than_agreeing() -> None:
    question = _asked()
    company, short = _value("The Baird Television company"), _value("Baird Television")

    assert not equal_field(company, short, kind=AnswerKind.SHORT, question=question)
    assert equal_field(company, _value("baird television company!"), kind=AnswerKind.TEXT, question=question)
    assert equal_field(_value(1.5), _value(1.5000001), kind=AnswerKind.NUMBER, question=question)
    assert canonical_json(company.value) == company.text
