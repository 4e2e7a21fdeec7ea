"""The fields of one row, each read with its check. A field that is wrong is reported and read as absent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import NamedTuple

from evaluation.intake.files import Intake, SourceFile
from panels.fusion.json_text import canonical_json

# What a PositiveIntegerField holds on every database.
MAX_INTEGER = 2_147_483_647
_TRUE = frozenset({"true", "1", "yes", "y", "t"})
_FALSE = frozenset({"false", "0", "no", "n", "f"})


class NativeRow(NamedTuple):
    """A row by our own field names; ``names`` says what the file calls them where that differs."""

    line: int
    values: Mapping[str, object]
    names: Mapping[str, str]


class RowFields:
    """Reads one row. ``ok`` turns false with the first field that is wrong."""

    __slots__ = ("_intake", "_row", "_source", "ok")

    def __init__(self, row: NativeRow, source: SourceFile, intake: Intake) -> None:
        self._row = row
        self._source = source
        self._intake = intake
        self.ok = True

    @property
    def line(self) -> int:
        return self._row.line

    def has(self, field: str) -> bool:
        return field in self._row.values

    def raw(self, field: str) -> object:
        return self._row.values.get(field)

    def refuse(self, field: str, message: str) -> None:
        self.ok = False
        self._intake.report(self._source, self._row.line, message, field=self._row.names.get(field, field))

    def text(self, field: str, *, objects: bool = False) -> str | None:
        """``objects``: a JSON object is taken too, as its canonical text."""
        value = self._row.values.get(field)
        if value is None or isinstance(value, str):
            return value
        text = _as_text(value, objects=objects)
        if text is None:
            self.refuse(field, "this is not text; write a text in quotes")
        return text

    def required_text(self, field: str, *, max_chars: int, what: str) -> str:
        """The text without surrounding blanks; empty after a refusal."""
        text = (self.text(field) or "").strip()
        if not text and self.ok:
            self.refuse(field, f"the {what} is missing; give every row one")
        return self._within(field, text, max_chars)

    def short_text(self, field: str, *, max_chars: int) -> str:
        return self._within(field, (self.text(field) or "").strip(), max_chars)

    def _within(self, field: str, text: str, max_chars: int) -> str:
        if len(text) <= max_chars:
            return text
        self.refuse(field, f"this is {len(text):,} characters long; shorten it to {max_chars}")
        return ""

    def texts(self, field: str, *, objects: bool = False) -> tuple[str, ...]:
        """A list of texts. In CSV a cell holds a JSON list, or texts with | between them."""
        value = self._row.values.get(field)
        if isinstance(value, str):
            value = self._split(field, value)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.refuse(field, 'this is not a list; write ["…", "…"]')
            return ()
        texts = [_as_text(entry, objects=objects) for entry in value]
        if None in texts:
            self.refuse(field, "the list holds something that is not text; write texts in quotes")
            return ()
        return tuple(text for text in texts if text is not None)

    def _split(self, field: str, cell: str) -> object:
        if cell.lstrip().startswith("["):
            return self._loaded(field, cell)
        return [part.strip() for part in cell.split("|") if part.strip()]

    def mapping(self, field: str) -> dict[str, object]:
        value = self._row.values.get(field)
        if isinstance(value, str):
            value = self._loaded(field, value)
        if value is None or isinstance(value, dict):
            return value or {}
        self.refuse(field, 'this is not an object; write {"name": value}')
        return {}

    def _loaded(self, field: str, cell: str) -> object:
        try:
            return json.loads(cell, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            self.refuse(field, "the cell is not JSON; check its quotes and brackets")
            return None

    def flag(self, field: str) -> bool | None:
        value = self._row.values.get(field)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in _TRUE | _FALSE:
            return word in _TRUE
        self.refuse(field, f"“{_shown(value)}” is neither true nor false; write true, false, or null if it is unknown")
        return None

    def count(self, field: str) -> int | None:
        """A whole number of at least 0."""
        value = self._row.values.get(field)
        if type(value) is int and 0 <= value <= MAX_INTEGER:
            return value
        number = self.number(field)
        if number is None:
            return None
        if number == int(number) and number <= MAX_INTEGER:
            return int(number)
        self.refuse(field, f"“{_shown(value)}” is not a whole number up to {MAX_INTEGER:,}; correct it")
        return None

    def number(self, field: str) -> float | None:
        """A finite number of at least 0."""
        value = self._row.values.get(field)
        if value is None or value == "":
            return None
        number = _as_float(value)
        if number is None:
            self.refuse(field, f"“{_shown(value)}” is not a number; write one, or null if it is unknown")
        elif not math.isfinite(number):
            self.refuse(field, "the number is not finite; write a finite number, or null if it is unknown")
        elif number < 0:
            self.refuse(field, f"{_shown(value)} is negative; write 0 or more, or null if it is unknown")
        else:
            return number
        return None


def _as_text(entry: object, *, objects: bool) -> str | None:
    if isinstance(entry, str):
        return entry
    if objects and isinstance(entry, dict):
        return written(entry) or None
    return json.dumps(entry) if isinstance(entry, bool | int | float) else None


def written(value: object) -> str:
    """Canonical JSON; empty for what is nested too deeply to be written."""
    try:
        return canonical_json(value)
    except RecursionError:
        return ""


def _as_float(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _refuse_constant(text: str) -> float:
    raise ValueError(text)
