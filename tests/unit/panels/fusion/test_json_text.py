from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.fusion.json_text import MAX_LEVELS, canonical_json, only_object, read_object

OBJECTS = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{}", {}),
        ('```json\n{"a": [1, {"b": 2}]}\n```', {"a": [1, {"b": 2}]}),
        ('Here is what I found:\n{"a": "}{"}\nHope it helps.', {"a": "}{"}),
        ('The set {x} and \\frac{1}{2}, as in [1]: {"a": 1}', {"a": 1}),
        ('<think>maybe {"a": 2}, or {"a": 3}</think>\n{"a": 1}', {"a": 1}),
        ('{"a": 3.0, "b": -0.0, "c": 1e2, "d": 0.5, "e": 1e20}', {"a": 3, "b": 0, "c": 100, "d": 0.5, "e": 1e20}),
    ],
)
def test_the_one_object_of_a_text(text: str, expected: dict[str, object]) -> None:
    found = only_object(text)

    assert found == expected
    assert canonical_json(found) == canonical_json(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no object at all",
        "[1, 2]",
        '{"a": 1} or {"a": 2}',
        '[{"a": 1}]',
        'Both: [{"a": 1}, {"a": 2}]',
        '{"a": {"b": 1}',  # cut off: what is inside is not the answer
        '{a: {"b": 1}}',
        "{'a': {\"b\": 1}}",
        '{{"a": 1}}',
        '[{"a": {"b": 1}}',
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 1}}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": 1' + "0" * 400 + "}",
        '{"a": 1' + "0" * 5000 + "}",
        '{"a": "\\ud800"}',
        '{"a": "one\ntwo"}',
        '{"a":' * 100_000,
        '{"a":' + "[" * MAX_LEVELS + "]" * MAX_LEVELS + "}",
    ],
)
def test_a_text_without_exactly_one_sound_object_has_none(text: str) -> None:
    assert only_object(text) is None


def test_nesting_is_taken_up_to_its_limit() -> None:
    levels = MAX_LEVELS - 1
    assert only_object('{"a":' + "[" * levels + "]" * levels + "}") is not None


@given(OBJECTS)
def test_an_object_is_found_again_however_it_is_written(value: dict[str, object]) -> None:
    canonical = canonical_json(only_object(json.dumps(value, indent=2)))

    assert canonical_json(read_object(canonical)) == canonical
    assert canonical_json(only_object(f"Sure.\n```json\n{json.dumps(value, ensure_ascii=False)}\n```\n")) == canonical
    assert json.loads(canonical) == value


@given(st.text("{}[]:,\"'1aN \n\\", max_size=40))
def test_no_text_is_too_odd_to_be_looked_at(text: str) -> None:
    found = only_object(text)

    assert found is None or isinstance(found, dict)


@pytest.mark.parametrize(
    "text", ["", "[]", "1", '{"a": 1} and more', '{"a": NaN}', '{"a":' * 100_000, '{"a": "\\udc00"}']
)
def test_a_whole_text_that_is_no_object_is_not_read(text: str) -> None:
    assert read_object(text) is None


def test_the_same_value_is_written_the_same() -> None:
    assert canonical_json({"b": 1, "ä": [True, None], "a": "é"}) == '{"a":"é","b":1,"ä":[true,null]}'
