"""The shapes a file of items may have: our own, a mapped CSV, tests of promptfoo, samples of OpenAI Evals."""

from __future__ import annotations

import json

import pytest

from evaluation.intake.columns import Role, suggest_mapping
from evaluation.intake.files import Intake
from evaluation.intake.items import ItemIndex, read_items
from evaluation.intake.limits import DEFAULT_LIMITS
from evaluation.intake.outputs import OutputIndex, read_outputs
from evaluation.intake.problems import ProblemList
from tests.unit.evaluation.intake.intake_files import lines_of, source


@pytest.fixture
def intake():
    return Intake(limits=DEFAULT_LIMITS, problems=ProblemList())


def items_of(file, intake):
    return list(read_items(file, intake, kind=None, choices_needed=True, index=ItemIndex()))


def messages(item):
    return [(entry["role"], entry["content"]) for entry in json.loads(item.prompt)]


# CSV


def test_columns_are_found_by_their_usual_names(tmp_path, intake):
    csv = "Item ID,Question,Answer,Options,Category,Passage\n1,Why?,because,because|why not,causes,text\n"
    (item,) = items_of(source(tmp_path, "items.csv", csv.encode()), intake)

    assert not len(intake.problems)
    assert (item.item_id, item.reference, item.choices) == ("1", "because", ("because", "why not"))
    assert (item.group, item.context, messages(item)) == ("causes", "text", [("user", "Why?")])


def test_a_column_serves_one_field_and_its_own_name_wins():
    assert suggest_mapping(Role.ITEMS, ["question", "prompt", "answer", "reference", "key"]) == {
        "id": "key",
        "prompt": "prompt",
        "reference": "reference",
    }


def test_a_mapping_overrides_the_names(tmp_path, intake):
    csv = "n\ttext\tid\n1\tWhy?\tother\n"
    (item,) = items_of(source(tmp_path, "items.tsv", csv.encode(), id="n", prompt="text"), intake)

    assert (item.item_id, messages(item), item.reference) == ("1", [("user", "Why?")], None)


def test_a_mapped_column_that_is_not_there_is_named(tmp_path, intake):
    file = source(tmp_path, "items.csv", b"a,b\n1,2\n", id="a", prompt="c")

    assert items_of(file, intake) == []
    assert [str(one) for one in intake.problems] == [
        "items.csv:1 prompt: there is no column “c”; choose one of a, b",
    ]


def test_a_required_field_without_a_column_is_named(tmp_path, intake):
    assert items_of(source(tmp_path, "items.csv", b"id,b\n1,2\n"), intake) == []
    assert [(one.line, one.field) for one in intake.problems] == [(1, "prompt")]
    assert "name a column “prompt” or choose one of id, b" in next(iter(intake.problems)).message


def test_a_field_that_does_not_exist_is_named(tmp_path, intake):
    assert items_of(source(tmp_path, "items.csv", b"id,b\n1,2\n", id="id", prompt="b", mood="b"), intake) == []
    assert [(one.field, one.message[:22]) for one in intake.problems] == [("mood", "there is no such field")]


def test_problems_name_the_column_of_the_file(tmp_path, intake):
    items_of(source(tmp_path, "items.csv", b"id,question,options,answer\n1,x,A|B,C\n"), intake)

    assert [(one.line, one.field) for one in intake.problems] == [(2, "answer")]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("id,prompt\n1,a,b\n", 2, "the row has 3 cells, the header has 2"),
        ("id,prompt\n\n1\n", 3, "the row has 1 cells, the header has 2"),
        ("id,prompt,prompt\n1,a,b\n", 1, "names a column twice: prompt"),
        ('id,prompt\n1,"a"b\n', 2, "the row is not CSV"),
        ('id,prompt\n1,"a\n', 2, "the row is not CSV"),
        ("id,prompt\n1,a\0b\n", 2, "NUL"),
    ],
)
def test_csv_that_is_broken_is_named_by_line(tmp_path, intake, text, line, words):
    items_of(source(tmp_path, "items.csv", text.encode()), intake)

    assert [one.line for one in intake.problems] == [line]
    assert words in next(iter(intake.problems)).message


