from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from evaluation.models import Dataset, DatasetVersion, RecordedOutput, Workflow

ITEM = {"id": "a", "prompt": "Which one?", "reference": "B", "choices": ["A", "B"]}


@pytest.fixture
def items(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps(ITEM) + "\n")
    return path


@pytest.mark.django_db
def test_a_summary_says_what_was_imported_and_inferred(items, capsys):
    call_command("import_dataset", "Quiz", items=items)

    assert capsys.readouterr().out.splitlines() == [
        "Quiz v1 imported: 1 examples, 0 recorded outputs",
        "answer kind choice (inferred: all choices are single letters)",
        "scorer exact (the default)",
    ]


@pytest.mark.django_db
def test_answers_in_json_take_objects_and_scorers_that_know_them(items):
    items.write_text(json.dumps({"id": "a", "prompt": "Read.", "reference": '{"total": 1}'}))
    call_command("import_dataset", "Bills", "--items", str(items), "--answer", "json")

    assert DatasetVersion.objects.get().answer_kind == "json"
    with pytest.raises(CommandError, match=r"items\.jsonl:0 scorer: scorer number cannot compare JSON answers"):
        call_command("import_dataset", "Bills", items=items, scorer="number")


@pytest.mark.django_db
def test_the_same_content_is_reused(items, capsys):
    call_command("import_dataset", "Quiz", items=items, answer="label", scorer="exact")
    call_command("import_dataset", "Quiz", "--items", str(items), "--answer", "label", "--scorer", "exact")

    assert capsys.readouterr().out.splitlines()[1:] == [
        "Quiz v1 was there already, reused: 1 examples, 0 recorded outputs"
    ]


@pytest.mark.django_db
def test_problems_are_lines_of_file_line_field_message(items):
    items.write_text('{"id": "a"}\n{\n')
    with pytest.raises(CommandError) as error:
        call_command("import_dataset", "Quiz", items=items)

    lines = str(error.value).splitlines()
    assert error.value.returncode == 1
    assert lines[0].startswith(f"{items}:1 prompt: the prompt is missing")
    assert lines[1].startswith(f"{items}:2: this is not JSON")
    assert not Dataset.objects.exists()


@pytest.mark.django_db
def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"none\.jsonl:0: the file cannot be read: No such file"):
        call_command("import_dataset", "Quiz", items=tmp_path / "none.jsonl")


@pytest.mark.django_db
def test_an_unknown_workflow_is_named_with_those_there_are(items):
    workflow = Workflow.objects.create(slug="support", name="Support", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(CommandError, match="there is no workflow “sales”; known: support"):
        call_command("import_dataset", "Quiz", items=items, workflow="sales")
    call_command("import_dataset", "Quiz", items=items, workflow="support")

    assert Dataset.objects.get().workflow == workflow


@pytest.mark.django_db
@pytest.mark.parametrize("tolerance", ["-1", "nan", "inf"])
def test_a_tolerance_that_is_no_tolerance_is_refused(items, tolerance):
    with pytest.raises(CommandError, match="--tolerance"):
        call_command("import_dataset", "Quiz", "--items", str(items), f"--tolerance={tolerance}")


SETS = {
    "evouna_qa": ("text", "recorded", 2_937, 14_685),
    "frank_summ": ("text", "exact", 263, 1_183),
    "mmlu_pro": ("choice", "exact", 1_832, 29_312),
    "pandalm_pairs": ("text", "exact", 539, 1_078),
    "ragchecker_pairs": ("text", "exact", 165, 330),
    "rusentne": ("label", "exact", 1_740, 36_540),
    "vectara_summ": ("text", "exact", 99, 1_980),
    "zeroeval": ("short", "exact", 910, 20_020),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", SETS)
def test_recorded_sets_are_imported(recorded_data, name, capsys):
    kind, scorer, examples, outputs = SETS[name]
    folder = recorded_data / name
    call_command(
        "import_dataset",
        name,
        items=folder / "items.jsonl.gz",
        recorded=folder / "outputs.jsonl.gz",
        models=folder / "models.json",
        answer=kind,
        scorer=scorer,
    )

    version = DatasetVersion.objects.published().get()
    assert (version.answer_kind, version.scorer) == (kind, scorer)
    assert (version.examples.count(), version.example_count) == (examples, examples)
    assert RecordedOutput.objects.filter(model__provider=version.recorded_by).count() == outputs
