"""How often each model was right on labelled data, for the weights of a panel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluation.intake.files import Intake, SourceFile
from evaluation.intake.items import Item, ItemIndex, read_items
from evaluation.intake.limits import DEFAULT_LIMITS
from evaluation.intake.outputs import Output, OutputIndex, read_outputs
from evaluation.intake.problems import Problem, ProblemList
from evaluation.scorers import SCORERS, ScoredExample
from panels.fusion.fuse import fuse_alone
from panels.fusion.types import AnswerKind, Member, Question, Recorded, Reply
from panels.fusion.weights import estimated_skill


class UnlabelledData(Exception):
    """The files cannot say how often a model was right."""


class UnreadableLabels(Exception):
    """The files have problems; ``problems`` names file, line and field."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems[:3]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labelled data, and how its answers are read and scored."""

    items: Path
    recorded: Path
    kind: AnswerKind
    scorer: str
    tolerance: float


def estimate_skills(labels: Labels) -> dict[str, float]:
    """Estimated probability of being right, by model, over its labelled outputs; an abstention is wrong.

    Raises UnreadableLabels, and UnlabelledData where no output can be scored.
    """
    right: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    for example, output in _labelled_outputs(labels):
        correct = _is_right(example, output, labels.scorer)
        if correct is not None:
            labelled[output.model] += 1
            right[output.model] += correct
    if not labelled:
        raise UnlabelledData(f"{labels.items.name} has no references to score the outputs against; add them")
    return {model: estimated_skill(correct=right[model], labelled=n) for model, n in labelled.items()}


def _labelled_outputs(labels: Labels) -> Iterator[tuple[ScoredExample, Output]]:
    intake = Intake(limits=DEFAULT_LIMITS, problems=ProblemList(DEFAULT_LIMITS.problems))
    index = ItemIndex()
    items = read_items(_source(labels.items), intake, kind=labels.kind, choices_needed=False, index=index)
    examples = [_scored_example(item, labels) for item in items]
    _raise_problems(intake)
    outputs = OutputIndex(len(examples))
    for output in read_outputs(_source(labels.recorded), intake, kind=labels.kind, items=index, index=outputs):
        yield examples[output.position], output
    _raise_problems(intake)


def _source(path: Path) -> SourceFile:
    return SourceFile(path=path, name=path.name)


def _raise_problems(intake: Intake) -> None:
    if len(intake.problems):
        raise UnreadableLabels(intake.problems)


def _scored_example(item: Item, labels: Labels) -> ScoredExample:
    question = Question(
        item_id=item.item_id,
        messages=(),
        kind=labels.kind,
        choices=item.choices,
        tolerance=labels.tolerance,
        schema=item.schema,
    )
    return ScoredExample(question=question, reference=item.reference, references=item.references)


def _is_right(example: ScoredExample, output: Output, scorer: str) -> bool | None:
    recorded = Recorded(predicted=output.predicted, has_predicted=output.has_predicted, correct=output.correct)
    reply = Reply(text=output.text, recorded=recorded)
    fused = fuse_alone(question=example.question, member=Member(model=output.model), result=reply)
    score = SCORERS[scorer](fused, example)
    return None if score is None else score.correct
