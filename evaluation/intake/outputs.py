"""Recorded outputs: checked rows of the file that says what models answered to the items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from evaluation.intake.columns import Role
from evaluation.intake.fields import RowFields
from evaluation.intake.files import Intake, SourceFile
from evaluation.intake.items import MAX_ID_CHARS, ItemIndex
from evaluation.intake.native import read_native
from panels.fusion.json_text import read_object
from panels.fusion.types import AnswerKind

MAX_MODEL_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A model's output for the item at ``position``. ``predicted`` counts where ``has_predicted``."""

    line: int
    position: int
    model: str
    text: str
    has_predicted: bool
    predicted: str | None
    correct: bool | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_s: float | None


class OutputIndex:
    """Which item and model have an output already: one bit for each pair."""

    def __init__(self, items: int) -> None:
        self._bytes = items // 8 + 1
        self._seen: dict[str, bytearray] = {}

    @property
    def models(self) -> tuple[str, ...]:
        """In the order in which they first appeared."""
        return tuple(self._seen)

    def add(self, position: int, model: str) -> bool:
        """False if the pair was there."""
        bits = self._seen.get(model)
        if bits is None:
            bits = self._seen[model] = bytearray(self._bytes)
        byte, bit = position >> 3, 1 << (position & 7)
        if bits[byte] & bit:
            return False
        bits[byte] |= bit
        return True


def read_outputs(
    source: SourceFile,
    intake: Intake,
    *,
    items: ItemIndex,
    index: OutputIndex,
    kind: AnswerKind | None = None,
    items_complete: bool = True,
) -> Iterator[Output]:
    """The file's outputs; ``index`` is filled on the way.

    Where the items were not complete, an output for an unknown item says nothing and is passed over.
    """
    for row in read_native(source, Role.RECORDED, intake):
        if not items_complete and items.position_of(str(row.values.get("item_id")).strip()) is None:
            continue
        output = _read_output(RowFields(row, source, intake), kind, items, index)
        if output is not None:
            yield output
        if len(index.models) > intake.limits.models:
            intake.report(source, row.line, f"there are more than {intake.limits.models} models; split the file")
            return


def _read_output(fields: RowFields, kind: AnswerKind | None, items: ItemIndex, index: OutputIndex) -> Output | None:
    item_id = fields.required_text("item_id", max_chars=MAX_ID_CHARS, what="item id")
    model = fields.required_text("model", max_chars=MAX_MODEL_CHARS, what="model")
    position = _place(fields, item_id, model, items, index) if fields.ok else 0
    output = Output(
        line=fields.line,
        position=position,
        model=model,
        text=_read_text(fields),
        has_predicted=fields.has("predicted"),
        predicted=_read_predicted(fields, kind),
        correct=fields.flag("correct"),
        prompt_tokens=fields.count("prompt_tokens"),
        completion_tokens=fields.count("completion_tokens"),
        latency_s=fields.number("latency_s"),
    )
    return output if fields.ok else None


def _place(fields: RowFields, item_id: str, model: str, items: ItemIndex, index: OutputIndex) -> int:
    position = items.position_of(item_id)
    if position is None:
        fields.refuse("item_id", f"no item has the id “{item_id}”; add the item or remove this output")
        return 0
    if not index.add(position, model):
        fields.refuse("model", f"item “{item_id}” has two outputs of “{model}”; keep one")
    return position


def _read_predicted(fields: RowFields, kind: AnswerKind | None) -> str | None:
    is_json = kind is AnswerKind.JSON
    predicted = fields.text("predicted", objects=is_json)
    if is_json and predicted is not None and read_object(predicted) is None:
        fields.refuse("predicted", 'this is not a JSON object; write {"field": value}, or null if it could not be read')
    return predicted


def _read_text(fields: RowFields) -> str:
    """The model's words. They may be empty; where a parsed answer stands for them they may be absent."""
    if not fields.has("text") and not fields.has("predicted"):
        fields.refuse("text", "the text of the output is missing; give every row one, empty if the model said nothing")
    return fields.text("text") or ""


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def canonical_output(output: Output) -> bytes:
    """The output's content as bytes, the same for the same content however its file was written."""
    answer = [output.has_predicted, output.predicted, output.correct]
    usage = [output.prompt_tokens, output.completion_tokens, output.latency_s]
    # The text follows as it is, its length before it: to quote the bulk of the data would cost as much as reading it.
    facts = _encode([output.position, output.model, *answer, *usage, len(output.text)])
    return f"{facts}{output.text}".encode()
