"""The rows of the item table as a download has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evaluation.models import Answer, Arm, Run
from evaluation.selectors.items import ItemFilter, chosen_arm, filtered_answers
from fusion_site.lib.paging import page_of
from panels.fusion.pricing import dollars_from_nanousd

EXPORT_COLUMNS = (
    "position", "item_id", "arm", "outcome", "answer", "reference", "correct", "score", "consensus", "confidence",
    "stages_called", "calls", "cost_usd", "latency_s", "versus_baseline",
)  # fmt: skip
_EXPORT_PAGE = 1_000


def export_items(run: Run, *, arms: Sequence[Arm], wanted: ItemFilter) -> Iterator[dict[str, Any]]:
    """Every row the filter leaves, in its order, a thousand read at a time."""
    arm = chosen_arm(arms, wanted.arm)
    answers = filtered_answers(run, arm=arm, wanted=wanted).select_related("example").defer("example__prompt")
    key: str | None = ""
    while key is not None:
        page = page_of(answers, order=wanted.order, after=key, size=_EXPORT_PAGE)
        yield from (_exported(answer, arm) for answer in page.rows)
        key = page.next_key


def _exported(answer: Answer, arm: Arm) -> dict[str, Any]:
    cost, example = answer.cost_nanousd, answer.example
    assert example is not None  # of a run
    return {
        "position": answer.position,
        "item_id": example.item_id,
        "arm": arm.name,
        "outcome": answer.outcome,
        "answer": answer.value,
        "reference": example.reference,
        "correct": answer.correct,
        "score": answer.score,
        "consensus": answer.consensus,
        "confidence": answer.confidence,
        "stages_called": answer.stages_called,
        "calls": answer.call_count,
        "cost_usd": None if cost is None else float(dollars_from_nanousd(cost)),
        "latency_s": answer.latency_s,
        "versus_baseline": answer.versus or None,
    }
