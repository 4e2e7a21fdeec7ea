from __future__ import annotations

import json

import pytest

from evaluation.intake.checking import ReadingChoices
from panels.fusion.types import AnswerKind
from tests.unit.evaluation.intake.intake_files import ITEM, OUTPUT, check, lines_of, source

CHAT = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize(
    ("rows", "line", "field", "words"),
    [
        pytest.param([ITEM, '{"id": "b", '], 2, "", "this is not JSON", id="bad JSON"),
        pytest.param([ITEM, "[1, 2]"], 2, "", "this is not a JSON object", id="not an object"),
        pytest.param(["[" * 100_000], 1, "", "too deeply nested", id="nested too deeply in a list"),
        pytest.param([ITEM, '{"id":' + "[" * 100_000], 2, "", "nested too deeply", id="nested too deeply"),
        pytest.param([{"prompt": "Hello"}], 1, "id", "the id is missing", id="missing id"),
        pytest.param([ITEM | {"id": "  "}], 1, "id", "the id is missing", id="blank id"),
        pytest.param([ITEM | {"id": ["a"]}], 1, "id", "not text", id="id is a list"),
        pytest.param([ITEM | {"id": "x" * 201}], 1, "id", "201 characters", id="long id"),
        pytest.param([ITEM, ITEM], 2, "id", "already the id of line 1", id="duplicate id"),
        pytest.param([ITEM | {"id": 7}, ITEM | {"id": "7"}], 2, "id", "already the id of line 1", id="7 is “7”"),
        pytest.param([{"id": "a"}], 1, "prompt", "the prompt is missing", id="missing prompt"),
        pytest.param([ITEM | {"prompt": "  \n"}], 1, "prompt", "the prompt is empty", id="empty prompt"),
        pytest.param([ITEM | {"prompt": []}], 1, "prompt", "the prompt is missing", id="no message"),
        pytest.param([ITEM | {"prompt": 5}], 1, "prompt", "neither text nor messages", id="prompt is a number"),
        pytest.param([ITEM | {"prompt": ["Hi"]}], 1, "prompt", "a message is not an object", id="message is text"),
        pytest.param(
            [ITEM | {"prompt": [*CHAT, {"role": "assistant", "content": "Hi"}]}],
            1,
            "prompt",
            "the last message is from assistant",
            id="last message not from user",
        ),
        pytest.param(
            [ITEM | {"prompt": [{"role": "tool", "content": "Hi"}]}], 1, "prompt", "the role “tool”", id="unknown role"
        ),
        pytest.param(
            [ITEM | {"prompt": [{"role": "user", "content": [{"type": "image_url"}]}]}],
            1,
            "prompt",
            "only text can be sent",
            id="image",
        ),
        pytest.param(
            [ITEM | {"reference": "C"}], 1, "reference", "“C” is not one of the choices (A, B)", id="reference"
        ),
        pytest.param([ITEM | {"references": ["A", "D"]}], 1, "references", "“D” is not one of", id="references"),
        pytest.param([ITEM | {"choices": ["A", "A"]}], 1, "choices", "stands there twice", id="choice twice"),
        pytest.param([ITEM | {"choices": ["A", " "]}], 1, "choices", "a choice is empty", id="empty choice"),
        pytest.param([ITEM | {"choices": {"A": 1}}], 1, "choices", "this is not a list", id="choices no list"),
        pytest.param([ITEM | {"choices": ["B", None]}], 1, "choices", "not text", id="choice is null"),
        pytest.param([ITEM, {"id": "b", "prompt": "x"}], 2, "choices", "other items have them", id="choices missing"),
        pytest.param([ITEM | {"meta": "x"}], 1, "meta", "not JSON", id="meta is text"),
        pytest.param([ITEM | {"meta": [1]}], 1, "meta", "not an object", id="meta is a list"),
        pytest.param([ITEM | {"group": "g" * 201}], 1, "group", "201 characters", id="long group"),
        pytest.param(['{"id": "a", "prompt": "x", "extra": NaN}'], 1, "extra", "not finite", id="NaN"),
        pytest.param(['{"id": "a", "prompt": "x", "meta": {"a": [1e999]}}'], 1, "meta", "not finite", id="1e999"),
        pytest.param(['{"id": "a", "prompt": "x\\u0000"}'], 1, "prompt", "NUL", id="NUL"),
        pytest.param(['{"id": "a", "prompt": "x\\ud83d"}'], 1, "prompt", "surrogate", id="half a surrogate pair"),
    ],
)
def test_what_is_wrong_with_items_names_file_line_and_field(tmp_path, rows, line, field, words):
    checked, problems = check(source(tmp_path, "items.jsonl", lines_of(*rows)))

    assert checked is None
    assert [(one.file, one.line, one.field) for one in problems] == [("items.jsonl", line, field)]
    assert words in problems[0].message


