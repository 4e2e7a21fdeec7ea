"""The pairs of answers that a session could show, and which of them it does."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from evaluation.models import Answer, Arm, DatasetVersion, Example, ReviewItem, ReviewSession, Run
from evaluation.stats.review_sample import Drawn, draw_disagreement_first, draw_random, draw_stratified
from panels.fusion.agreement import SHORT_F1_THRESHOLD, TEXT_SIMILARITY_THRESHOLD
from panels.fusion.answers import dice, token_f1

Expected = Mapping[str, Sequence[int]]
GROUP = "group"
NO_VALUE = "(none)"
# What a reference says of an answer, in levels of facts.
_RIGHT, _WRONG = (1, 2), (3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two arms' answers to one example. ``expected`` is what is known of their facts, None where nothing is."""

    example: Example
    first: Answer
    second: Answer
    expected: dict[str, list[int]] | None

    def contested(self, kind: str) -> bool:
        """Whether the arms' answers differ: in outcome, or in what they say, as the engine groups ballots."""
        first, second = self.first.value, self.second.value
        if first is None or second is None:
            return first is not second
        if kind == DatasetVersion.Kind.TEXT:
            return dice(first, second) < TEXT_SIMILARITY_THRESHOLD
        if kind == DatasetVersion.Kind.SHORT:
            return first != second and token_f1(first, second) < SHORT_F1_THRESHOLD
        return first != second

    def stratum(self, field: str) -> str:
        value = self.example.group if field == GROUP else self.example.meta.get(field)
        return str(value)[:200] if value not in (None, "") else NO_VALUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A pair that is shown, as what, and with which probability it was drawn."""

    pair: Pair
    kind: str
    inclusion: float = 1.0
    stratum: str = ""


def run_pairs(run: Run, first: Arm, second: Arm, expected: Mapping[str, Expected]) -> list[Pair]:
    """Every example that both arms of the run have an answer record for, in order. Three queries."""
    examples = {example.pk: example for example in run.experiment.dataset_version.examples.order_by("position")}
    by_arm = {arm.pk: _answers(run, arm) for arm in (first, second)}
    shared = [pk for pk in examples if pk in by_arm[first.pk] and pk in by_arm[second.pk]]
    return [_pair(examples[pk], by_arm[first.pk][pk], by_arm[second.pk][pk], expected) for pk in shared]


def _answers(run: Run, arm: Arm) -> dict[int | None, Answer]:
    return {answer.example_id: answer for answer in Answer.objects.filter(run=run, arm=arm).defer("analysis")}


def _pair(example: Example, first: Answer, second: Answer, expected: Mapping[str, Expected]) -> Pair:
    told = expected.get(example.item_id)
    known = {side: list(levels) for side, levels in told.items()} if told else _by_reference(first, second)
    return Pair(example=example, first=first, second=second, expected=known)


def _by_reference(first: Answer, second: Answer) -> dict[str, list[int]] | None:
    """Only where the scorer knows both: a reviewer is not graded on half an item."""
    if first.correct is None or second.correct is None:
        return None
    return {
        "first": list(_RIGHT if first.correct else _WRONG),
        "second": list(_RIGHT if second.correct else _WRONG),
    }


def is_expectation(levels: Expected) -> bool:
    """Whether it names levels of facts, for the first answer, the second, or both."""
    sides = {"first", "second"}
    return (
        bool(levels)
        and sides.issuperset(levels)
        and all(set(own) <= set(range(1, 6)) and own for own in levels.values())
    )


def known_pairs(pairs: Sequence[Pair], *, told: Mapping[str, Expected]) -> list[Pair]:
    """Pairs that a reviewer can be graded on; where the owner said which, those alone."""
    if told:
        return [pair for pair in pairs if pair.example.item_id in told]
    answered = Answer.Outcome.ANSWERED
    return [
        pair for pair in pairs if pair.expected and pair.first.outcome == answered and pair.second.outcome == answered
    ]


def pick_known(pairs: Sequence[Pair], *, calibration: int, gold: int, seed: str) -> list[Pick]:
    """Calibration and gold items, at random, so that what is left is still like the whole."""
    chosen = random.Random(f"{seed}:known").sample(list(pairs), calibration + gold)  # a repeatable draw
    kinds = [ReviewItem.Kind.CALIBRATION.value] * calibration + [ReviewItem.Kind.GOLD.value] * gold
    return [Pick(pair=pair, kind=kind) for pair, kind in zip(chosen, kinds, strict=True)]


def gold_count(size: int, share: float) -> int:
    return ceil(size * share)


def pick_regular(pairs: Sequence[Pair], *, size: int, method: str, field: str, kind: str, seed: str) -> list[Pick]:
    """The items whose votes count. ``seed`` is the session's, so that the draw can be repeated."""
    places = range(len(pairs))
    draw_seed = f"{seed}:sample"
    if method == ReviewSession.Method.STRATIFIED:
        strata: dict[str, list[int]] = {}
        for place in places:
            strata.setdefault(pairs[place].stratum(field), []).append(place)
        drawn = draw_stratified(strata, size, seed=draw_seed)
    elif method == ReviewSession.Method.DISAGREEMENT:
        differ = {place for place in places if pairs[place].contested(kind)}
        agree = [place for place in places if place not in differ]
        drawn = draw_disagreement_first(sorted(differ), agree, size, seed=draw_seed)
    else:
        drawn = draw_random(places, size, seed=draw_seed)
    return [_regular(pairs[one.key], one) for one in drawn]


def _regular(pair: Pair, drawn: Drawn) -> Pick:
    return Pick(pair=pair, kind=ReviewItem.Kind.REGULAR.value, inclusion=drawn.inclusion, stratum=drawn.stratum)
