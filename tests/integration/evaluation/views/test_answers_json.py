from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group
from django.core.management import call_command

from evaluation.models import Answer, Call, RecordedOutput
from evaluation.selectors.answers import answers_with_lineage, trace_of
from evaluation.selectors.fields import FieldTable
from evaluation.selectors.items import ItemFilter
from tests.integration.evaluation.json_files import BILL, SCHEMA, write_bills

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def groups(transactional_db: None) -> None:
    """The migration's group: a test with transactions of its own empties the tables behind it."""
    Group.objects.get_or_create(name="viewer")


@pytest.fixture
def bills(tmp_path: Path) -> dict[str, Answer]:
    """The answers of three members by item."""
    call_command("benchmark", str(write_bills(tmp_path)), json=True)
    return {answer.example.item_id: answer for answer in answers_with_lineage().filter(arm__name="three")}


def fields_of(answer: Answer) -> FieldTable:
    found = trace_of(answers_with_lineage().get(pk=answer.pk), wanted=ItemFilter()).fields
    assert found is not None
    return found


def shares(answer: Answer) -> dict[str, float | None]:
    return {row.name: row.consensus and round(row.consensus, 2) for row in fields_of(answer).rows}


def table_of(client, answer: Answer) -> list[list[str]]:
    page = BeautifulSoup(client.get(f"/answers/{answer.pk}/").content, "html.parser")
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in page.select("#fields tr")
    ]


def test_each_field_stands_beside_the_reference_and_every_member(viewer, bills):
    head, *rows = table_of(viewer, bills["merged"])

    assert head == ["Field", "Panel answer", "Reference", "Consensus share", "small", "medium", "large"]
    assert rows == [
        ["currency", "CHF", "CHF", "0.67", "CHF", "CHF", "Differs: EUR"],
        ["due", "2026-03-01", "2026-03-01", "0.67", "2026-03-01", "Differs: 2026-01-03", "2026-03-01"],
        ["payee", "Stadtwerke Bern", "Stadtwerke Bern", "0.67", "Stadtwerke Bern", "Stadtwerke Bern", "Differs: Post"],
        ["total", "120.5", "120.5", "0.67", "Differs: 12.05", "120.5", "120.5"],
    ]


def test_a_merge_is_told_from_what_a_member_said(viewer, bills):
    words = "No member said exactly this: it is made of the fields that won."

    assert words in viewer.get(f"/answers/{bills['merged'].pk}/").content.decode()
    assert words not in viewer.get(f"/answers/{bills['agreed'].pk}/").content.decode()


def test_agreeing_within_the_tolerance_is_no_difference(bills):
    table = fields_of(bills["agreed"])

    assert not any(cell.differs for row in table.rows for _, cell in row.members)
    assert set(shares(bills["agreed"]).values()) == {1.0}
    assert set(Call.objects.filter(answer=bills["agreed"]).values_list("group", flat=True)) == {0}


def test_a_member_without_a_ballot_is_silent_and_counts(viewer, bills):
    *_, total = table_of(viewer, bills["alone"])

    assert total == ["total", "120.5", "120.5", "0.33", "no ballot", "no ballot", "120.5"]


def test_why_a_member_has_no_ballot_is_said(viewer, bills):
    assert fields_of(bills["alone"]).silent == (
        ("small", "the answer is not one whole JSON object"),
        ("medium", "$.total: '120.50' is not of type 'number'"),
    )
    Call.objects.filter(answer=bills["alone"], seat=0).update(outcome="timeout")
    RecordedOutput.objects.filter(calls__answer=bills["alone"], model__name="medium").update(has_predicted=True)
    assert fields_of(bills["alone"]).silent == (
        ("small", "timed out"),
        ("medium", "the answer is not one whole JSON object"),
    )
    page = BeautifulSoup(viewer.get(f"/answers/{bills['alone'].pk}/").content, "html.parser")
    assert "small has no ballot: timed out." in page.select_one("#fields").get_text(" ", strip=True)


def test_without_any_ballot_the_reasons_stand_alone(viewer, bills):
    Call.objects.filter(answer=bills["alone"]).update(ballot=None, group=None)
    none = {"outcome": "abstained", "value": None, "winner_seat": None, "text": "", "consensus": 0}
    Answer.objects.filter(pk=bills["alone"].pk).update(**none)
    section = BeautifulSoup(viewer.get(f"/answers/{bills['alone'].pk}/").content, "html.parser").select_one("#fields")

    assert section.find("table") is None
    assert "No member gave an answer that can be read." in section.get_text()
    assert section.get_text().count("has no ballot") == 3