@pytest.mark.parametrize(
    ("rows", "line", "field", "words"),
    [
        pytest.param([OUTPUT, "{"], 2, "", "this is not JSON", id="bad JSON"),
        pytest.param([OUTPUT | {"item_id": "z"}], 1, "item_id", "no item has the id “z”", id="unknown item"),
        pytest.param([OUTPUT, OUTPUT], 2, "model", "item “a” has two outputs of “small”", id="two outputs"),
        pytest.param([{"item_id": "a", "text": "x"}], 1, "model", "the model is missing", id="missing model"),
        pytest.param([{"model": "m", "text": "x"}], 1, "item_id", "the item id is missing", id="missing item id"),
        pytest.param([{"item_id": "a", "model": "m"}], 1, "text", "text of the output is missing", id="missing text"),
        pytest.param([OUTPUT | {"model": "m" * 201}], 1, "model", "201 characters", id="long model name"),
        pytest.param([OUTPUT | {"prompt_tokens": -1}], 1, "prompt_tokens", "-1 is negative", id="negative tokens"),
        pytest.param([OUTPUT | {"latency_s": -0.5}], 1, "latency_s", "-0.5 is negative", id="negative latency"),
        pytest.param([OUTPUT | {"latency_s": "fast"}], 1, "latency_s", "“fast” is not a number", id="latency word"),
        pytest.param([OUTPUT | {"latency_s": float("nan")}], 1, "latency_s", "not finite", id="NaN latency"),
        pytest.param([OUTPUT | {"latency_s": "inf"}], 1, "latency_s", "not finite", id="infinite latency as text"),
        pytest.param([OUTPUT | {"latency_s": 10**400}], 1, "latency_s", "not finite", id="huge latency"),
        pytest.param([OUTPUT | {"completion_tokens": 1.5}], 1, "completion_tokens", "whole number", id="half a token"),
        pytest.param([OUTPUT | {"completion_tokens": 2**31}], 1, "completion_tokens", "up to", id="too many tokens"),
        pytest.param([OUTPUT | {"completion_tokens": True}], 1, "completion_tokens", "not a number", id="tokens true"),
        pytest.param([OUTPUT | {"correct": "maybe"}], 1, "correct", "“maybe” is neither true nor false", id="correct"),
        pytest.param([OUTPUT | {"predicted": {"a": 1}}], 1, "predicted", "not text", id="predicted is an object"),
    ],
)
def test_what_is_wrong_with_outputs_names_file_line_and_field(tmp_path, rows, line, field, words):
    items = source(tmp_path, "items.jsonl", lines_of(ITEM))
    checked, problems = check(items, source(tmp_path, "outputs.jsonl", lines_of(*rows)))

    assert checked is None
    assert [(one.file, one.line, one.field) for one in problems] == [("outputs.jsonl", line, field)]
    assert words in problems[0].message


