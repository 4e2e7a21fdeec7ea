from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from panels.fusion.quick_check import surely_satisfies
from panels.fusion.strategies.synthesis import synthesis_schema
from panels.fusion.strategies.verification import verification_schema

TYPES = ["object", "array", "string", "boolean", "number", "null", "integer"]
NAMES = st.sampled_from(["a", "b"])
scalars = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.floats(0, 2), st.sampled_from(["", "a", " b "]))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2), max_leaves=6
)


def words(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
            "properties": st.dictionaries(NAMES, inner, max_size=2),
            "items": inner,
            "required": st.lists(NAMES, max_size=2, unique=True),
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "pattern": st.sampled_from([r"\S", "^a"]),
            "enum": st.lists(scalars, min_size=1, max_size=3),
        },
    )


schemas = words(st.recursive(st.just({}), words, max_leaves=4))


@given(value=values, schema=schemas)
def test_what_passes_satisfies_the_schema(value: object, schema: dict[str, Any]) -> None:
    if surely_satisfies(value, schema):
        assert Draft202012Validator(schema).is_valid(value)


STANCE = {"type": "string", "enum": ["supports", "silent"]}
FORM = {
    "type": "object",
    "properties": {
        "claims": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "properties": {"stance": STANCE}, "required": ["stance"]},
        },
        "answer": {"type": ["string", "number", "boolean", "null"], "pattern": r"\S"},
    },
    "required": ["claims"],
}


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        ({"claims": [{"stance": "silent"}]}, True),
        ({"claims": [{"stance": "silent", "more": 1}], "answer": 3.5, "more": []}, True),
        ({"claims": [{"stance": "silent"}], "answer": None}, True),
        ({"claims": [{"stance": "silent"}], "answer": True}, True),
        ({"claims": [{"stance": "silent"}], "answer": " "}, False),
        ({"claims": [{"stance": "silent"}], "answer": []}, False),
        ({"claims": [{"stance": "loud"}]}, False),
        ({"claims": [{"stance": 1}]}, False),
        ({"claims": [{}]}, False),
        ({"claims": ["silent"]}, False),
        ({"claims": []}, False),
        ({"claims": {}}, False),
        ({"answer": "x"}, False),
        ([], False),
    ],
)
def test_the_words_that_arbiters_are_held_to_are_known(value: object, passes: bool) -> None:
    assert surely_satisfies(value, FORM) is passes
    assert Draft202012Validator(FORM).is_valid(value) is passes


def test_a_word_that_is_not_known_is_left_to_the_checker() -> None:
    assert not surely_satisfies(1, {"maximum": 3})
    assert not surely_satisfies(1, {"type": "integer"})


@pytest.mark.parametrize("schema", [synthesis_schema("AB"), verification_schema("AB")])
def test_the_forms_that_arbiters_are_asked_for_are_made_of_known_words(schema: Any) -> None:
    def words_of(node: Any) -> set[str]:
        inner = [*node.get("properties", {}).values(), *([node["items"]] if "items" in node else [])]
        return set(node) | {word for each in inner for word in words_of(each)}

    assert words_of(schema) <= {"type", "properties", "items", "required", "minItems", "pattern", "enum"}
