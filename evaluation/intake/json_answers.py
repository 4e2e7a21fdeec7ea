"""What an item with a JSON answer brings: the schema, and references that satisfy it."""

from __future__ import annotations

from evaluation.intake.fields import RowFields, written
from panels.fusion.json_text import canonical_json, read_object
from panels.fusion.schemas import schema_problem, violation
from panels.fusion.types import AnswerKind

_REMEDY = 'write {"field": value} with each field once'


def may_be_json(kind: AnswerKind | None) -> bool:
    """Whether objects are taken for answers: told so, or still to be inferred."""
    return kind is None or kind is AnswerKind.JSON


def writes_objects(fields: RowFields) -> bool:
    """Whether a reference is written as an object, and not as the text of one."""
    several = fields.raw("references")
    return any(
        isinstance(raw, dict) for raw in [fields.raw("reference"), *(several if isinstance(several, list) else ())]
    )


def read_schema(fields: RowFields) -> str:
    """The schema's canonical text; empty if there is none, and after a refusal."""
    raw = fields.raw("schema")
    if raw is None:
        return ""
    text = raw if isinstance(raw, str) else written(raw)
    problem = schema_problem(text)
    if problem:
        fields.refuse("schema", problem)
        return ""
    return canonical_json(read_object(text))


def check_references(
    fields: RowFields, kind: AnswerKind | None, *, reference: str | None, references: tuple[str, ...], schema: str
) -> None:
    """Refuses a reference that is no object, if the kind was told, and one that breaks the item's schema."""
    for field, texts in (("reference", () if reference is None else (reference,)), ("references", references)):
        problem = next(filter(None, (_problem(text, kind, schema) for text in texts)), "")
        if problem:
            fields.refuse(field, problem)


def _problem(text: str, kind: AnswerKind | None, schema: str) -> str:
    answer = read_object(text)
    if answer is None:
        return f"this is not a JSON object; {_REMEDY}" if kind is AnswerKind.JSON or schema else ""
    broken = violation(answer, schema=schema)
    return f"this does not satisfy the item's schema ({broken}); correct it or the schema" if broken else ""