@pytest.mark.parametrize(
    ("rows", "line", "field", "words"),
    [
        pytest.param([{"price_in_per_mtok": 1}], 1, "model", "the model is missing", id="missing model"),
        pytest.param(
            [{"model": "m", "price_in_per_mtok": -1, "price_out_per_mtok": 1}],
            1,
            "price_in_per_mtok",
            "-1 is negative",
            id="negative price",
        ),
        pytest.param(
            [{"model": "m", "price_in_per_mtok": 1}],
            1,
            "price_out_per_mtok",
            "only one of the two prices is known",
            id="one price",
        ),
        pytest.param(
            ['{"model": "m", "price_in_per_mtok": Infinity, "price_out_per_mtok": 1}'],
            1,
            "price_in_per_mtok",
            "not finite",
            id="infinite price",
        ),
        pytest.param(
            ['{"model": "m", "price_in_per_mtok": 1e999, "price_out_per_mtok": 1}'],
            1,
            "price_in_per_mtok",
            "check the unit",
            id="absurd price",
        ),
        pytest.param(
            [{"model": "m", "price_in_per_mtok": "cheap", "price_out_per_mtok": 1}],
            1,
            "price_in_per_mtok",
            "not a finite number",
            id="price in words",
        ),
        pytest.param([{"model": "m"}, {"model": "m"}], 2, "model", "stands there twice", id="model twice"),
    ],
)
def test_what_is_wrong_with_prices_names_file_line_and_field(tmp_path, rows, line, field, words):
    items = source(tmp_path, "items.jsonl", lines_of(ITEM))
    checked, problems = check(items, None, source(tmp_path, "models.jsonl", lines_of(*rows)))

    assert checked is None
    assert [(one.file, one.line, one.field) for one in problems] == [("models.jsonl", line, field)]
    assert words in problems[0].message


def test_prices_are_exact_and_unknown_stays_unknown(tmp_path):
    listed = [
        {"model": "small", "price_in_per_mtok": 0.1, "price_out_per_mtok": 0.30000000000000004, "price_source": 501},
        {"model": "large", "price_in_per_mtok": None, "price_out_per_mtok": None},
    ]
    outputs = [OUTPUT, OUTPUT | {"model": "large"}, OUTPUT | {"model": "unlisted"}]
    checked, problems = check(
        source(tmp_path, "items.jsonl", lines_of(ITEM)),
        source(tmp_path, "outputs.jsonl", lines_of(*outputs)),
        source(tmp_path, "models.json", json.dumps(listed, indent=1).encode()),
    )

    assert not problems
    prices = [(one.model, one.in_nanousd_per_mtok, one.out_nanousd_per_mtok, one.source) for one in checked.models]
    assert prices == [
        ("small", 100_000_000, 300_000_000, "501"),
        ("large", None, None, ""),
        ("unlisted", None, None, ""),
    ]


def test_all_problems_are_listed_at_once_up_to_fifty(tmp_path):
    rows = [ITEM | {"id": f"i{number}", "reference": "Z"} for number in range(80)]
    _, problems = check(source(tmp_path, "items.jsonl", lines_of(*rows)))

    assert [one.line for one in problems] == list(range(1, 51))


def test_problems_of_several_files_are_listed_together(tmp_path):
    _, problems = check(
        source(tmp_path, "items.jsonl", lines_of(ITEM, ITEM | {"id": "b", "prompt": ""})),
        source(tmp_path, "outputs.jsonl", lines_of(OUTPUT | {"latency_s": -1}, OUTPUT | {"item_id": "b", "model": ""})),
        source(tmp_path, "models.jsonl", lines_of({"model": ""})),
    )

    assert [(one.file, one.line, one.field) for one in problems] == [
        ("items.jsonl", 2, "prompt"),
        ("outputs.jsonl", 1, "latency_s"),
        ("outputs.jsonl", 2, "model"),
        ("models.jsonl", 1, "model"),
    ]


