from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.execution.skills import Labels, UnlabelledData, UnreadableLabels, estimate_skills
from panels.fusion.types import AnswerKind


def _labels(
    folder: Path, items: list[dict[str, Any]], outputs: list[dict[str, Any]], *, scorer: str = "exact"
) -> Labels:
    (folder / "items.jsonl").write_text("\n".join(map(json.dumps, items)))
    (folder / "outputs.jsonl").write_text("\n".join(map(json.dumps, outputs)))
    return Labels(
        items=folder / "items.jsonl",
        recorded=folder / "outputs.jsonl",
        kind=AnswerKind.CHOICE,
        scorer=scorer,
        tolerance=1e-6,
    )


def _item(number: int, reference: str | None = "A") -> dict[str, Any]:
    return {"id": f"q{number}", "prompt": "Which?", "choices": ["A", "B"], "reference": reference}


def _output(number: int, model: str, text: str, **more: Any) -> dict[str, Any]:
    return {"item_id": f"q{number}", "model": model, "text": text, **more}


def test_counts_right_answers_by_model_and_an_abstention_as_wrong(tmp_path: Path) -> None:
    items = [_item(1), _item(2), _item(3, None)]
    outputs = [
        _output(1, "good", "A"),
        _output(2, "good", "A"),
        _output(3, "good", "A"),
        _output(1, "poor", "B"),
        _output(2, "poor", "no idea"),
    ]
    skills = estimate_skills(_labels(tmp_path, items, outputs))
    # q3 has no reference, so good is right in 2 of 2: (2 + 1) / (2 + 2).
    assert skills == {"good": pytest.approx(0.75), "poor": pytest.approx(0.25)}


def test_recorded_labels_need_no_reference(tmp_path: Path) -> None:
    labels = _labels(tmp_path, [_item(1, None)], [_output(1, "m", "B", correct=True)], scorer="recorded")
    assert estimate_skills(labels) == {"m": pytest.approx(2 / 3)}


def test_data_without_references_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnlabelledData, match=r"items\.jsonl has no references"):
        estimate_skills(_labels(tmp_path, [_item(1, None)], [_output(1, "m", "B")]))


@pytest.mark.parametrize(
    ("items", "outputs", "place"),
    [
        ([_item(1), _item(1)], [], r"items\.jsonl:2 id"),
        ([_item(1)], [_output(7, "m", "A")], r"outputs\.jsonl:1 item_id"),
    ],
)
def test_broken_files_are_named_by_line(
    tmp_path: Path, items: list[dict[str, Any]], outputs: list[dict[str, Any]], place: str
) -> None:
    with pytest.raises(UnreadableLabels, match=place):
        estimate_skills(_labels(tmp_path, items, outputs))
