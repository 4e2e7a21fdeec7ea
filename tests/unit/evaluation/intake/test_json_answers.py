from __future__ import annotations

import json

import pytest

from evaluation.intake.checking import DatasetFiles, ReadingChoices, dataset_items, dataset_outputs
from evaluation.intake.fields import written
from evaluation.intake.files import Intake
from evaluation.intake.items import Item, ItemIndex
from evaluation.intake.limits import DEFAULT_LIMITS
from evaluation.intake.outputs import Output
from evaluation.intake.problems import ProblemList
from panels.fusion.types import AnswerKind
from tests.unit.evaluation.intake.intake_files import check, lines_of, source

SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
ITEM = {"id": "a", "prompt": "Read the bill.", "reference": {"total": 2.5, "city": "Zürich"}, "schema": SCHEMA}
OUTPUT = {"item_id": "a", "model": "small", "text": "It is {…}", "predicted": {"total": 3}}
JSON = ReadingChoices(kind=AnswerKind.JSON)
TOLD = [pytest.param(JSON, id="told"), pytest.param(ReadingChoices(), id="inferred")]


def _load(
    tmp_path, items: bytes, outputs: bytes = b"", *, name: str = "items.jsonl"
) -> tuple[list[Item], list[Output]]:
    """What the second reading of the files finds."""
    recorded = source(tmp_path, "outputs.jsonl", outputs) if outputs else None
    files = DatasetFiles(items=source(tmp_path, name, items), recorded=recorded)
    intake, index = Intake(limits=DEFAULT_LIMITS, problems=ProblemList(50)), ItemIndex()
    found = list(dataset_items(files, AnswerKind.JSON, intake, index))
    read = list(dataset_outputs(files, AnswerKind.JSON, intake, index))
    assert not list(intake.problems)
    return found, read


def test_references_schemas_and_parsed_answers_are_kept_in_canonical_form(tmp_path):
    (item,), (output,) = _load(tmp_path, lines_of(ITEM), lines_of(OUTPUT))

    assert item.reference == '{"city":"Zürich","total":2.5}'
    assert json.loads(item.schema) == SCHEMA
    assert (output.predicted, output.text) == ('{"total":3}', "It is {…}")


def test_a_csv_file_holds_them_as_text(tmp_path):
    rows = 'id,question,answer,json_schema\n1,Read,"{""total"": 2}","{""required"": [""total""]}"\n2,Read,,\n'
    (first, second), _ = _load(tmp_path, rows.encode(), name="items.csv")

    assert (first.reference, first.schema) == ('{"total": 2}', '{"required":["total"]}')
    assert (second.reference, second.schema) == (None, "")


def test_several_accepted_answers_may_be_objects(tmp_path):
    (item,), _ = _load(tmp_path, lines_of({"id": "a", "prompt": "x", "references": [{"a": 1}, '{"a": 2}']}))

    assert item.references == ('{"a":1}', '{"a": 2}')


@pytest.mark.parametrize("choices", TOLD)
@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"schema": {"type": "list"}}, "schema", 'write "type": "object"'),
        ({"schema": "{"}, "schema", "not a JSON object; write a JSON schema"),
        ({"schema": [1]}, "schema", "not a JSON object; write a JSON schema"),
        ({"schema": {"required": 1}}, "schema", "wrong at $.required"),
        ({"reference": {"total": "2"}}, "reference", "the item's schema ($.total: '2' is not of type 'number')"),
        ({"reference": '{"city": "Rome"}'}, "reference", "$: 'total' is a required property"),
        ({"reference": "2.50"}, "reference", "not a JSON object"),
        ({"references": [{"total": 1}, {"total": None}]}, "references", "$.total: None is not of type 'number'"),
    ],
)
def test_what_is_wrong_names_line_and_field(tmp_path, choices, change, field, words):
    checked, problems = check(source(tmp_path, "i.jsonl", lines_of(ITEM, ITEM | {"id": "b"} | change)), choices=choices)

    assert checked is None
    assert [(problem.line, problem.field) for problem in problems] == [(2, field)]
    assert words in problems[0].message


def test_what_is_nested_too_deeply_to_be_written_is_refused(tmp_path):
    deep: dict[str, object] = {}
    for _ in range(300):
        deep = {"a": deep}
    _, problems = check(source(tmp_path, "i.jsonl", lines_of(ITEM | {"reference": deep, "schema": deep})), choices=JSON)

    assert {problem.field for problem in problems} == {"reference", "schema"}


