"""Benchmark items: checked rows of the items file."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from evaluation.intake.columns import Role
from evaluation.intake.fields import NativeRow, RowFields
from evaluation.intake.files import Intake, SourceFile
from evaluation.intake.json_answers import check_references, may_be_json, read_schema, writes_objects
from evaluation.intake.native import read_native
from evaluation.intake.prompts import read_prompt
from panels.fusion.answers import canonical
from panels.fusion.types import AnswerKind, Question

MAX_ID_CHARS = 200
MAX_GROUP_CHARS = 200
CLOSED_KINDS = frozenset({AnswerKind.CHOICE, AnswerKind.LABEL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One benchmark item as it is stored; ``prompt`` is the JSON text of its chat messages, ``schema`` is JSON too.

    ``is_object``: the file writes a reference as an object, not as a text.
    """

    line: int
    position: int
    item_id: str
    title: str
    prompt: str
    reference: str | None
    references: tuple[str, ...]
    choices: tuple[str, ...]
    context: str
    group: str
    meta: dict[str, object]
    schema: str = ""
    is_object: bool = False

    @property
    def accepted(self) -> tuple[str, ...]:
        return self.references or (() if self.reference is None else (self.reference,))


class ItemIndex:
    """Ids of the items by digest: position and line. About 150 bytes an item, whatever the ids' length."""

    def __init__(self) -> None:
        self._positions: dict[bytes, int] = {}
        self._lines = array("L")

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, item_id: str, line: int) -> int | None:
        """The line on which the id was seen before, None for a new one."""
        digest = _digest(item_id)
        known = self._positions.get(digest)
        if known is not None:
            return self._lines[known]
        self._positions[digest] = len(self._lines)
        self._lines.append(line)
        return None

    def position_of(self, item_id: str) -> int | None:
        return self._positions.get(_digest(item_id))


def _digest(item_id: str) -> bytes:
    # 12 bytes take no more memory than 8 in a bytes object and make a chance collision a matter of 10^-16.
    return blake2b(item_id.encode(), digest_size=12).digest()


def read_items(
    source: SourceFile, intake: Intake, *, kind: AnswerKind | None, choices_needed: bool, index: ItemIndex
) -> Iterator[Item]:
    """The file's items, positions from 0; ``index`` is filled on the way.

    ``kind`` None is one that is still to be inferred. ``choices_needed``: texts have to be read, for which a closed
    kind needs its choices; recorded outputs may bring their parsed answers.
    """
    for row in read_native(source, Role.ITEMS, intake):
        if len(index) >= intake.limits.items:
            intake.report(source, row.line, f"there are more than {intake.limits.items:,} items; split the file")
            return
        item = _read_item(row, source, intake, kind, choices_needed, index)
        if item is not None:
            yield item


def _read_item(
    row: NativeRow, source: SourceFile, intake: Intake, kind: AnswerKind | None, choices_needed: bool, index: ItemIndex
) -> Item | None:
    fields = RowFields(row, source, intake)
    item_id = fields.required_text("id", max_chars=MAX_ID_CHARS, what="id")
    seen_on = index.add(item_id, row.line) if item_id else None
    if seen_on is not None:
        fields.refuse("id", f"“{item_id}” is already the id of line {seen_on}; give each item its own")
    prompt, title = read_prompt(fields)
    choices = _read_choices(fields, kind, choices_needed)
    objects = may_be_json(kind)
    schema = read_schema(fields) if objects else ""
    reference, references = fields.text("reference", objects=objects), fields.texts("references", objects=objects)
    if choices and (kind is None or kind in CLOSED_KINDS):
        _check_references(fields, reference, references, choices)
    if objects:
        check_references(fields, kind, reference=reference, references=references, schema=schema)
    item = Item(
        line=row.line,
        position=len(index) - 1,
        item_id=item_id,
        title=title,
        prompt=prompt,
        reference=reference,
        references=references,
        choices=choices,
        context=_read_context(fields),
        group=fields.short_text("group", max_chars=MAX_GROUP_CHARS),
        meta=_read_meta(fields),
        schema=schema,
        is_object=writes_objects(fields),
    )
    return item if fields.ok else None


def _read_choices(fields: RowFields, kind: AnswerKind | None, needed: bool) -> tuple[str, ...]:
    """None after a refusal, so that references are not held against choices that are wrong themselves."""
    choices = fields.texts("choices")
    if len(set(choices)) < len(choices):
        fields.refuse("choices", "a choice stands there twice; remove one")
    elif not all(choice.strip() for choice in choices):
        fields.refuse("choices", "a choice is empty; remove it or give it a text")
    elif not choices and needed and kind in CLOSED_KINDS:
        fields.refuse("choices", f"the choices are missing, which answer kind {kind} needs; list them")
    else:
        return choices
    return ()


def _check_references(
    fields: RowFields, reference: str | None, references: tuple[str, ...], choices: tuple[str, ...]
) -> None:
    question = Question(item_id="", messages=(), kind=AnswerKind.CHOICE, choices=choices)
    for field, values in (("reference", () if reference is None else (reference,)), ("references", references)):
        outside = next((value for value in values if canonical(value, question=question) not in choices), None)
        if outside is not None:
            shown = ", ".join(choices[:12]) + (" …" if len(choices) > 12 else "")
            fields.refuse(field, f"“{outside[:60]}” is not one of the choices ({shown}); correct it or add the choice")


def _read_context(fields: RowFields) -> str:
    """A text, or a list of passages, which are kept with a blank line between them."""
    if isinstance(fields.raw("context"), list):
        return "\n\n".join(fields.texts("context"))
    return fields.text("context") or ""


def _read_meta(fields: RowFields) -> dict[str, object]:
    """``fields`` are named values of the prompt. Where they are written in ``meta``, they must be named as well."""
    meta, named = fields.mapping("meta"), fields.mapping("fields")
    if not isinstance(meta.get("fields") or {}, dict):
        fields.refuse("meta", 'its "fields" are not an object; write {"fields": {"name": value}}')
    return meta | {"fields": named} if named else meta


def canonical_item(item: Item) -> bytes:
    """The item's content as bytes, the same for the same content however its file was written."""
    content: list[object] = [
        item.item_id,
        item.prompt,
        item.reference,
        item.references,
        item.choices,
        item.context,
        item.group,
    ]
    # What has no schema keeps the bytes that it had before there were any.
    content += [item.meta, item.schema] if item.schema else [item.meta]
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