def test_a_row_is_named_by_the_line_it_begins_on(tmp_path, intake):
    text = 'id,prompt\n1,"two\nlines"\n\n2,\n'
    (item,) = items_of(source(tmp_path, "items.csv", text.encode()), intake)

    assert messages(item) == [("user", "two\nlines")]
    assert (item.line, [one.line for one in intake.problems]) == (2, [5])


def test_a_quotation_without_an_end_does_not_fill_the_memory(tmp_path):
    from dataclasses import replace

    intake = Intake(limits=replace(DEFAULT_LIMITS, line_bytes=1_000), problems=ProblemList())
    text = 'id,prompt\n1,"' + "words and words\n" * 1_000
    items_of(source(tmp_path, "items.csv", text.encode()), intake)

    assert ["does not end" in one.message or "field limit" in one.message for one in intake.problems] == [True]


def test_chat_messages_may_stand_in_a_cell(tmp_path, intake):
    chat = json.dumps([{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi"}])
    cell = '"' + chat.replace('"', '""') + '"'
    (item,) = items_of(source(tmp_path, "items.csv", f"id,prompt\n1,{cell}\n".encode()), intake)

    assert messages(item) == [("system", "Be brief"), ("user", "Hi")]


def test_outputs_of_a_csv_file(tmp_path, intake):
    items = ItemIndex()
    items.add("1", 1)
    items.add("2", 2)
    text = "id,model,output,parsed,correct,latency\n1,m,,,yes,0.5\n2,m,Paris,Paris,0,\n"
    file = source(tmp_path, "outputs.csv", text.encode())
    first, second = read_outputs(file, intake, items=items, index=OutputIndex(2))

    assert not len(intake.problems)
    assert (first.text, first.has_predicted, first.predicted, first.correct, first.latency_s) == (
        "",
        True,
        None,
        True,
        0.5,
    )
    assert (second.text, second.predicted, second.correct, second.latency_s) == ("Paris", "Paris", False, None)


# Our own form


def test_messages_of_text_parts_and_a_developer_are_read(tmp_path, intake):
    prompt = [
        {"role": "developer", "content": "Be brief"},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}]},
    ]
    (item,) = items_of(source(tmp_path, "items.jsonl", lines_of({"id": 1, "prompt": prompt})), intake)

    assert messages(item) == [("system", "Be brief"), ("user", "One\ntwo")]
    assert (item.item_id, item.title) == ("1", "One two")


def test_a_title_is_the_start_of_the_last_user_message(tmp_path, intake):
    (item,) = items_of(source(tmp_path, "items.jsonl", lines_of({"id": "a", "prompt": "word \n" * 100})), intake)

    assert len(item.title) == 160
    assert item.title.startswith("word word")
    assert item.title.endswith("…")


def test_context_may_be_passages_and_fields_are_kept(tmp_path, intake):
    row = {"id": "a", "prompt": "x", "context": ["one", "two"], "fields": {"due": "date"}, "meta": {"row": 4}}
    (item,) = items_of(source(tmp_path, "items.jsonl", lines_of(row)), intake)

    assert item.context == "one\n\ntwo"
    assert item.meta == {"row": 4, "fields": {"due": "date"}}


def test_fields_of_csv_are_a_column_of_json(tmp_path, intake):
    csv = 'id,prompt,fields\na,x,"{""name"": ""Anna"", ""ids"": [""1"", ""2""]}"\nb,y,\n'
    first, second = items_of(source(tmp_path, "items.csv", csv.encode()), intake)

    assert first.meta == {"fields": {"name": "Anna", "ids": ["1", "2"]}}
    assert second.meta == {}


@pytest.mark.parametrize(
    "row", [{"fields": ["Anna"]}, {"fields": 7}, {"fields": "Anna"}, {"meta": {"fields": ["Anna"]}}]
)
def test_fields_without_names_are_refused_since_no_workflow_could_mark_them(tmp_path, intake, row):
    items = items_of(source(tmp_path, "items.jsonl", lines_of({"id": "a", "prompt": "x"} | row)), intake)

    assert items == []
    (problem,) = intake.problems
    assert (problem.line, problem.field) == (1, next(iter(row)))