def test_outputs_for_items_that_could_not_be_read_are_not_a_second_problem(tmp_path):
    _, problems = check(
        source(tmp_path, "items.jsonl", lines_of(ITEM, "{")),
        source(tmp_path, "outputs.jsonl", lines_of(OUTPUT, OUTPUT | {"item_id": "b"})),
    )

    assert [(one.file, one.line) for one in problems] == [("items.jsonl", 2)]


def test_two_problems_of_one_row_are_both_named(tmp_path):
    _, problems = check(source(tmp_path, "items.jsonl", lines_of({"reference": "A"})))

    assert [one.field for one in problems] == ["id", "prompt"]


def test_a_problem_reads_as_file_line_field_message(tmp_path):
    _, problems = check(source(tmp_path, "items.jsonl", lines_of({"id": "a"}, "{")))

    assert str(problems[0]).startswith("items.jsonl:1 prompt: the prompt is missing")
    assert str(problems[1]).startswith("items.jsonl:2: this is not JSON")


# What is accepted


def test_unknown_keys_blank_lines_and_a_byte_order_mark_are_tolerated(tmp_path):
    content = b"\xef\xbb\xbf" + lines_of(ITEM | {"split": "public", "prompt_tokens": 3}) + b"\n   \n"
    checked, problems = check(source(tmp_path, "items.jsonl", content))

    assert not problems
    assert checked.items == 1


def test_the_form_of_the_file_does_not_change_the_content(tmp_path):
    item = {"id": "a", "prompt": [{"role": "user", "content": "Which one?"}], "reference": "B", "choices": ["A", "B"]}
    files = [
        source(tmp_path, "items.jsonl", lines_of(item)),
        source(tmp_path, "packed.jsonl.gz", lines_of(item)),
        source(tmp_path, "list.json", json.dumps([item], indent=2).encode()),
        source(tmp_path, "items.csv", b'id,prompt,reference,choices\r\na,Which one?,B,"A|B"\r\n'),
        source(tmp_path, "semicolons.csv", '﻿choices;id;prompt;reference\n["A", "B"];a;Which one?;B\n'.encode()),
    ]

    found = [check(file) for file in files]
    assert [problems for _, problems in found] == [[]] * len(files)
    assert len({checked.content_hash for checked, _ in found}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"id": "b"},
        {"prompt": "Which?"},
        {"reference": "A"},
        {"choices": ["A", "B", "C"]},
        {"context": "x"},
        {"group": "g"},
        {"meta": {"a": 1}},
        {"fields": {"a": "text"}},
    ],
)
def test_any_difference_in_an_item_changes_the_hash(tmp_path, change):
    before, _ = check(source(tmp_path, "items.jsonl", lines_of(ITEM)))
    after, problems = check(source(tmp_path, "items.jsonl", lines_of(ITEM | change)))

    assert not problems
    assert before.content_hash != after.content_hash


@pytest.mark.parametrize(
    "change",
    [
        {"model": "large"},
        {"text": "A"},
        {"predicted": None},
        {"predicted": "B"},
        {"correct": False},
        {"prompt_tokens": 0},
        {"completion_tokens": 1},
        {"latency_s": 0.0},
    ],
)
def test_any_difference_in_an_output_changes_the_hash(tmp_path, change):
    items = source(tmp_path, "items.jsonl", lines_of(ITEM))
    before, _ = check(items, source(tmp_path, "outputs.jsonl", lines_of(OUTPUT)))
    after, problems = check(items, source(tmp_path, "outputs.jsonl", lines_of(OUTPUT | change)))

    assert not problems
    assert before.content_hash != after.content_hash


def test_kind_scorer_and_tolerance_are_part_of_the_content(tmp_path):
    items = source(tmp_path, "items.jsonl", lines_of(ITEM))
    wanted = [
        ReadingChoices(),
        ReadingChoices(kind=AnswerKind.LABEL),
        ReadingChoices(scorer="number"),
        ReadingChoices(tolerance=0.1),
    ]

    assert len({check(items, choices=choices)[0].content_hash for choices in wanted}) == 4


