"""Rows of a CSV file by column name: the separator is a comma, a semicolon or a tab."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from evaluation.intake.files import Intake, SourceFile, UnreadableFile
from evaluation.intake.formats import FileFormat, Row

_DELIMITERS = ",;\t"


def read_csv(lines: Iterator[tuple[int, str]], source: SourceFile, intake: Intake) -> Iterator[Row]:
    """Rows by column name. The first line that is not blank is the header."""
    csv.field_size_limit(intake.limits.line_bytes)
    tracker = _CsvLines(lines, intake.limits.line_bytes)
    first_line, first_text = next(lines)
    tracker.put_back(first_line, first_text)
    reader = csv.reader(tracker, delimiter=_delimiter(first_text), strict=True)
    header: list[str] | None = None
    while not intake.problems.is_full:
        start = tracker.begin_row()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise UnreadableFile(start, f"the row is not CSV ({error}); check its quotes") from error
        if cells is None:
            return
        if not any(cells):
            continue
        if header is None:
            header = _read_header(cells, start)
            if not _has_mapped_columns(header, start, source, intake):
                return
        elif (values := _cells_by_column(header, cells, start, source, intake)) is not None:
            yield Row(start, values, FileFormat.CSV)


class _CsvLines:
    """Feeds the CSV reader, knows where a row begins, and stops a quotation that never ends."""

    def __init__(self, lines: Iterator[tuple[int, str]], row_chars: int) -> None:
        self._lines = lines
        self._row_chars = row_chars
        self._waiting: list[tuple[int, str]] = []
        self._first: int | None = None
        self._last = 0
        self._size = 0

    def put_back(self, number: int, text: str) -> None:
        self._waiting.append((number, text))
        self._last = number - 1

    def begin_row(self) -> int:
        """The line on which the next row begins, if no blank line stands before it."""
        self._size = 0
        return self._last + 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, text = self._waiting.pop() if self._waiting else next(self._lines)
        self._last = number
        self._size += len(text)
        if self._size > self._row_chars:
            raise UnreadableFile(number, "a quotation does not end; close it with a double quote")
        return text


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _read_header(cells: list[str], line: int) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnreadableFile(line, f"the header names a column twice: {', '.join(twice)}; give each its own name")
    return names


def _has_mapped_columns(header: list[str], line: int, source: SourceFile, intake: Intake) -> bool:
    missing = {field: column for field, column in source.mapping.items() if column not in header}
    for field, column in missing.items():
        message = f"there is no column “{column}”; choose one of {', '.join(header)}"
        intake.report(source, line, message, field=field)
    return not missing


def _cells_by_column(
    header: list[str], cells: list[str], line: int, source: SourceFile, intake: Intake
) -> dict[str, object] | None:
    if len(cells) != len(header):
        message = f"the row has {len(cells)} cells, the header has {len(header)}; quote cells that hold the separator"
        intake.report(source, line, message)
        return None
    for column, cell in zip(header, cells, strict=True):
        if "\x00" in cell:
            intake.report(source, line, "the text holds a NUL character; remove it", field=column)
            return None
    return dict(zip(header, cells, strict=True))
