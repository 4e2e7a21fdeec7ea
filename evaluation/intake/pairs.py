"""Pair files: two answers to each item, side by side, and the votes that people gave on them where there are any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from evaluation.intake.columns import Role
from evaluation.intake.fields import NativeRow, RowFields
from evaluation.intake.files import Intake, SourceFile
from evaluation.intake.items import MAX_GROUP_CHARS, MAX_ID_CHARS, ItemIndex
from evaluation.intake.native import read_native
from evaluation.intake.outputs import OutputIndex, read_outputs
from evaluation.intake.prompts import read_prompt

MAX_RATER_CHARS = 120
# One word a vote: without strength it is taken as the weaker of the two that our levels have.
_BY_WORD = {0: 3, 1: 2, 2: 4}
# From the first (-2) to the second (2).
_BY_SIGN = {-2: 1, -1: 2, 0: 3, 1: 4, 2: 5}
_WORDS, _USUAL = "labels", "overall"
_NOT_SCALES = frozenset({"raters", "coding", "critiques"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFiles:
    """``outputs`` hold the answers where the rows of ``pairs`` do not."""

    pairs: SourceFile
    outputs: SourceFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """``votes`` are (rater, preference), 1 first much better to 5 second; ``models`` may be empty.

    ``has_strength``: the votes say how much better, where they do not say the same.
    """

    line: int
    item_id: str
    title: str
    prompt: str
    reference: str
    context: str
    group: str
    models: tuple[str, ...]
    first: str | None
    second: str | None
    votes: tuple[tuple[str, int], ...]
    has_strength: bool


def read_pairs(files: PairFiles, intake: Intake, *, scale: str = "") -> list[PairRow]:
    """All pairs of faultless files; what is wrong is in ``intake.problems``.

    ``scale`` names the votes that count where raters gave several; else ``labels``, ``overall`` or the only one.
    """
    index = ItemIndex()
    rows = [*_rows(files.pairs, intake, index, scale)]
    if not rows and not len(intake.problems):
        intake.report(files.pairs, 0, "the file has no rows; send one with at least one pair")
    if files.outputs is not None and not len(intake.problems):
        return _with_outputs(rows, files, files.outputs, intake, index)
    for row in rows:
        _require_texts(row, files, intake)
    return rows


def _rows(source: SourceFile, intake: Intake, index: ItemIndex, scale: str) -> Iterator[PairRow]:
    for native in read_native(source, Role.PAIRS, intake):
        if len(index) >= intake.limits.items:
            intake.report(source, native.line, f"there are more than {intake.limits.items:,} pairs; split the file")
            return
        row = _row(native, source, intake, index, scale)
        if row is not None:
            yield row


def _row(native: NativeRow, source: SourceFile, intake: Intake, index: ItemIndex, scale: str) -> PairRow | None:
    fields = RowFields(native, source, intake)
    item_id = fields.required_text("id", max_chars=MAX_ID_CHARS, what="id")
    seen_on = index.add(item_id, native.line) if item_id else None
    if seen_on is not None:
        fields.refuse("id", f"“{item_id}” is already the id of line {seen_on}; give each pair its own")
    prompt, title = read_prompt(fields)
    name = _scale(fields.mapping("human_pairwise"), scale)
    row = PairRow(
        line=native.line,
        item_id=item_id,
        title=title,
        prompt=prompt,
        reference=fields.text("reference") or "",
        context=_context(fields),
        group=fields.short_text("group", max_chars=MAX_GROUP_CHARS),
        models=_models(fields),
        first=fields.text("first"),
        second=fields.text("second"),
        votes=_votes(fields, name),
        has_strength=name != _WORDS,
    )
    return row if fields.ok else None


def _context(fields: RowFields) -> str:
    passages = fields.texts("context") if isinstance(fields.raw("context"), list) else (fields.text("context"),)
    return "\n\n".join(passage for passage in passages if passage)


def _models(fields: RowFields) -> tuple[str, ...]:
    """Who answered first and second, where ``meta.pair`` says so."""
    pair = fields.mapping("meta").get("pair")
    if pair is None:
        return ()
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(name, str) for name in pair) and pair[0] != pair[1]:
        return (pair[0], pair[1])
    fields.refuse("meta", 'pair is not two different models; write {"pair": ["first", "second"]}')
    return ()


def _votes(fields: RowFields, name: str) -> tuple[tuple[str, int], ...]:
    given = fields.mapping("human_pairwise")
    if not given:
        return ()
    values = given.get(name)
    if not isinstance(values, list):
        known = ", ".join(_scales(given)) or "none"
        fields.refuse("human_pairwise", f"there are no votes called “{name}” (there are: {known}); name one of them")
        return ()
    raters = _raters(given.get("raters"), len(values))
    if raters is None:
        fields.refuse("human_pairwise", "raters does not name one different person for each vote; name them all")
        return ()
    return tuple(_levels(fields, name, raters, values))


def _raters(given: object, votes: int) -> list[str] | None:
    """None unless they are different people, one for each vote."""
    if not isinstance(given, list) or len(given) != votes:
        return None
    names = [rater for rater in given if isinstance(rater, str) and 0 < len(rater.strip()) <= MAX_RATER_CHARS]
    return names if len(set(names)) == votes else None


def _scale(given: Mapping[str, object], scale: str) -> str:
    scales = _scales(given)
    usual = [name for name in (_WORDS, _USUAL) if name in scales]
    return scale or (usual or scales or [_WORDS])[0]


def _scales(given: Mapping[str, object]) -> list[str]:
    return [name for name, values in given.items() if name not in _NOT_SCALES and isinstance(values, list)]


def _levels(fields: RowFields, name: str, raters: Sequence[str], values: Sequence[object]) -> Iterator[tuple[str, int]]:
    """Null is a rater who gave no vote."""
    levels = _BY_WORD if name == _WORDS else _BY_SIGN
    for rater, value in zip(raters, values, strict=True):
        if type(value) is int and value in levels:
            yield rater, levels[value]
        elif value is not None:
            known = "0 tie, 1 first, 2 second" if levels is _BY_WORD else "-2 first much better to 2 second much better"
            fields.refuse("human_pairwise", f"the vote {value!r} of {rater} in “{name}” is none of {known}; correct it")


def _with_outputs(
    rows: Sequence[PairRow], files: PairFiles, outputs: SourceFile, intake: Intake, index: ItemIndex
) -> list[PairRow]:
    texts: dict[int, dict[str, str]] = {}
    for output in read_outputs(outputs, intake, items=index, index=OutputIndex(len(index))):
        texts.setdefault(output.position, {})[output.model] = output.text
    if len(intake.problems):
        return [*rows]
    return [_joined(row, texts.get(position, {}), files, intake) for position, row in enumerate(rows)]


def _joined(row: PairRow, texts: Mapping[str, str], files: PairFiles, intake: Intake) -> PairRow:
    """The models that ``meta.pair`` names, else the two that there are, in the order of the file."""
    models = row.models or tuple(texts)
    missing = [model for model in models if model not in texts]
    if missing or len(models) != 2:
        found = ", ".join(texts) or "none"
        wanted = " and ".join(row.models) or "two models"
        message = f"“{row.item_id}” needs an output of {wanted}, found: {found}; add or remove outputs"
        intake.report(files.pairs, row.line, message, field="id")
        return row
    return replace(row, models=models, first=texts[models[0]], second=texts[models[1]])


def _require_texts(row: PairRow, files: PairFiles, intake: Intake) -> None:
    for field, text in (("first", row.first), ("second", row.second)):
        if text is None:
            message = "the answer is missing; give every pair two, or send the models’ outputs as a second file"
            intake.report(files.pairs, row.line, message, field=field)
