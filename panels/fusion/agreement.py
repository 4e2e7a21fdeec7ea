"""From ballots to groups: which answers say the same, and what stands behind each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from panels.fusion.answers import normalise_short, token_f1
from panels.fusion.outcomes import Ballot, BallotValue
from panels.fusion.types import AnswerKind, Question, Similarity

SHORT_F1_THRESHOLD = 0.6
TEXT_SIMILARITY_THRESHOLD = 0.5

T = TypeVar("T")


def group_ballots(ballots: Sequence[Ballot], *, question: Question, similarity: Similarity) -> list[tuple[Ballot, ...]]:
    """Leader clustering in panel order: a ballot joins the first group whose first member it matches.

    For closed kinds this is grouping by equality. Abstentions belong to no group.
    """
    cast = [ballot for ballot in sorted(ballots, key=lambda ballot: ballot.seat) if ballot.value is not None]
    groups = cluster(cast, lambda leader, ballot: _same(leader, ballot, question, similarity))
    return [tuple(group) for group in groups]


def cluster(entries: Iterable[T], same: Callable[[T, T], bool]) -> list[list[T]]:
    """Each entry joins the first group whose first entry it matches (``same(first, entry)``), or begins one."""
    groups: list[list[T]] = []
    for entry in entries:
        home = next((group for group in groups if same(group[0], entry)), None)
        if home is None:
            groups.append([entry])
        else:
            home.append(entry)
    return groups


def same_number(left: float, right: float, tolerance: float) -> bool:
    """Equal within a relative tolerance."""
    return math.isclose(left, right, rel_tol=tolerance)


def medoid(ballots: Sequence[Ballot], *, weights: Sequence[float], similarity: Similarity) -> Ballot:
    """The ballot with the largest weighted similarity to all of ``ballots``, itself included.

    Equal sums go to the higher weight, then to panel order.
    """

    def closeness(index: int) -> tuple[float, float, int]:
        ballot = ballots[index]
        total = math.fsum(
            weight * _text_similarity(ballot, other, similarity) for other, weight in zip(ballots, weights, strict=True)
        )
        return round(total, 9), weights[index], -ballot.seat

    return ballots[max(range(len(ballots)), key=closeness)]


def _text_similarity(left: Ballot, right: Ballot, similarity: Similarity) -> float:
    return 1.0 if left is right else similarity(str(left.value), str(right.value))


def _same(leader: Ballot, ballot: Ballot, question: Question, similarity: Similarity) -> bool:
    left, right = leader.value, ballot.value
    if left == right:
        return True
    return _alike(left, right, question, similarity)


def _alike(left: BallotValue | None, right: BallotValue | None, question: Question, similarity: Similarity) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return same_number(left, right, question.tolerance)
    if question.kind is AnswerKind.SHORT:
        return same_short(str(left), str(right))
    return question.kind is AnswerKind.TEXT and similarity(str(left), str(right)) >= TEXT_SIMILARITY_THRESHOLD


def same_short(left: str, right: str) -> bool:
    """Equal as SQuAD normalises, or token F1 of at least 0.6."""
    return normalise_short(left) == normalise_short(right) or token_f1(left, right) >= SHORT_F1_THRESHOLD