# OpenAI Evals


def test_samples_of_openai_evals(tmp_path, intake):
    rows = [
        {"input": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}], "ideal": "A"},
        {"input": "Q2", "ideal": ["A", "a"], "id": "own"},
        {
            "input": [
                {"role": "system", "name": "example_user", "content": "2+2"},
                {"role": "system", "name": "example_assistant", "content": "4"},
                {"role": "user", "content": "3+3"},
            ],
            "ideal": 6,
        },
    ]
    first, second, third = items_of(source(tmp_path, "samples.jsonl", lines_of(*rows)), intake)

    assert (first.item_id, first.reference, first.references) == ("sample-1", "A", ())
    assert (second.item_id, second.reference, second.references) == ("own", "A", ("A", "a"))
    assert messages(third) == [("user", "2+2"), ("assistant", "4"), ("user", "3+3")]
    assert third.reference == "6"


def test_problems_of_samples_use_their_own_names(tmp_path, intake):
    rows = [{"input": "Q", "ideal": "A"}, {"ideal": "A"}, {"input": [{"role": "system", "content": "S"}], "ideal": "A"}]
    items_of(source(tmp_path, "samples.jsonl", lines_of(*rows)), intake)

    assert [(one.line, one.field) for one in intake.problems] == [(2, "input"), (3, "input")]


# promptfoo

TESTS = [
    {
        "description": "capital",
        "vars": {"question": "Capital of France?", "context": "Europe"},
        "assert": [{"type": "contains", "value": "Paris"}, {"type": "llm-rubric", "value": "is polite"}],
        "metadata": {"category": "geography"},
    },
    {"vars": {"question": "2+2"}, "assert": [{"type": "contains-any", "value": ["4", "four"]}]},
]


@pytest.mark.parametrize("document", [json.dumps(TESTS), json.dumps({"tests": TESTS}, indent=2)])
def test_tests_of_promptfoo_in_json(tmp_path, intake, document):
    first, second = items_of(source(tmp_path, "tests.json", document.encode()), intake)

    assert not len(intake.problems)
    assert (first.item_id, messages(first), first.reference) == ("test-1", [("user", "Capital of France?")], "Paris")
    assert (first.context, first.group) == ("Europe", "geography")
    assert first.meta["assert"] == [{"type": "llm-rubric", "value": "is polite"}]
    assert first.meta["description"] == "capital"
    assert (second.reference, second.references) == ("4", ("4", "four"))


def test_tests_of_promptfoo_in_csv(tmp_path, intake):
    text = (
        "topic,__expected1,__expected2,__prefix,__metadata:category\n"
        'France,contains: Paris,"javascript: output.length < 9",Capital of ,geo\n'
        "Note: none,is: fine,similar(0.8): all good,,\n"
        'Any,"icontains-any: one, two",,,\n'
    )
    first, second, third = items_of(source(tmp_path, "tests.csv", text.encode()), intake)

    assert (messages(first), first.reference, first.group) == ([("user", "Capital of France")], "Paris", "geo")
    assert first.meta["assert"] == [{"type": "javascript", "value": "output.length < 9"}]
    assert second.references == ("is: fine", "all good")
    assert third.references == ("one", "two")


def test_a_test_without_a_telling_variable_says_so(tmp_path, intake):
    rows = [{"vars": {"language": "fr", "body": "Hello"}}]
    assert items_of(source(tmp_path, "tests.jsonl", lines_of(*rows)), intake) == []
    assert [(one.line, one.field) for one in intake.problems] == [(1, "vars")]


def test_a_mapping_names_the_prompt_among_the_variables(tmp_path, intake):
    text = b"language,body,__expected\nfr,Hello,Bonjour\n"
    (item,) = items_of(source(tmp_path, "tests.csv", text, prompt="body", group="language"), intake)

    assert (messages(item), item.group, item.reference) == ([("user", "Hello")], "fr", "Bonjour")
