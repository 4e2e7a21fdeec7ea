from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from evaluation.models import Answer, DatasetVersion
from tests.integration.evaluation.json_files import REFERENCES, SCHEMA, write_bills

pytestmark = pytest.mark.django_db(transaction=True)


def test_json_answers_are_fused_field_by_field_and_scored(tmp_path: Path) -> None:
    report = _run(write_bills(tmp_path))

    measured = {arm["name"]: (arm["correct"], arm["abstained"], arm["calls"]) for arm in report["arms"]}
    assert measured == {"large": (3, 0, 4), "three": (3, 0, 12), "weighted": (3, 0, 12), "fitted": (4, 0, 12)}
    merged, agreed, alone, torn = Answer.objects.filter(arm__name="three").order_by("position")
    bill = '{"currency":"CHF","due":"2026-03-01","payee":"Stadtwerke Bern","total":120.5}'
    assert (merged.value, merged.winner_seat, merged.text) == (bill, None, bill)
    assert (merged.correct, merged.score, merged.consensus) == (True, 1.0, pytest.approx(2 / 3))
    assert (agreed.value, agreed.winner_seat, agreed.consensus, agreed.degraded) == (bill, 0, 1.0, [])
    assert (alone.value, alone.winner_seat, alone.consensus) == (bill, 2, pytest.approx(1 / 3))
    assert (torn.value, torn.winner_seat, torn.correct, torn.score) == ('{"payee":"A","total":120.5}', 0, False, 0.25)
    assert torn.degraded == [
        {"kind": "merge_invalid", "reason": "$: 'currency' is a dependency of 'due'", "seat": None}
    ]


def test_the_dataset_keeps_references_and_schemas(tmp_path: Path) -> None:
    _run(write_bills(tmp_path))
    version = DatasetVersion.objects.get()
    example = version.examples.get(item_id="torn")

    assert (version.answer_kind, version.scorer) == ("json", "exact")
    assert json.loads(example.schema) == SCHEMA
    assert json.loads(example.reference or "") == REFERENCES["torn"]


def test_a_reference_that_breaks_its_schema_is_named_and_nothing_is_kept(tmp_path: Path) -> None:
    spec = write_bills(tmp_path)
    items = tmp_path / "items.jsonl"
    items.write_text(items.read_text().replace('"total": 120.5', '"total": "120.5"', 1))

    words = r"items.jsonl:1 reference: this does not satisfy the item's schema \(\$.total: '120.5' is not of type"
    with pytest.raises(CommandError, match=words):
        _run(spec)
    assert not DatasetVersion.objects.exists()


def _run(spec: Path) -> dict[str, Any]:
    out = StringIO()
    call_command("benchmark", str(spec), json=True, stdout=out)
    loaded = json.loads(out.getvalue())
    assert isinstance(loaded, dict)
    return loaded
