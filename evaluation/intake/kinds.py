"""What the items tell of their answer kind and scorer, where the person did not say."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.intake.items import CLOSED_KINDS, Item
from panels.fusion.answers import parse_number
from panels.fusion.json_text import read_object
from panels.fusion.types import AnswerKind

SHORT_WORDS = 8
# Some long outliers among short answers do not make the answers free text.
_SHORT_SHARE = 0.9


@dataclass(slots=True, kw_only=True)
class ItemTraits:
    """Counts over the items seen so far. ``first_without_…`` is a line, 0 if there is none."""

    items: int = 0
    with_choices: int = 0
    first_without_choices: int = 0
    letters_only: bool = True
    with_reference: int = 0
    short: int = 0
    numeric: int = 0
    json_texts: int = 0
    json_told: int = 0
    first_without_object: int = 0

    def add(self, item: Item) -> None:
        self.items += 1
        if item.choices:
            self.with_choices += 1
            self.letters_only = self.letters_only and all(_is_letter(choice) for choice in item.choices)
        elif not self.first_without_choices:
            self.first_without_choices = item.line
        if item.accepted:
            self.with_reference += 1
            self.short += all(len(accepted.split()) <= SHORT_WORDS for accepted in item.accepted)
            self.numeric += all(parse_number(accepted) is not None for accepted in item.accepted)
            self._add_objects(item)
        self.json_told += bool(item.schema) or item.is_object

    def _add_objects(self, item: Item) -> None:
        if all(accepted.lstrip().startswith("{") and read_object(accepted) is not None for accepted in item.accepted):
            self.json_texts += 1
        elif not self.first_without_object:
            self.first_without_object = item.line


def _is_letter(choice: str) -> bool:
    return len(choice) == 1 and choice.isalpha()


def infer_kind(traits: ItemTraits) -> tuple[AnswerKind, str]:
    """The answer kind, and why."""
    if traits.json_told:
        return AnswerKind.JSON, "references are objects, or the items have a schema"
    if traits.with_choices:
        if traits.letters_only:
            return AnswerKind.CHOICE, "all choices are single letters"
        return AnswerKind.LABEL, "the items have choices that are words"
    return _infer_open_kind(traits)


def _infer_open_kind(traits: ItemTraits) -> tuple[AnswerKind, str]:
    if not traits.with_reference:
        return AnswerKind.TEXT, "the items have neither choices nor references"
    if traits.json_texts == traits.with_reference:
        return AnswerKind.JSON, "every reference is a JSON object"
    if traits.numeric == traits.with_reference:
        return AnswerKind.NUMBER, "every reference is a number"
    if traits.short >= _SHORT_SHARE * traits.with_reference:
        return AnswerKind.SHORT, f"references have at most {SHORT_WORDS} words"
    return AnswerKind.TEXT, f"references have more than {SHORT_WORDS} words"


def default_scorer(kind: AnswerKind, *, labelled: bool) -> str:
    """The scorer where none was chosen; ``labelled``: some recorded output says whether it was right."""
    if kind in CLOSED_KINDS or kind is AnswerKind.JSON:
        return "exact"
    if kind is AnswerKind.TEXT:
        return "recorded" if labelled else "exact"
    return "number" if kind is AnswerKind.NUMBER else "short_f1"
