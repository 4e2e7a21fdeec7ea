"""What a run that masks shows to whom: its examples under placeholders, and what comes back as it may be kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evaluation.scorers import ScoredExample
from panels.fusion.json_text import canonical_json, read_object
from panels.fusion.privacy.cover import Cover, UnmaskableSchema, cover_of
from panels.fusion.privacy.detectors import MaskingBlocked
from panels.fusion.privacy.masking import MASKING_VERSION
from panels.fusion.privacy.unmasking import unmask
from panels.fusion.privacy.values import SensitiveValueTooShort
from panels.fusion.types import AnswerKind, Failure, FailureKind, Reply

FIELDS_KEY = "fields"
_MOST_COUNTED = 32_767


class FieldsUnreadable(ValueError):
    """Nothing was sent: the example names no values, so those of its marked fields cannot be found."""

    def __init__(self) -> None:
        super().__init__(
            'The "fields" of this example are no object, so what is marked as sensitive in them cannot be found. '
            'Nothing was sent. Import the dataset again with {"name": "value"}.'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """An example as members see it, its accepted answers masked with the same map."""

    cover: Cover
    scored: ScoredExample


def cover_example(scored: ScoredExample, *, meta: Mapping[str, Any], fields: Sequence[str]) -> Covered | Failure:
    """Masks the values of ``fields`` first and then what patterns find; a failure names the field, never its value.

    The context comes last, so that the placeholders of all else are the same whether it was read or not.
    """
    question = scored.question
    try:
        cover = cover_of(question, sensitive_values_of(meta, fields))
        asked = cover.question(replace(question, evidence=""))
        reference = None if scored.reference is None else _masked_answer(scored.reference, cover, question.kind)
        references = tuple(_masked_answer(text, cover, question.kind) for text in scored.references)
        evidence = cover.question(replace(question, schema="", choices=())).evidence
    except (FieldsUnreadable, MaskingBlocked, SensitiveValueTooShort, UnmaskableSchema) as refusal:
        return Failure(kind=FailureKind.MASKING, detail=str(refusal))
    asked = replace(asked, evidence=evidence)
    return Covered(cover=cover, scored=replace(scored, question=asked, reference=reference, references=references))


def unasked(scored: ScoredExample) -> ScoredExample:
    """What is left of an example that could not be masked: nothing that could be sent."""
    return replace(scored, question=replace(scored.question, messages=(), evidence="", schema=""))


def sensitive_values_of(meta: Mapping[str, Any], fields: Sequence[str]) -> dict[str, str]:
    """The values of the marked fields that an example has. Of several values in one field, each has a number.

    A field is looked for among the example's ``fields``, then in the rest of ``meta``. Raises FieldsUnreadable.
    """
    values = meta.get(FIELDS_KEY) or {}
    if fields and not isinstance(values, dict):
        raise FieldsUnreadable
    found: dict[str, str] = {}
    for name in fields:
        leaves = list(_leaves(values.get(name, meta.get(name))))
        found |= {name if len(leaves) == 1 else f"{name} {number}": leaf for number, leaf in enumerate(leaves, 1)}
    return found


def masking_note(fields: Sequence[str], cover: Cover | None) -> dict[str, Any]:
    """What is recorded of how an answer's prompt was masked; without a cover it was not asked at all."""
    places = {} if cover is None else dict(sorted(cover.counts.items()))
    return {"version": MASKING_VERSION, "fields": list(fields), "places": places}


def covered_recording(result: Reply | Failure, cover: Cover, kind: AnswerKind) -> Reply | Failure:
    """A recorded output as if placeholders had been asked about."""
    if isinstance(result, Failure):
        return result
    recorded = result.recorded
    try:
        if recorded is not None and recorded.predicted is not None:
            recorded = replace(recorded, predicted=_masked_answer(recorded.predicted, cover, kind))
        return replace(result, text=_masked_answer(result.text, cover, kind), recorded=recorded)
    except MaskingBlocked as refusal:
        return Failure(kind=FailureKind.MASKING, detail=str(refusal))


def placeholder_columns(result: Reply | Failure, cover: Cover | None, *, saw_them: bool) -> dict[str, int | None]:
    """How many placeholders a kept reply holds, and how many of them stand for nothing.

    Nobody can have lost what it never saw: an in-house member, a recorded output.
    """
    if cover is None or cover.placeholder_map is None or isinstance(result, Failure):
        return {"placeholders": None, "placeholders_lost": None}
    count = unmask(result.text, cover.placeholder_map).count
    lost = min(_MOST_COUNTED, count.lost) if saw_them else None
    return {"placeholders": min(_MOST_COUNTED, count.total), "placeholders_lost": lost}


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _masked_answer(text: str, cover: Cover, kind: AnswerKind) -> str:
    """In JSON value by value, so that it stays JSON."""
    found = read_object(text) if kind is AnswerKind.JSON else None
    return cover.mask(text) if found is None else canonical_json(_masked_values(found, cover))


def _masked_values(value: Any, cover: Cover) -> Any:
    if isinstance(value, dict):
        return {name: _masked_values(each, cover) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked_values(each, cover) for each in value]
    if value is None or isinstance(value, bool):
        return value
    masked = cover.mask(str(value))
    return value if masked == str(value) else masked
