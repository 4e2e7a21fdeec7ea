"""Files that cannot be read, or not to their end: encoding, packing, size."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest

from evaluation.intake.limits import DEFAULT_LIMITS
from tests.unit.evaluation.intake.intake_files import ITEM, OUTPUT, check, lines_of, source


def test_wrong_encoding_is_named_with_its_line(tmp_path):
    latin = lines_of(ITEM) + '{"id": "b", "prompt": "café"}\n'.encode("latin-1") + lines_of({"id": "c"})
    _, problems = check(source(tmp_path, "items.jsonl", latin))

    assert [(one.line, one.field) for one in problems] == [(2, ""), (3, "prompt")]
    assert "byte 27 of the line (0xE9) is not UTF-8; save the file as UTF-8" in problems[0].message


@pytest.mark.parametrize(
    ("name", "content", "line", "words"),
    [
        ("items.jsonl", json.dumps(ITEM).encode("utf-16"), 1, "UTF-16"),
        ("items.jsonl", b"PK\x03\x04rest", 1, "zip archive"),
        ("items.jsonl.gz", gzip.compress(lines_of(ITEM), mtime=0), 1, "packed twice"),
        ("items.jsonl", b"\x1f\x8b not gzip at all", 1, "damaged or cut off"),
        ("items.jsonl", b"", 0, "the file is empty"),
        ("items.jsonl.gz", b"\n \n", 0, "the file is empty"),
        ("items.csv", b"id,prompt\n", 0, "the file has no rows"),
        ("items.json", b"[]", 0, "the file has no rows"),
        ("items.json", b'{"rows": 1,\n"more": 2}', 1, "this JSON is no list of rows"),
        ("items.json", b'[{"id": "a", "prompt": "x"}', 1, "does not end"),
        ("items.json", b'[{"id": "a",\n "prompt": "x"},\n{"id" "b"}]', 3, "this is not JSON"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, name, content, line, words):
    checked, problems = check(source(tmp_path, name, content))

    assert checked is None
    assert words in problems[-1].message
    assert problems[-1].line == line
    assert problems[-1].file == name


def test_a_file_that_was_cut_off_says_where(tmp_path):
    _, problems = check(source(tmp_path, "items.jsonl", gzip.compress(lines_of(ITEM) * 50)[:-20]))

    assert "damaged or cut off" in problems[-1].message
    assert 1 < problems[-1].line <= 50


def test_a_missing_file_is_a_problem(tmp_path):
    items = source(tmp_path, "items.jsonl", lines_of(ITEM))
    items.path.unlink()
    _, problems = check(items)

    assert "cannot be read: No such file" in problems[0].message


def test_an_empty_file_of_outputs_is_a_problem(tmp_path):
    _, problems = check(
        source(tmp_path, "items.jsonl", lines_of(ITEM)), source(tmp_path, "outputs.csv", b"item_id,model,text\n")
    )

    assert [(one.file, one.line) for one in problems] == [("outputs.csv", 0)]
    assert "no rows" in problems[0].message


def test_a_zip_bomb_is_stopped_early(tmp_path):
    bomb = source(tmp_path, "items.jsonl.gz", lines_of(ITEM) + (b" " * 1_000 + b"\n") * 16_000)
    assert bomb.path.stat().st_size < 40_000
    _, problems = check(bomb)

    assert "unpacks to more than 200 times its size, as a zip bomb does" in problems[0].message
    assert problems[0].line < 8_000


def test_text_over_the_limit_is_refused(tmp_path):
    limits = replace(DEFAULT_LIMITS, text_bytes=1024 * 1024)
    _, problems = check(source(tmp_path, "items.jsonl", lines_of(ITEM) + (b" " * 1_000 + b"\n") * 3_000), limits=limits)

    assert problems[0].message == "the text is larger than 1 MB; split the file"


def test_a_line_over_the_limit_is_refused(tmp_path):
    limits = replace(DEFAULT_LIMITS, line_bytes=1_000)
    _, problems = check(source(tmp_path, "items.jsonl", lines_of(ITEM, ITEM | {"prompt": "x" * 1_000})), limits=limits)

    assert [(one.line, one.message) for one in problems] == [(2, "the line is longer than 1,000 bytes; shorten it")]


def test_more_items_than_the_limit_are_refused(tmp_path):
    rows = [ITEM | {"id": str(number)} for number in range(5)]
    limits = replace(DEFAULT_LIMITS, items=3)
    _, problems = check(source(tmp_path, "items.jsonl", lines_of(*rows)), limits=limits)

    assert [(one.line, one.message) for one in problems] == [(4, "there are more than 3 items; split the file")]


def test_more_models_than_the_limit_are_refused(tmp_path):
    rows = [OUTPUT | {"model": f"m{number}"} for number in range(5)]
    limits = replace(DEFAULT_LIMITS, models=3)
    items = source(tmp_path, "items.jsonl", lines_of(ITEM))
    _, problems = check(items, source(tmp_path, "outputs.jsonl", lines_of(*rows)), limits=limits)

    assert [(one.line, one.message) for one in problems] == [(4, "there are more than 3 models; split the file")]
