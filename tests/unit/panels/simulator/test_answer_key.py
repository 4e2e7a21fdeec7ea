from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from panels.simulator.answer_key import BadAnswerKey, Fact, KeyItem, digest_user_messages, load_answer_key

CHOICE = {
    "id": "c1",
    "prompt": [{"role": "system", "content": "Sort."}, {"role": "user", "content": "No  signal"}],
    "reference": "outage",
    "choices": ["billing", "outage", "device"],
    "meta": {"distractors": ["device"]},
}
SHORT = {"id": "s1", "prompt": "How heavy?", "references": ["3.4 kg", "3.4"], "meta": {"distractors": ["2.9 kg"]}}
SUMMARY = {"id": "t1", "prompt": "A text.", "meta": {"facts": [{"sentence": "It rose.", "wrong": "It fell."}]}}


def write(path: Path, *rows: object) -> Path:
    text = "\n".join(json.dumps(row) for row in rows) + "\n\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_examples_are_found_by_the_words_of_the_user(tmp_path):
    key = load_answer_key(
        [write(tmp_path / "support.jsonl", CHOICE), write(tmp_path / "mixed.jsonl.gz", SHORT, SUMMARY)]
    )
    assert key[digest_user_messages([("system", "Anything else."), ("user", " No signal\n")])] == KeyItem(
        id="c1",
        topic="support",
        reference="outage",
        choices=("billing", "outage", "device"),
        wrong=("device", "billing"),
    )
    assert key[digest_user_messages([("user", "How heavy?")])] == KeyItem(
        id="s1", topic="mixed", reference="3.4 kg", wrong=("2.9 kg",)
    )
    facts = key[digest_user_messages([("user", "A text.")])].facts
    assert facts == (Fact(sentence="It rose.", wrong="It fell."),)


def test_an_answer_that_is_an_object_is_its_json_text(tmp_path):
    row = {"id": "j", "prompt": "Read.", "reference": {"city": "Zürich"}, "meta": {"distractors": [{"city": "Rome"}]}}
    (item,) = load_answer_key([write(tmp_path / "bills.jsonl", row)]).values()
    assert (item.reference, item.wrong) == ('{"city": "Zürich"}', ('{"city": "Rome"}',))


def test_of_equal_prompts_the_first_counts_and_one_without_answer_is_left_out(tmp_path):
    rows = [SHORT, {**SHORT, "id": "s2"}, {"id": "s3", "prompt": "Unanswered?"}]
    key = load_answer_key([write(tmp_path / "a.jsonl", *rows)])
    assert [item.id for item in key.values()] == ["s1"]


@pytest.mark.parametrize(
    "row", ["text", {"id": "x"}, {"prompt": "x"}, {"id": "x", "prompt": 3}, {**SHORT, "meta": "x"}]
)
def test_a_line_that_is_no_example_is_named(tmp_path, row):
    with pytest.raises(BadAnswerKey, match=r"a\.jsonl, line 2"):
        load_answer_key([write(tmp_path / "a.jsonl", SHORT, row)])
