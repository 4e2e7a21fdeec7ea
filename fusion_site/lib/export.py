"""Rows as a download, CSV or JSON lines, streamed so that a long list needs no memory."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson; charset=utf-8"}
# A spreadsheet runs a cell that starts with one of these as a formula; texts of models and datasets are not ours.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_ROWS_AT_ONCE = 500


def export_response(
    request: HttpRequest, rows: Iterable[Mapping[str, Any]], *, kind: str, name: str, columns: Iterable[str]
) -> StreamingHttpResponse:
    """``name.csv`` or ``name.jsonl`` with one line a row; ``kind`` is a key of CONTENT_TYPES."""
    lines = _csv_lines(rows, list(columns)) if kind == "csv" else _json_lines(rows)
    chunks = _chunks(lines)
    # A server that speaks ASGI would read a plain iterator to its end before it sends the first byte.
    content = _pulled(chunks) if isinstance(request, ASGIRequest) else chunks
    response = StreamingHttpResponse(content, content_type=CONTENT_TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


class _Line:
    """A file for the csv writer whose ``write`` gives the line back."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(rows: Iterable[Mapping[str, Any]], columns: list[str]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([_cell(row.get(column)) for column in columns])


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)


def _chunks(lines: Iterator[str]) -> Iterator[bytes]:
    while some := list(islice(lines, _ROWS_AT_ONCE)):
        yield "".join(some).encode()


async def _pulled(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while chunk := await sync_to_async(_next)(chunks):
        yield chunk


def _next(chunks: Iterator[bytes]) -> bytes | None:
    """StopIteration cannot leave a thread."""
    return next(chunks, None)
