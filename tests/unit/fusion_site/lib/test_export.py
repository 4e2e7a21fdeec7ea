from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIRequest
from django.test import RequestFactory

from fusion_site.lib.export import export_response

ROWS: list[dict[str, Any]] = [
    {"a": "text, with a comma", "b": None, "c": True},
    {"a": 'quote " and\nline', "b": 1.5, "c": False},
]


def body_of(rows, kind: str, columns=("a", "b", "c")):
    response: Any = export_response(RequestFactory().get("/"), rows, kind=kind, name="things", columns=columns)
    return b"".join(response.streaming_content).decode()


def test_csv_holds_what_was_given():
    read = list(csv.DictReader(io.StringIO(body_of(ROWS, "csv"))))
    assert read == [
        {"a": "text, with a comma", "b": "", "c": "true"},
        {"a": 'quote " and\nline', "b": "1.5", "c": "false"},
    ]


def test_a_cell_of_parts_is_json():
    (row,) = csv.DictReader(io.StringIO(body_of([{"a": {"from": 1, "to": ["ä"]}}], "csv", ["a"])))
    assert json.loads(row["a"]) == {"from": 1, "to": ["ä"]}


def test_json_lines_hold_what_was_given():
    assert [json.loads(line) for line in body_of(ROWS, "jsonl").splitlines()] == ROWS


@pytest.mark.parametrize("formula", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1"])
def test_a_spreadsheet_runs_nothing_from_a_text(formula):
    (row,) = csv.DictReader(io.StringIO(body_of([{"a": formula}], "csv", ["a"])))
    assert row["a"] == f"'{formula}"
    assert json.loads(body_of([{"a": formula}], "jsonl")) == {"a": formula}


@pytest.mark.parametrize("number", ["-5", "+3.2", "-1e-6"])
def test_a_negative_number_stays_one(number):
    assert body_of([{"a": number}], "csv", ["a"]).splitlines()[1] == number


def test_no_rows_leave_the_heads():
    assert body_of([], "csv").strip() == "a,b,c"
    assert body_of([], "jsonl") == ""


def test_a_long_list_is_read_as_it_is_sent():
    read: list[int] = []

    def rows():
        for number in range(2_000):
            read.append(number)
            yield {"a": number}

    chunks = iter(export_response(RequestFactory().get("/"), rows(), kind="csv", name="x", columns=["a"]))
    next(chunks)
    assert 0 < len(read) < 1_000


def test_a_server_that_speaks_asgi_gets_the_same_bytes():
    request = ASGIRequest({"type": "http", "method": "GET", "path": "/", "headers": []}, io.BytesIO())

    async def collect() -> bytes:
        response: Any = export_response(request, ROWS * 400, kind="csv", name="things", columns=["a", "b", "c"])
        assert response.is_async
        return b"".join([chunk async for chunk in response.streaming_content])

    assert async_to_sync(collect)().decode() == body_of(ROWS * 400, "csv")


def test_the_file_has_a_name_and_a_type():
    response = export_response(RequestFactory().get("/"), [], kind="jsonl", name="things", columns=[])
    assert response["Content-Disposition"] == 'attachment; filename="things.jsonl"'
    assert response["Content-Type"] == "application/x-ndjson; charset=utf-8"
