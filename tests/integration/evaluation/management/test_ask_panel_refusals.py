"""What ``ask_panel`` does not ask: one line that says what to do, the exit status 2, and nothing sent or kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from evaluation.models import Answer
from panels.models import Provider
from tests.conftest import REPOSITORY
from tests.factories import make_model, make_panel_version, make_provider

pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--mode", "fast"], "The mode must be budget, quality or a number from 0 to 1, not 'fast'."),
        (["--mode", "1.5"], "The mode must be budget, quality or a number from 0 to 1, not 1.5."),
        (["--mode", "nan"], "The mode must be budget, quality or a number from 0 to 1, not nan."),
        (["--max-cost", "two"], "--max-cost takes an amount of dollars such as 0.02, not two."),
        (["--max-cost", "nan"], "--max-cost takes an amount of dollars such as 0.02, not nan."),
        (["--max-cost", "0"], "--max-cost must be at least 0.000000001 and at most 1000000000 dollars."),
        (["--max-cost", "-1"], "--max-cost must be at least 0.000000001 and at most 1000000000 dollars."),
        (["--max-cost", "1e10"], "--max-cost must be at least 0.000000001 and at most 1000000000 dollars."),
        (["--deadline", "0"], "--deadline must be a number of seconds above 0, not 0."),
        (["--deadline", "soon"], "--deadline must be a number of seconds above 0, not soon."),
        (["--deadline", "inf"], "--deadline must be a number of seconds above 0, not inf."),
        (["--max-age", "-5"], "--max-age must be a number of seconds above 0, not -5."),
        (["--kind", "choice"], "Answer kind choice needs at least two permitted answers: add --choice for each."),
        (["--choice", "A", "--choice", "A"], "Answer kind label needs at least two permitted answers: add --choice"),
        (["--kind", "text", "--choice", "A"], "--choice goes with answer kind label or choice, not with text."),
        (["--sensitive", "Ada"], "--sensitive takes NAME=VALUE, for example customer=Ada Lovelace; Ada has no value."),
        (["--sensitive", "=Ada"], "--sensitive takes NAME=VALUE, for example customer=Ada Lovelace; one has no value."),
        (["--sensitive", "c=Ada L", "--sensitive", "c=Bob M"], "--sensitive names c twice."),
        (["--sensitive", "c=A"], "The sensitive field 'c' holds a single character, which stands in any text."),
        (["--evidence", "/nowhere/text"], "--evidence /nowhere/text cannot be read: "),
        (["--schema", "/nowhere/schema"], "--schema /nowhere/schema cannot be read: "),
        (["--system", "lone \udcff"], "--system is no text in UTF-8."),
    ],
)
def test_a_bad_request_gets_one_line_and_the_status_2(open_desk, arguments, told):
    desk = open_desk(a="One.")
    assert told in desk.ask(*arguments).complaint
    assert desk.desk.asked("a") == 0
    assert not Answer.objects.exists()


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_no_question(open_desk, question):
    assert open_desk(a="One.").ask(question=question).complaint.startswith("The question is empty. Write it after")


@pytest.mark.parametrize("question", ["nul \0", "lone \udcff"])
def test_a_question_is_text(open_desk, question):
    assert open_desk(a="One.").ask(question=question).complaint == "The question is no text in UTF-8."


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (b"[1]", "the schema is not a JSON object"),
        (b'{"type": "array"}', "does not describe an object"),
        (b"\xff", "cannot be read"),
        (b"", "the schema is not a JSON object"),
    ],
)
def test_a_schema_that_cannot_be_used_is_named_with_its_file(open_desk, tmp_path, schema, told):
    path = tmp_path / "schema.json"
    path.write_bytes(schema)
    complaint = open_desk(a="{}").ask("--schema", str(path)).complaint
    assert complaint.startswith(f"--schema {path}")
    assert told in complaint


def test_a_schema_goes_with_objects_alone(open_desk, tmp_path):
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    complaint = open_desk(a="{}").ask("--schema", str(path), "--kind", "text").complaint
    assert complaint == "--schema goes with answer kind json, not with text."


@pytest.mark.parametrize("number", ["two", "", "²", "-1"])
def test_a_version_is_a_number(open_desk, number):
    desk = open_desk(a="One.")
    slug = desk.desk.version.panel.slug
    if not number:
        assert desk.shell.ask(f"{slug}@", "Which?").status == 0
        return
    assert f"“{slug}@{number}” names no version" in desk.shell.ask(f"{slug}@{number}", "Which?").complaint


def test_a_panel_that_is_not_there_is_told_with_those_that_are(open_desk, shell):
    assert shell.ask("none", "Which?").complaint == "There is no panel none. There are: none yet."
    slug = open_desk(a="One.").desk.version.panel.slug
    assert shell.ask("none", "Which?").complaint == f"There is no panel none. There are: {slug}."
    assert shell.ask(f"{slug}@7", "Which?").complaint == f"There is no panel {slug}@7. There are: {slug}."


def test_recorded_models_cannot_be_asked(shell):
    recorded = make_model(provider=make_provider(kind=Provider.Kind.RECORDED), name="kept")
    slug = make_panel_version([[recorded]]).panel.slug
    assert shell.ask(slug, "Which?").complaint == "kept has recorded outputs only; no provider answers for it."


def test_a_key_that_is_not_set_is_named(shell, monkeypatch):
    monkeypatch.delenv("HOUSE_KEY", raising=False)
    provider = make_provider(name="House", kind="openai", api_key_env="HOUSE_KEY")
    slug = make_panel_version([[make_model(provider=provider)]]).panel.slug
    assert shell.ask(slug, "Which?").complaint == "House needs a key: set the environment variable HOUSE_KEY."


@pytest.mark.processes
def test_a_database_without_tables_is_told_with_the_remedy(tmp_path):
    environment = {**os.environ, "QUORUM_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "fusion_site.settings"}
    environment.pop("DATABASE_URL", None)
    asked = subprocess.run(
        [sys.executable, "manage.py", "ask_panel", "any", "Which?"],
        cwd=REPOSITORY,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (asked.returncode, asked.stdout) == (2, "")
    (line,) = asked.stderr.splitlines()
    assert line.startswith("CommandError: the database cannot be used (")
    assert line.endswith("run: python manage.py migrate")
