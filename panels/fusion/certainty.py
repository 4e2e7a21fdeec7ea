"""What the ballots that are still out could change: whether a stage may end before its last reply."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

from panels.fusion.agreement import same_number
from panels.fusion.answers import normalise_short
from panels.fusion.outcomes import Ballot, BallotValue, Group, Tally
from panels.fusion.strategies import count_ballots
from panels.fusion.types import AnswerKind, Question, Similarity, StrategyName

# Shares closer than this are a tie, and whose it is depends on more than the shares.
_TIE = 1e-9
# Values that no answer reads as: a ballot of its own group.
_FRESH_TEXT, _FRESH_NUMBER = "\x00", math.inf


def sure_consensus(
    ballots: Sequence[Ballot],
    outstanding: Sequence[Ballot],
    *,
    strategy: StrategyName,
    question: Question,
    similarity: Similarity,
) -> float | None:
    """The consensus that the leading group keeps whatever the outstanding seats say; None if it could lose the lead.

    ``outstanding`` are abstentions in the places of the seats that are still out, at least one. Exact for closed sets
    and for numbers that lie apart (by brute force over every assignment); for the rest a new answer may match several
    groups at once or part of one, so the bound is on the safe side. The lead is the group's: which of several wordings
    of the same speaks for it may still differ. The fields of ``json`` are sure where equal objects outweigh all else,
    since each of their fields then does. Weighted free text, the medoid of the whole panel, is never sure before the
    last reply.
    """
    if question.kind is AnswerKind.TEXT and strategy is StrategyName.WEIGHTED:
        return None
    count = partial(count_ballots, strategy=strategy, question=question, similarity=similarity)
    tally = count([*ballots, *outstanding])
    if tally.winner is None:
        return None
    if not _is_grouped_by_equality(tally.groups, question):
        return _sure_share(tally, _Power(ballots, outstanding, strategy), outstanding, question)
    rivals = [*(group.leader.value for group in tally.groups[1:]), _fresh(question)]
    worst = (count([*ballots, *(replace(ballot, value=rival) for ballot in outstanding)]) for rival in rivals)
    kept = all(case.groups[0].leader.value == tally.winner.value for case in worst)
    return tally.consensus if kept else None


def _is_grouped_by_equality(groups: Sequence[Group], question: Question) -> bool:
    """Whether any further answer can match one group at most, and then all of it."""
    if question.kind in {AnswerKind.CHOICE, AnswerKind.LABEL}:
        return True
    return question.kind is AnswerKind.NUMBER and question.tolerance < 1 and _lie_apart(groups, question.tolerance)


def _lie_apart(groups: Sequence[Group], tolerance: float) -> bool:
    """No number is within the tolerance of two groups, and no group holds two numbers.

    If v is within t of b and of c, then |b - c| <= t / (1 - t) * (|b| + |c|).
    """
    numbers = [ballot.value for group in groups for ballot in group.ballots if isinstance(ballot.value, float)]
    reach = 2 * tolerance / (1 - tolerance)
    distinct = sorted(set(numbers))
    near = any(same_number(left, right, reach) for left, right in pairwise(distinct))
    return not near


def _fresh(question: Question) -> BallotValue:
    return _FRESH_NUMBER if question.kind is AnswerKind.NUMBER else _FRESH_TEXT


class _Power:
    """What ballots count in this vote, as a share of what was asked."""

    def __init__(self, ballots: Sequence[Ballot], outstanding: Sequence[Ballot], strategy: StrategyName) -> None:
        asked = [*ballots, *outstanding]
        total = math.fsum(ballot.weight for ballot in asked) if strategy is StrategyName.WEIGHTED else 0.0
        self._by_weight = total > 0
        self._asked = total if self._by_weight else float(len(asked))

    def __call__(self, ballots: Iterable[Ballot]) -> float:
        return math.fsum(ballot.weight if self._by_weight else 1.0 for ballot in ballots) / self._asked


def _sure_share(tally: Tally, power: _Power, outstanding: Sequence[Ballot], question: Question) -> float | None:
    """The share that the leading group keeps, if nothing that could unite against it comes near.

    A group whose first member sits before every outstanding seat keeps its members. Of any other, and of a field of
    ``json``, an outstanding answer may take some away, but never part of those that say exactly the same.
    """
    first_out = min(ballot.seat for ballot in outstanding)
    lead, *others = tally.groups
    if lead.leader.seat < first_out and question.kind is not AnswerKind.JSON:
        kept = power(lead.ballots)
        fixed = [power(group.ballots) for group in others if group.leader.seat < first_out]
        loose = math.fsum(power(group.ballots) for group in others if group.leader.seat > first_out)
        rival = max([loose, *fixed])
    else:
        kept = max(power(block) for block in _blocks(lead.ballots, question))
        rival = math.fsum(power(group.ballots) for group in tally.groups) - kept
    return kept if kept > rival + power(outstanding) + _TIE else None


def _blocks(ballots: Iterable[Ballot], question: Question) -> list[list[Ballot]]:
    """Ballots that say exactly the same: any answer matches all of them or none."""
    blocks: defaultdict[str, list[Ballot]] = defaultdict(list)
    for ballot in ballots:
        said = str(ballot.value)
        blocks[normalise_short(said) if question.kind is AnswerKind.SHORT else said].append(ballot)
    return list(blocks.values())
