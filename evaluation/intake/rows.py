"""Rows of a file, however it is written. What is wrong with a row is reported and the row left out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from evaluation.intake.csv_rows import read_csv
from evaluation.intake.files import Intake, SourceFile, UnreadableFile, read_lines
from evaluation.intake.formats import FileFormat, Row, sniff_format
from evaluation.intake.json_rows import NumberParser, read_json_list, read_jsonl


def read_rows(source: SourceFile, intake: Intake, *, parse_number: NumberParser = float) -> Iterator[Row]:
    """The file's rows. ``parse_number`` reads the numbers of JSON that have a point (Decimal for money)."""
    try:
        lines = read_lines(source, intake)
        first = next((line for line in lines if line[1].strip()), None)
        if first is None:
            if not any(problem.file == source.name for problem in intake.problems):
                intake.report(source, 0, "the file is empty; send one with at least one row")
            return
        yield from _rows_of(sniff_format(source.name, first[1]), chain([first], lines), source, intake, parse_number)
    except UnreadableFile as error:
        intake.report(source, error.line, error.message)


def _rows_of(
    format_: FileFormat,
    lines: Iterator[tuple[int, str]],
    source: SourceFile,
    intake: Intake,
    parse_number: NumberParser,
) -> Iterator[Row]:
    if format_ is FileFormat.CSV:
        return read_csv(lines, source, intake)
    if format_ is FileFormat.JSON:
        return read_json_list(lines, source, intake, parse_number)
    return read_jsonl(lines, source, intake, parse_number)