def test_what_python_itself_cannot_write_is_written_as_nothing():
    deep: dict[str, object] = {}
    for _ in range(10_000):
        deep = {"a": deep}

    assert written(deep) == ""


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([ITEM], "references are objects, or the items have a schema"),
        ([{"id": "a", "prompt": "x", "reference": {"a": 1}}], "references are objects, or the items have a schema"),
        ([{"id": "a", "prompt": "x", "schema": SCHEMA}], "references are objects, or the items have a schema"),
        ([{"id": "a", "prompt": "x", "reference": '{"a": 1}'}], "every reference is a JSON object"),
    ],
)
def test_the_kind_is_inferred_and_the_second_reading_finds_the_same(tmp_path, rows, reason):
    items = source(tmp_path, "items.jsonl", lines_of(*rows))
    inferred, _ = check(items)
    told, _ = check(items, choices=JSON)

    assert (inferred.kind, inferred.kind_reason, inferred.scorer) == (AnswerKind.JSON, reason, "exact")
    assert told.content_hash == inferred.content_hash


def test_a_text_among_objects_is_named(tmp_path):
    rows = [{"id": "a", "prompt": "x", "reference": {"a": 1}}, {"id": "b", "prompt": "x", "reference": "Paris"}]
    _, problems = check(source(tmp_path, "items.jsonl", lines_of(*rows)))

    assert [(problem.line, problem.field) for problem in problems] == [(2, "reference")]
    assert "no JSON object, though others are" in problems[0].message


def test_one_json_text_among_texts_is_a_text(tmp_path):
    rows = [{"id": "a", "prompt": "x", "reference": '{"a": 1}'}, {"id": "b", "prompt": "x", "reference": "Paris"}]
    checked, _ = check(source(tmp_path, "items.jsonl", lines_of(*rows)))

    assert checked.kind is AnswerKind.SHORT


def test_another_kind_takes_no_objects_and_leaves_schemas_alone(tmp_path):
    short = ReadingChoices(kind=AnswerKind.SHORT)
    _, problems = check(source(tmp_path, "items.jsonl", lines_of(ITEM)), choices=short)
    assert [problem.field for problem in problems] == ["reference"]

    checked, _ = check(source(tmp_path, "items.jsonl", lines_of(ITEM | {"reference": "x"})), choices=short)
    assert checked.kind is AnswerKind.SHORT


def test_a_schema_is_part_of_the_content(tmp_path):
    first, _ = check(source(tmp_path, "a.jsonl", lines_of(ITEM)))
    other, _ = check(source(tmp_path, "b.jsonl", lines_of(ITEM | {"schema": SCHEMA | {"title": "Bill"}})))

    assert first.content_hash != other.content_hash


@pytest.mark.parametrize("scorer", ["number", "short_f1", "key_facts"])
def test_a_scorer_that_knows_no_fields_is_refused(tmp_path, scorer):
    choices = ReadingChoices(kind=AnswerKind.JSON, scorer=scorer)
    _, problems = check(source(tmp_path, "items.jsonl", lines_of(ITEM)), choices=choices)

    assert [(problem.field, problem.message) for problem in problems] == [
        ("scorer", f"scorer {scorer} cannot compare JSON answers; choose exact or recorded")
    ]


@pytest.mark.parametrize(
    ("predicted", "words"),
    [("Paris", "not a JSON object"), ([1], "this is not text"), (7, "not a JSON object"), ('{"a": 1', "not a JSON")],
)
def test_a_parsed_answer_has_to_be_an_object(tmp_path, predicted, words):
    items = source(tmp_path, "items.jsonl", lines_of(ITEM))
    outputs = source(tmp_path, "outputs.jsonl", lines_of(OUTPUT | {"predicted": predicted}))
    checked, problems = check(items, outputs, choices=JSON)

    assert checked is None
    assert [(problem.line, problem.field) for problem in problems] == [(1, "predicted")]
    assert words in problems[0].message


def test_a_parsed_answer_may_be_unreadable_or_break_the_schema(tmp_path):
    items = source(tmp_path, "items.jsonl", lines_of(ITEM, ITEM | {"id": "b"}))
    rows = [OUTPUT | {"predicted": None}, OUTPUT | {"item_id": "b", "predicted": '{"total": "much"}'}]
    checked, problems = check(items, source(tmp_path, "outputs.jsonl", lines_of(*rows)))

    assert (checked.outputs, problems) == (2, [])
