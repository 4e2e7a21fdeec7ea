"""Rows by our own field names, whichever of the known shapes the file has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evaluation.intake import openai_evals, promptfoo
from evaluation.intake.columns import Role, missing_fields, suggest_mapping, unknown_fields
from evaluation.intake.fields import NativeRow
from evaluation.intake.files import Intake, SourceFile
from evaluation.intake.formats import FileFormat, Row
from evaluation.intake.json_rows import NumberParser
from evaluation.intake.rows import read_rows

_NO_NAMES: dict[str, str] = {}
_MAY_BE_EMPTY = frozenset({"text", "first", "second"})


def read_native(
    source: SourceFile, role: Role, intake: Intake, *, parse_number: NumberParser = float
) -> Iterator[NativeRow]:
    """The file's rows. The shape is that of the first row; a CSV file without a mapping is mapped by its header."""
    rows = read_rows(source, intake, parse_number=parse_number)
    first = next(rows, None)
    if first is None:
        return
    if role is Role.ITEMS and promptfoo.is_test(first.values, first.format):
        yield from _tests(first, rows, source.mapping)
    elif role is Role.ITEMS and first.format is not FileFormat.CSV and openai_evals.is_sample(first.values):
        yield from _samples(first, rows)
    elif first.format is FileFormat.CSV:
        yield from _mapped(first, rows, source, role, intake)
    else:
        yield NativeRow(first.line, first.values, _NO_NAMES)
        for row in rows:
            yield NativeRow(row.line, row.values, _NO_NAMES)


def _tests(first: Row, rows: Iterator[Row], mapping: Mapping[str, str]) -> Iterator[NativeRow]:
    yield promptfoo.native_test(first, 1, mapping)
    for number, row in enumerate(rows, start=2):
        values = row.values if row.format is FileFormat.CSV else {"vars": None} | row.values
        yield promptfoo.native_test(row._replace(values=values), number, mapping)


def _samples(first: Row, rows: Iterator[Row]) -> Iterator[NativeRow]:
    yield openai_evals.native_sample(first, 1)
    for number, row in enumerate(rows, start=2):
        values = {"input": None, "ideal": None} | row.values
        yield openai_evals.native_sample(row._replace(values=values), number)


def _mapped(first: Row, rows: Iterator[Row], source: SourceFile, role: Role, intake: Intake) -> Iterator[NativeRow]:
    mapping = source.mapping or suggest_mapping(role, first.values)
    if not _is_usable(mapping, role, first, source, intake):
        return
    yield _by_field(first, mapping)
    for row in rows:
        yield _by_field(row, mapping)


def _is_usable(mapping: Mapping[str, str], role: Role, first: Row, source: SourceFile, intake: Intake) -> bool:
    columns = ", ".join(first.values)
    for field in unknown_fields(role, mapping):
        intake.report(source, 1, "there is no such field; remove it from the column mapping", field=field)
    for missing in missing_fields(role, mapping):
        message = f"no column holds it; name a column “{missing.field}” or choose one of {columns}"
        intake.report(source, 1, message, field=missing.field)
    return not unknown_fields(role, mapping) and not missing_fields(role, mapping)


def _by_field(row: Row, mapping: Mapping[str, str]) -> NativeRow:
    """An empty cell is an absent value, except for a model's text, which may be empty."""
    cells = {field: row.values[column] for field, column in mapping.items()}
    values = {field: cell if cell != "" or field in _MAY_BE_EMPTY else None for field, cell in cells.items()}
    return NativeRow(row.line, values, mapping)
