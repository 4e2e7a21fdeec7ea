from __future__ import annotations

import json

import pytest

from evaluation.scorers import SCORERS, Score, ScoredExample
from panels.fusion.fuse import fuse_alone
from panels.fusion.types import Failure, Member, Reply
from tests.unit.panels.fusion.fused import DEAD, json_question, reply

SCHEMA = {
    "properties": {
        "name": {"type": "string"},
        "total": {"type": "number"},
        "currency": {"enum": ["EUR", "eur", "USD"]},
        "lines": {"type": "array"},
        "note": {"type": "string", "maxLength": 1000},
    }
}
REFERENCE = {"name": "The Baird Company", "total": 1250.5, "currency": "EUR", "lines": [{"b": 1, "a": 2}]}


def _score(result: Reply | Failure, *references: object, schema: object = SCHEMA, tolerance: float = 1e-6) -> Score:
    question = json_question(schema, tolerance=tolerance)
    fused = fuse_alone(question=question, member=Member(model="m"), result=result)
    texts = tuple(json.dumps(reference, indent=1) for reference in references)
    score = SCORERS["exact"](fused, ScoredExample(question=question, reference=texts[0], references=texts[1:]))
    assert score is not None
    return score


def _said(**changes: object) -> Reply:
    answer = {name: value for name, value in (REFERENCE | changes).items() if value != "left out"}
    return reply(json.dumps(answer))


def test_each_field_is_right_under_its_own_kind() -> None:
    changed = _said(name="the baird company.", total=1250.5000001, lines=[{"a": 2, "b": 1.0}])

    assert _score(changed, REFERENCE) == Score(correct=True, share=1.0)


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({"total": 1250.6}, 0.75),
        ({"currency": "eur"}, 0.75),
        ({"lines": [{"a": 1, "b": 2}]}, 0.75),
        ({"name": "Baird"}, 0.75),
        ({"name": "left out", "total": "left out"}, 0.5),
        ({"note": "invented"}, 1.0),
    ],
)
def test_the_share_is_of_the_references_fields(changes: dict[str, object], share: float) -> None:
    assert _score(_said(**changes), REFERENCE) == Score(correct=False, share=share)


def test_a_tolerance_is_the_datasets() -> None:
    assert _score(_said(total=1251), REFERENCE, tolerance=0.01).correct
    assert not _score(_said(total=1251), REFERENCE).correct


def test_of_several_references_the_closest_counts() -> None:
    other = REFERENCE | {"total": 7, "name": "Zenith"}

    assert _score(_said(total=7), other, REFERENCE) == Score(correct=False, share=0.75)
    assert _score(_said(), other, REFERENCE) == Score(correct=True, share=1.0)


def test_an_abstention_is_wrong() -> None:
    assert _score(DEAD, REFERENCE) == Score(correct=False, share=0.0)
    assert _score(reply('{"total": "much"}'), REFERENCE) == Score(correct=False, share=0.0)


def test_an_empty_reference_is_met_by_an_empty_answer() -> None:
    assert _score(reply("{}"), {}) == Score(correct=True, share=1.0)
    assert _score(reply('{"a": 1}'), {}, schema=None) == Score(correct=False, share=0.0)


def test_without_a_readable_reference_it_is_unscored() -> None:
    question = json_question(SCHEMA)
    fused = fuse_alone(question=question, member=Member(model="m"), result=_said())

    assert SCORERS["exact"](fused, ScoredExample(question=question, reference=None)) is None
    assert SCORERS["exact"](fused, ScoredExample(question=question, reference="a text")) is None