def test_many_members_share_a_column_of_who_differs(viewer, bills, monkeypatch):
    monkeypatch.setattr("evaluation.selectors.fields._COLUMNS", 2)
    head, currency, *_ = table_of(viewer, bills["merged"])
    assert head == ["Field", "Panel answer", "Reference", "Consensus share", "Who differs"]
    assert currency == ["currency", "CHF", "CHF", "0.67", "large EUR"]
    assert table_of(viewer, bills["torn"])[1][-1] == "medium EUR large CHF"
    assert table_of(viewer, bills["agreed"])[1][-1] == "nobody"


def test_fields_left_out_and_wrong_ones_are_said(viewer, bills):
    _, currency, _due, payee, _total = table_of(viewer, bills["torn"])

    assert currency == ["currency", "left out", "Differs: CHF", "0.33", "left out", "Differs: EUR", "Differs: CHF"]
    assert payee == ["payee", "A", "Differs: C", "0.33", "A", "Differs: B", "Differs: C"]
    page = viewer.get(f"/answers/{bills['torn'].pk}/").content.decode()
    assert "do not satisfy the schema ($: &#x27;currency&#x27; is a dependency of &#x27;due&#x27;)" in page


def test_weights_count_where_the_strategy_says_so(bills):
    weighted = Answer.objects.get(arm__name="weighted", example__item_id="merged")

    assert shares(weighted) == {"currency": 0.71, "due": 0.86, "payee": 0.71, "total": 0.86}


def test_a_stage_that_settled_counts_alone(bills):
    answer = bills["merged"]
    Call.objects.filter(answer=answer, seat=2).update(stage=1)
    Answer.objects.filter(pk=answer.pk).update(stages_called=2, settled=True, winner_seat=2)

    assert set(shares(answer).values()) == {1.0}


def test_a_field_that_no_member_names_has_no_vote(viewer, bills):
    Answer.objects.filter(pk=bills["merged"].pk).update(value='{"payee": "A", "paid": true}')
    rows = {row[0]: row for row in table_of(viewer, bills["merged"])}

    assert rows["paid"] == ["paid", "true", "Differs: left out", "not voted on", *["Differs: left out"] * 3]


def test_an_answer_without_a_reference_is_not_compared(viewer, bills):
    example = bills["merged"].example
    example.reference, example.references = None, []
    example.save()

    assert table_of(viewer, bills["merged"])[0] == [
        "Field",
        "Panel answer",
        "Consensus share",
        "small",
        "medium",
        "large",
    ]


def test_runs_before_strategies_were_stored_count_as_their_panel_does(bills):
    Answer.objects.update(strategy="")
    weighted = Answer.objects.get(arm__name="weighted", example__item_id="merged")

    assert shares(weighted)["due"] == 0.86


def test_answers_of_another_kind_have_no_fields(bills):
    version = bills["agreed"].run.experiment.dataset_version
    version.answer_kind = "short"
    version.save()

    assert trace_of(answers_with_lineage().get(pk=bills["agreed"].pk), wanted=ItemFilter()).fields is None


def test_answers_are_short_where_there_is_little_room(viewer, bills):
    page = BeautifulSoup(viewer.get(f"/answers/{bills['merged'].pk}/").content, "html.parser")
    assert "currency CHF, due 2026-03-01, payee Stadtwerke Bern, total 120.5" in page.select_one(".meta").get_text()
    assert "1 of 3 members agree in every field" in page.select_one("tr.gate").get_text()

    items = viewer.get(f"/runs/{bills['merged'].run_id}/items/").content.decode()
    assert "currency CHF, due 2026-03-0…" in items


def test_the_dataset_says_its_kind_and_shows_and_exports_what_it_holds(viewer, bills):
    version = bills["merged"].run.experiment.dataset_version
    url = f"/datasets/{version.dataset.slug}/"
    page = BeautifulSoup(viewer.get(url).content, "html.parser")

    facts = page.select_one("dl.kv").get_text(" ", strip=True)
    assert "Answer kind JSON" in facts
    assert "Tolerance 0.000001, relative" in facts
    assert "currency CHF, due 2026-03-01, payee Stadtwerke Bern, total 120.5" in page.select_one("#rows").get_text()
    rows = [json.loads(line) for line in b"".join(viewer.get(f"{url}?export=jsonl")).decode().splitlines()]
    assert json.loads(rows[0]["schema"]) == SCHEMA
    assert json.loads(rows[0]["reference"]) == BILL
