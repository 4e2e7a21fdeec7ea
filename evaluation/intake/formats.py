"""How a file is written, and what a row of it is."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import NamedTuple

TESTS = re.compile(r'^\s*\{\s*"tests"\s*:\s*\[')


class FileFormat(StrEnum):
    JSONL = "JSONL"
    JSON = "JSON"
    CSV = "CSV"


class Row(NamedTuple):
    """A row by field, or for CSV by column, and the line on which it begins. ``format`` says how it was written."""

    line: int
    values: dict[str, object]
    format: FileFormat


def sniff_format(name: str, first_line: str) -> FileFormat:
    """How the file is written, from its name and its first line that is not blank."""
    stem = name.lower().removesuffix(".gz")
    if stem.endswith((".csv", ".tsv")):
        return FileFormat.CSV
    start = first_line.lstrip()
    if start.startswith("[") or TESTS.match(start) or (stem.endswith(".json") and not _is_object(first_line)):
        return FileFormat.JSON
    return FileFormat.JSONL if start.startswith("{") or stem.endswith((".jsonl", ".ndjson")) else FileFormat.CSV


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
