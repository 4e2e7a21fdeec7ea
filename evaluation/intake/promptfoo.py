"""Test files of promptfoo: ``vars`` with assertions (JSON), or a CSV whose ``__expected`` columns are assertions.

A test file has no prompt template, so one variable has to be the prompt. Of the assertions those that name an accepted
text become references; the others (scripts, rubrics) cannot be checked without promptfoo and stay in ``meta``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from evaluation.intake.fields import NativeRow
from evaluation.intake.formats import FileFormat, Row

EXPECTED = "__expected"
_METADATA = "__metadata:"
_PROMPT_WORDS = ("prompt", "question", "query", "input", "message", "text")
_ONE_TEXT = frozenset({"equals", "iequals", "contains", "icontains", "similar", "levenshtein", "factuality"})
_ANY_TEXT = frozenset({"contains-any", "icontains-any"})
_TYPED = re.compile(r"(?P<type>[a-z][a-z-]*)(?:\([^)]*\))?\s*:\s*(?P<value>.*)", re.DOTALL)
_SCRIPTS = frozenset({"fn", "eval", "grade", "file"})
_NAMES = {"prompt": "vars", "reference": "assert", "references": "assert"}


class Assertion(NamedTuple):
    type: str
    value: object


def is_test(values: Mapping[str, object], format_: FileFormat) -> bool:
    if format_ is FileFormat.CSV:
        return any(column.startswith(EXPECTED) for column in values)
    return isinstance(values.get("vars"), dict) and "prompt" not in values


def native_test(row: Row, number: int, mapping: Mapping[str, str]) -> NativeRow:
    """The test as an example; ``number`` (from 1) makes the id where it has none."""
    if row.format is FileFormat.CSV:
        return _native(row, number, _csv_variables(row), _csv_assertions(row), _csv_metadata(row), mapping)
    variables = row.values["vars"]
    assertions = row.values.get("assert")
    metadata = row.values.get("metadata")
    return _native(
        row,
        number,
        variables if isinstance(variables, dict) else {},
        _json_assertions(assertions if isinstance(assertions, list) else []),
        metadata if isinstance(metadata, dict) else {},
        {},
    )


def _native(
    row: Row,
    number: int,
    variables: Mapping[str, object],
    assertions: list[Assertion],
    metadata: Mapping[str, object],
    mapping: Mapping[str, str],
) -> NativeRow:
    prompt = mapping.get("prompt") or prompt_variable(variables)
    accepted = _accepted(assertions)
    unchecked = [dict(one._asdict()) for one in assertions if one.type not in _ONE_TEXT | _ANY_TEXT]
    meta = {**metadata, **_described(row), **({"assert": unchecked} if unchecked else {})}
    values = {
        "id": _of(variables, mapping, "id") or f"test-{number}",
        "prompt": _wrapped(variables.get(prompt), row) if prompt else None,
        "reference": accepted[0] if accepted else None,
        "references": accepted if len(accepted) > 1 else None,
        "context": _of(variables, mapping, "context"),
        "group": _of(variables, mapping, "group") or metadata.get("category"),
        "choices": _of(variables, mapping, "choices"),
        "meta": meta,
    }
    return NativeRow(row.line, values, _NAMES if prompt is None else {**_NAMES, "prompt": prompt})


def _of(variables: Mapping[str, object], mapping: Mapping[str, str], field: str) -> object:
    return variables.get(mapping.get(field, field)) or None


def prompt_variable(variables: Iterable[str]) -> str | None:
    """The variable that is the prompt: one with a telling name, or the only one."""
    names = list(variables)
    told = next((word for word in _PROMPT_WORDS if word in names), None)
    return told or (names[0] if len(names) == 1 else None)


def _wrapped(prompt: object, row: Row) -> object:
    """CSV tests may put text before and after the prompt."""
    before, after = row.values.get("__prefix"), row.values.get("__suffix")
    return f"{before or ''}{prompt}{after or ''}" if isinstance(prompt, str) and (before or after) else prompt


def _described(row: Row) -> dict[str, object]:
    description = row.values.get("__description") or row.values.get("description")
    return {"description": description} if description else {}


def _accepted(assertions: list[Assertion]) -> list[str]:
    found: list[str] = []
    for one in assertions:
        values = one.value if isinstance(one.value, list) else [one.value]
        if one.type in _ONE_TEXT | _ANY_TEXT:
            found += [value if isinstance(value, str) else json.dumps(value) for value in values]
    return list(dict.fromkeys(found))


def _json_assertions(entries: list[object]) -> list[Assertion]:
    return [Assertion(str(entry.get("type")), entry.get("value")) for entry in entries if isinstance(entry, dict)]


def _csv_variables(row: Row) -> dict[str, object]:
    return {column: cell for column, cell in row.values.items() if not column.startswith("__")}


def _csv_metadata(row: Row) -> dict[str, object]:
    return {column.removeprefix(_METADATA): cell for column, cell in row.values.items() if column.startswith(_METADATA)}


def _csv_assertions(row: Row) -> list[Assertion]:
    cells = [str(cell) for column, cell in row.values.items() if column.startswith(EXPECTED) and str(cell).strip()]
    return [_read_assertion(cell.strip()) for cell in cells]


def _read_assertion(cell: str) -> Assertion:
    """``contains: Paris``, ``similar(0.8): Paris``; a bare text has to be equal."""
    match = _TYPED.fullmatch(cell)
    known = _ONE_TEXT | _ANY_TEXT | _SCRIPTS
    if match is None or not (match["type"] in known or "-" in match["type"] or match["type"] == "javascript"):
        return Assertion("equals", cell)
    if match["type"] in _ANY_TEXT:
        return Assertion(match["type"], [part.strip() for part in match["value"].split(",") if part.strip()])
    return Assertion(match["type"], match["value"].strip())
