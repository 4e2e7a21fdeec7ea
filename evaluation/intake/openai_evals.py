"""Samples of OpenAI Evals: ``input`` (messages or text) and ``ideal`` (one accepted answer or a list)."""

from __future__ import annotations

from collections.abc import Mapping

from evaluation.intake.fields import NativeRow
from evaluation.intake.formats import Row

NAMES = {"prompt": "input", "reference": "ideal", "references": "ideal"}
# Few-shot examples are written as system messages that carry one of these names.
_EXAMPLE_ROLES = {"example_user": "user", "example_assistant": "assistant"}


def is_sample(values: Mapping[str, object]) -> bool:
    return "input" in values and "ideal" in values and "prompt" not in values


def native_sample(row: Row, number: int) -> NativeRow:
    """The sample as an example; ``number`` (from 1) makes the id where it has none."""
    ideal = row.values["ideal"]
    accepted = ideal if isinstance(ideal, list) else [] if ideal is None else [ideal]
    values = row.values | {
        "id": row.values.get("id") or f"sample-{number}",
        "prompt": _with_example_roles(row.values["input"]),
        "reference": accepted[0] if accepted else None,
        "references": accepted if len(accepted) > 1 else None,
    }
    return NativeRow(row.line, values, NAMES)


def _with_example_roles(prompt: object) -> object:
    if not isinstance(prompt, list):
        return prompt
    return [_with_example_role(message) if isinstance(message, dict) else message for message in prompt]


def _with_example_role(message: dict[str, object]) -> dict[str, object]:
    role = _EXAMPLE_ROLES.get(str(message.get("name")))
    return message if role is None else message | {"role": role}
