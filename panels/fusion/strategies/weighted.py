from __future__ import annotations

import math
from collections.abc import Sequence

from panels.fusion.agreement import group_ballots, medoid
from panels.fusion.outcomes import Ballot, Group, Tally
from panels.fusion.strategies.majority import majority
from panels.fusion.types import AnswerKind, Question, Similarity

# Sums of the same weights in another order differ in the last bits; such sums are equal.
_TIE_DIGITS = 9


def weighted(ballots: Sequence[Ballot], *, question: Question, similarity: Similarity) -> Tally:
    """Sum of member weights per group; where all weights are 0, ballots are counted instead.

    A tie goes to the latest stage, then to the group that holds the member of highest weight, then to panel order.
    For free text the answer is the medoid of the whole panel. Consensus is the share of the weight asked for that
    stands behind the leading group.
    """
    asked = math.fsum(ballot.weight for ballot in ballots)
    if asked == 0:
        return majority(ballots, question=question, similarity=similarity)
    groups = [
        Group(ballots=members, support=math.fsum(ballot.weight for ballot in members))
        for members in group_ballots(ballots, question=question, similarity=similarity)
    ]
    if not groups:
        return Tally(groups=(), winner=None, consensus=0.0)
    ordered = sorted(groups, key=lambda group: _precedence(group, asked))
    winner = _panel_medoid(ballots, similarity) if question.kind is AnswerKind.TEXT else ordered[0].leader
    return Tally(groups=tuple(ordered), winner=winner, consensus=min(1.0, ordered[0].support / asked))


def _precedence(group: Group, asked: float) -> tuple[float, int, float, int]:
    latest = max(ballot.stage for ballot in group.ballots)
    heaviest = max(ballot.weight for ballot in group.ballots)
    return -round(group.support / asked, _TIE_DIGITS), -latest, -heaviest, group.leader.seat


def _panel_medoid(ballots: Sequence[Ballot], similarity: Similarity) -> Ballot:
    voting = [ballot for ballot in ballots if ballot.value is not None]
    return medoid(voting, weights=[ballot.weight for ballot in voting], similarity=similarity)
