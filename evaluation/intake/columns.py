"""Which column of a CSV file holds which field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_EMPTY: tuple[str, ...] = ()


class Role(StrEnum):
    """What a file is in an import."""

    ITEMS = "items"
    RECORDED = "recorded"
    MODELS = "models"
    PAIRS = "pairs"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldColumn:
    """A field and the column names by which it is recognised, its own first."""

    field: str
    label: str
    required: bool = False
    aliases: tuple[str, ...] = _EMPTY


FIELDS: dict[Role, tuple[FieldColumn, ...]] = {
    Role.ITEMS: (
        FieldColumn(field="id", label="Id", required=True, aliases=("item_id", "example_id", "key")),
        FieldColumn(field="prompt", label="Prompt", required=True, aliases=("question", "input", "text", "query")),
        FieldColumn(
            field="reference",
            label="Reference",
            aliases=("answer", "expected", "ideal", "label", "target", "expectedanswer", "expected_answer"),
        ),
        FieldColumn(field="references", label="Accepted answers", aliases=("answers", "key_facts", "facts")),
        FieldColumn(field="choices", label="Choices", aliases=("options", "labels")),
        FieldColumn(field="context", label="Context", aliases=("document", "passage", "source")),
        FieldColumn(field="group", label="Group", aliases=("category", "topic", "subject")),
        FieldColumn(field="schema", label="Schema of a JSON answer", aliases=("json_schema", "answer_schema")),
        FieldColumn(field="fields", label="Named values (JSON)", aliases=("named_values",)),
        FieldColumn(field="meta", label="Other facts (JSON)", aliases=("metadata",)),
    ),
    Role.RECORDED: (
        FieldColumn(field="item_id", label="Item id", required=True, aliases=("id", "example_id", "key")),
        FieldColumn(field="model", label="Model", required=True, aliases=("model_name", "system")),
        FieldColumn(
            field="text", label="Output", required=True, aliases=("output", "response", "completion", "answer")
        ),
        FieldColumn(field="predicted", label="Parsed answer", aliases=("prediction", "parsed")),
        FieldColumn(field="correct", label="Right or wrong", aliases=("is_correct", "right")),
        FieldColumn(field="prompt_tokens", label="Prompt tokens", aliases=("input_tokens", "tokens_in")),
        FieldColumn(field="completion_tokens", label="Completion tokens", aliases=("output_tokens", "tokens_out")),
        FieldColumn(field="latency_s", label="Latency in seconds", aliases=("latency", "seconds")),
    ),
    Role.MODELS: (
        FieldColumn(field="model", label="Model", required=True, aliases=("name", "id")),
        FieldColumn(field="price_in_per_mtok", label="Price in", aliases=("price_in", "input_price")),
        FieldColumn(field="price_out_per_mtok", label="Price out", aliases=("price_out", "output_price")),
        FieldColumn(field="price_source", label="Source of the price", aliases=("source",)),
    ),
    Role.PAIRS: (
        FieldColumn(field="id", label="Id", required=True, aliases=("item_id", "pair_id", "key")),
        FieldColumn(field="prompt", label="Prompt", required=True, aliases=("question", "input", "query")),
        FieldColumn(field="first", label="First answer", aliases=("first_text", "answer_a", "response_a")),
        FieldColumn(field="second", label="Second answer", aliases=("second_text", "answer_b", "response_b")),
        FieldColumn(field="reference", label="Reference", aliases=("expected", "ideal", "target")),
        FieldColumn(field="context", label="Context", aliases=("document", "passage", "evidence")),
        FieldColumn(field="group", label="Group", aliases=("category", "topic")),
        FieldColumn(field="meta", label="Other facts (JSON)", aliases=("metadata",)),
        FieldColumn(field="human_pairwise", label="Votes (JSON)", aliases=("votes",)),
    ),
}


def suggest_mapping(role: Role, columns: Iterable[str]) -> dict[str, str]:
    """Field to column, for the fields whose column the header names by a known word. A column serves one field."""
    free = {column.casefold().replace(" ", "_"): column for column in columns}
    chosen: dict[str, str] = {}
    for take_aliases in (False, True):
        for known in FIELDS[role]:
            words = known.aliases if take_aliases else (known.field,)
            word = next((word for word in words if word in free), None)
            if word is not None and known.field not in chosen:
                chosen[known.field] = free.pop(word)
    return chosen


def missing_fields(role: Role, mapping: Mapping[str, str]) -> list[FieldColumn]:
    return [known for known in FIELDS[role] if known.required and known.field not in mapping]


def unknown_fields(role: Role, mapping: Mapping[str, str]) -> list[str]:
    known = {column.field for column in FIELDS[role]}
    return [field for field in mapping if field not in known]
