"""The first rows of a file as they stand there, so that a person can see what was sent and name its columns."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import islice

from evaluation.intake import promptfoo
from evaluation.intake.columns import FIELDS, FieldColumn, Role, suggest_mapping
from evaluation.intake.files import Intake, SourceFile
from evaluation.intake.formats import FileFormat, Row
from evaluation.intake.limits import DEFAULT_LIMITS
from evaluation.intake.problems import Problem, ProblemList
from evaluation.intake.rows import read_rows

_ROWS = 5
_COLUMNS_SHOWN = 12
_CELL_CHARS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePreview:
    """The start of one file. ``rows`` are texts under ``shown_columns``; ``mapping`` is what the header suggests.

    ``fields`` are those that need a column, none but for CSV. ``problems`` are of the first rows alone.
    """

    role: Role
    name: str
    size_bytes: int
    format: FileFormat | None
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    fields: tuple[FieldColumn, ...]
    mapping: dict[str, str]
    problems: tuple[Problem, ...]

    @property
    def shown_columns(self) -> tuple[str, ...]:
        return self.columns[:_COLUMNS_SHOWN]

    @property
    def hidden_count(self) -> int:
        return len(self.columns) - len(self.shown_columns)


def preview_file(source: SourceFile, role: Role) -> FilePreview:
    intake = Intake(limits=DEFAULT_LIMITS, problems=ProblemList(DEFAULT_LIMITS.problems))
    rows = list(islice(read_rows(source, intake), _ROWS))
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    return FilePreview(
        role=role,
        name=source.name,
        size_bytes=source.path.stat().st_size if source.path.is_file() else 0,
        format=rows[0].format if rows else None,
        columns=tuple(names),
        rows=tuple(tuple(_cell(row.values.get(name)) for name in names[:_COLUMNS_SHOWN]) for row in rows),
        fields=_fields_to_map(role, rows),
        mapping=suggest_mapping(role, names) if rows and rows[0].format is FileFormat.CSV else {},
        problems=tuple(intake.problems),
    )


def _fields_to_map(role: Role, rows: list[Row]) -> tuple[FieldColumn, ...]:
    if not rows or rows[0].format is not FileFormat.CSV:
        return ()
    if role is Role.ITEMS and promptfoo.is_test(rows[0].values, FileFormat.CSV):
        # Tests have assertions for references and may go without an id.
        known = (field for field in FIELDS[role] if field.field in {"id", "prompt", "context", "group", "choices"})
        return tuple(replace(field, required=False) for field in known)
    return FIELDS[role]


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    words = " ".join(text[: _CELL_CHARS * 4].split())
    return words if len(words) <= _CELL_CHARS else f"{words[: _CELL_CHARS - 1]}…"