def test_a_reference_may_differ_from_its_choice_in_case(tmp_path):
    _, problems = check(source(tmp_path, "items.jsonl", lines_of(ITEM | {"reference": "b"})))

    assert not problems


def test_an_open_kind_does_not_hold_references_against_choices(tmp_path):
    items = source(tmp_path, "items.jsonl", lines_of(ITEM | {"reference": "Berlin"}))
    _, problems = check(items, choices=ReadingChoices(kind=AnswerKind.SHORT))

    assert not problems


def test_a_closed_kind_needs_choices_unless_answers_were_recorded(tmp_path):
    items = source(tmp_path, "items.jsonl", lines_of({"id": "a", "prompt": "x", "reference": "yes"}))
    label = ReadingChoices(kind=AnswerKind.LABEL)

    _, problems = check(items, choices=label)
    assert [one.field for one in problems] == ["choices"]
    _, problems = check(items, source(tmp_path, "outputs.jsonl", lines_of(OUTPUT)), choices=label)
    assert not problems


def test_scorer_recorded_needs_outputs_and_takes_them_without_labels(tmp_path):
    items = source(tmp_path, "items.jsonl", lines_of({"id": "a", "prompt": "x"}))
    recorded = ReadingChoices(scorer="recorded")
    _, problems = check(items, choices=recorded)
    assert [(problem.field, problem.file) for problem in problems] == [("scorer", "items.jsonl")]
    for output in (OUTPUT, OUTPUT | {"correct": True}):
        checked, _ = check(items, source(tmp_path, "outputs.jsonl", lines_of(output)), choices=recorded)
        assert checked is not None
        assert checked.scorer == "recorded"


# What is inferred


@pytest.mark.parametrize(
    ("items", "outputs", "kind", "scorer"),
    [
        ([ITEM], [], "choice", "exact"),
        ([ITEM | {"choices": ["yes", "no"], "reference": "no"}], [], "label", "exact"),
        ([{"id": "a", "prompt": "x", "reference": 4.5}, {"id": "b", "prompt": "x"}], [], "number", "number"),
        ([{"id": "a", "prompt": "x", "references": ["Paris", "the city of Paris"]}], [], "short", "short_f1"),
        ([{"id": "a", "prompt": "x", "reference": "word " * 9}], [], "text", "exact"),
        ([{"id": "a", "prompt": "x"}], [OUTPUT], "text", "exact"),
        ([{"id": "a", "prompt": "x"}], [OUTPUT | {"correct": False}], "text", "recorded"),
    ],
)
def test_kind_and_scorer_are_inferred_and_the_reason_is_told(tmp_path, items, outputs, kind, scorer):
    recorded = source(tmp_path, "outputs.jsonl", lines_of(*outputs)) if outputs else None
    checked, problems = check(source(tmp_path, "items.jsonl", lines_of(*items)), recorded)

    assert not problems
    assert (checked.kind, checked.scorer, checked.scorer_told) == (kind, scorer, False)
    assert checked.kind_reason


def test_what_was_told_is_not_inferred(tmp_path):
    items = source(tmp_path, "items.jsonl", lines_of(ITEM))
    checked, _ = check(items, choices=ReadingChoices(kind=AnswerKind.TEXT, scorer="key_facts"))

    assert (checked.kind, checked.kind_reason, checked.scorer, checked.scorer_told) == ("text", "", "key_facts", True)


def test_a_few_long_references_among_short_ones_are_still_short(tmp_path):
    rows = [{"id": str(number), "prompt": "x", "reference": "one two"} for number in range(9)]
    rows.append({"id": "long", "prompt": "x", "reference": "word " * 30})
    checked, _ = check(source(tmp_path, "items.jsonl", lines_of(*rows)))

    assert checked.kind is AnswerKind.SHORT
