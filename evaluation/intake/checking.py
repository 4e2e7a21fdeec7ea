"""The first reading of an import's files: is everything right, what is in them, and what was left to infer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evaluation.intake.content import ContentHash
from evaluation.intake.files import Intake, SourceFile
from evaluation.intake.items import CLOSED_KINDS, Item, ItemIndex, read_items
from evaluation.intake.kinds import ItemTraits, default_scorer, infer_kind
from evaluation.intake.models_file import ModelPrice, read_prices
from evaluation.intake.outputs import Output, OutputIndex, read_outputs
from panels.fusion.types import AnswerKind

_JSON_SCORERS = frozenset({"exact", "recorded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFiles:
    """The files of one import."""

    items: SourceFile
    recorded: SourceFile | None = None
    models: SourceFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingChoices:
    """What the person decided; None is left to the content."""

    kind: AnswerKind | None = None
    scorer: str | None = None
    tolerance: float = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDataset:
    """What a faultless set of files holds. ``kind_reason`` says why a kind was inferred, empty if it was told.

    ``models`` are those that have outputs, in the order of their first one, with an unknown price where none is told.
    """

    kind: AnswerKind
    kind_reason: str
    scorer: str
    scorer_told: bool
    tolerance: float
    items: int
    outputs: int
    models: tuple[ModelPrice, ...]
    content_hash: str
    index: ItemIndex


def check_dataset(files: DatasetFiles, choices: ReadingChoices, intake: Intake) -> CheckedDataset | None:
    """None if anything is wrong; what, is in ``intake.problems``."""
    index, traits, content = ItemIndex(), ItemTraits(), ContentHash()
    for item in dataset_items(files, choices.kind, intake, index):
        traits.add(item)
        content.add_item(item)
    kind, reason = (choices.kind, "") if choices.kind else infer_kind(traits)
    _check_items(files, kind, traits, intake)
    outputs, labelled = _check_outputs(files, kind, intake, index, content)
    prices = read_prices(files.models, intake) if files.models else {}
    scorer = choices.scorer or default_scorer(kind, labelled=labelled)
    _check_scorer(files, kind, scorer, intake)
    if len(intake.problems):
        return None
    models = tuple(prices.get(model, ModelPrice(model=model)) for model in outputs.models)
    return CheckedDataset(
        kind=kind,
        kind_reason=reason,
        scorer=scorer,
        scorer_told=choices.scorer is not None,
        tolerance=choices.tolerance,
        items=content.items,
        outputs=content.outputs,
        models=models,
        content_hash=content.finish(models=models, kind=kind, scorer=scorer, tolerance=choices.tolerance),
        index=index,
    )


def _check_scorer(files: DatasetFiles, kind: AnswerKind, scorer: str, intake: Intake) -> None:
    if scorer == "recorded" and files.recorded is None:
        # Outputs without a label are taken: their answers are unscored, and cost and agreement still count.
        message = "scorer recorded needs recorded outputs, which say “correct”; add them or choose another scorer"
        intake.report(files.items, 0, message, field="scorer")
    if kind is AnswerKind.JSON and scorer not in _JSON_SCORERS:
        message = f"scorer {scorer} cannot compare JSON answers; choose exact or recorded"
        intake.report(files.items, 0, message, field="scorer")


def dataset_items(files: DatasetFiles, kind: AnswerKind | None, intake: Intake, index: ItemIndex) -> Iterator[Item]:
    return read_items(files.items, intake, kind=kind, choices_needed=files.recorded is None, index=index)


def _check_items(files: DatasetFiles, kind: AnswerKind, traits: ItemTraits, intake: Intake) -> None:
    if not traits.items and not len(intake.problems):
        intake.report(files.items, 0, "the file has no rows; send one with at least one item")
    elif kind in CLOSED_KINDS and traits.with_choices and traits.first_without_choices:
        message = "the choices are missing, though other items have them; list them, or choose an open answer kind"
        intake.report(files.items, traits.first_without_choices, message, field="choices")
    elif kind is AnswerKind.JSON and traits.first_without_object:
        message = "the reference is no JSON object, though others are; write one, or choose another answer kind"
        intake.report(files.items, traits.first_without_object, message, field="reference")


def _check_outputs(
    files: DatasetFiles, kind: AnswerKind, intake: Intake, items: ItemIndex, content: ContentHash
) -> tuple[OutputIndex, bool]:
    """The models seen, and whether any output says if it was right."""
    index, labelled = OutputIndex(len(items)), False
    if files.recorded is None or not len(items):
        return index, labelled
    before = len(intake.problems)
    complete = not before
    for output in read_outputs(files.recorded, intake, kind=kind, items=items, index=index, items_complete=complete):
        content.add_output(output)
        labelled = labelled or output.correct is not None
    if not content.outputs and len(intake.problems) == before:
        intake.report(files.recorded, 0, "the file has no rows; send one with at least one output, or leave it out")
    return index, labelled


def dataset_outputs(files: DatasetFiles, kind: AnswerKind, intake: Intake, items: ItemIndex) -> Iterator[Output]:
    """The outputs of files that were checked before."""
    if files.recorded is not None:
        yield from read_outputs(files.recorded, intake, kind=kind, items=items, index=OutputIndex(len(items)))
