"""Rows of JSON Lines and of a JSON list."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterator
from itertools import chain

from evaluation.intake.files import Intake, SourceFile, UnreadableFile
from evaluation.intake.formats import TESTS, FileFormat, Row

# A NUL cannot be stored by PostgreSQL, half a surrogate pair by nothing.
_SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")

NumberParser = Callable[[str], object]
_INFINITE = (math.inf, -math.inf)


def read_jsonl(
    lines: Iterator[tuple[int, str]], source: SourceFile, intake: Intake, parse_number: NumberParser
) -> Iterator[Row]:
    parser = _JsonParser(parse_number)
    for number, text in lines:
        if intake.problems.is_full:
            return
        if text.isspace():
            continue
        try:
            loaded = parser.decode(text)
        except ValueError as error:
            intake.report(source, number, f"this is not JSON ({_reason(error)}); write one JSON object on each line")
            continue
        except RecursionError:
            intake.report(source, number, "the JSON is nested too deeply; flatten it")
            continue
        values = _storable_object(loaded, parser, number, source, intake, suspect=_is_suspect(text))
        if values is not None:
            yield Row(number, values, FileFormat.JSONL)


def _is_suspect(text: str) -> bool:
    # Few lines hold any escape of this form, and looking for two characters is much cheaper than the expression.
    return "\\u" in text and _SUSPECT.search(text) is not None


class _JsonParser:
    """A JSON decoder that notes whether it met a number that is none: NaN, Infinity, 1e999."""

    def __init__(self, parse_number: NumberParser) -> None:
        self._parse_number = parse_number
        self.met_non_finite = False
        self._decoder = json.JSONDecoder(parse_constant=self._constant, parse_float=self._number)

    def decode(self, text: str) -> object:
        self.met_non_finite = False
        return self._decoder.decode(text)

    def decode_at(self, text: str, start: int) -> tuple[object, int]:
        self.met_non_finite = False
        return self._decoder.raw_decode(text, start)

    def _constant(self, text: str) -> float:
        self.met_non_finite = True
        return float(text)

    def _number(self, text: str) -> object:
        value = self._parse_number(text)
        if value in _INFINITE:
            self.met_non_finite = True
        return value


def _reason(error: ValueError) -> str:
    # Some of the decoder's messages end with the "at" that we write ourselves.
    return (
        f"{error.msg.removesuffix(' at')} at column {error.colno}"
        if isinstance(error, json.JSONDecodeError)
        else str(error)
    )


def _storable_object(
    loaded: object, parser: _JsonParser, line: int, source: SourceFile, intake: Intake, *, suspect: bool
) -> dict[str, object] | None:
    if not isinstance(loaded, dict):
        intake.report(source, line, "this is not a JSON object; write each row as {…} with named fields")
        return None
    if not (suspect or parser.met_non_finite):
        return loaded
    wrong = [(field, what) for field, value in loaded.items() if (what := _unstorable(value))]
    for field, what in wrong:
        intake.report(source, line, what, field=field)
    return None if wrong else loaded


def _unstorable(value: object) -> str:
    """What in the value no database can hold, and what to do; empty if nothing."""
    if isinstance(value, str):
        return _unstorable_text(value)
    if isinstance(value, dict):
        return next(filter(None, map(_unstorable, chain(value.keys(), value.values()))), "")
    if isinstance(value, list):
        return next(filter(None, map(_unstorable, value)), "")
    if isinstance(value, float) and not math.isfinite(value):
        return "the number is not finite; write a finite number, or null if it is unknown"
    return ""


def _unstorable_text(text: str) -> str:
    if "\x00" in text:
        return "the text holds a NUL character (\\u0000); remove it"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "the text holds half of a surrogate pair (\\ud800 to \\udfff); replace it"
    return ""


def read_json_list(
    lines: Iterator[tuple[int, str]], source: SourceFile, intake: Intake, parse_number: NumberParser
) -> Iterator[Row]:
    """The objects of a JSON list, or of the list ``tests`` of a JSON object, with the line each begins on."""
    first, text = _whole_text(lines, intake)
    opening = TESTS.match(text)
    position = opening.end() if opening else text.find("[") + 1
    if not position or (not opening and not text.lstrip().startswith("[")):
        raise UnreadableFile(first, 'this JSON is no list of rows; write [{…}, {…}], {"tests": [{…}]}, or JSON Lines')
    parser, counted, line = _JsonParser(parse_number), 0, first
    while (position := _skip(text, position)) < len(text) and text[position] != "]":
        line += text.count("\n", counted, position)
        counted = position
        try:
            loaded, position = parser.decode_at(text, position)
        except (ValueError, RecursionError) as error:
            reason = "too deeply nested" if isinstance(error, RecursionError) else str(error)
            raise UnreadableFile(line, f"this is not JSON ({reason}); check commas and quotes") from error
        values = _storable_object(loaded, parser, line, source, intake, suspect=True)
        if intake.problems.is_full:
            return
        if values is not None:
            yield Row(line, values, FileFormat.JSON)
    if position >= len(text):
        raise UnreadableFile(line, "the JSON list does not end; close it with ]")


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n,":
        position += 1
    return position


def _whole_text(lines: Iterator[tuple[int, str]], intake: Intake) -> tuple[int, str]:
    parts = io.StringIO()
    first = 0
    for number, text in lines:
        first = first or number
        parts.write(text)
        if parts.tell() > intake.limits.document_bytes:
            raise UnreadableFile(number, "a JSON document this large cannot be streamed; send JSON Lines instead")
    return first, parts.getvalue()
