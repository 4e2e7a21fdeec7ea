from __future__ import annotations

from collections.abc import Sequence

from panels.fusion.agreement import group_ballots, medoid
from panels.fusion.outcomes import Ballot, Group, Tally
from panels.fusion.types import AnswerKind, Question, Similarity


def majority(ballots: Sequence[Ballot], *, question: Question, similarity: Similarity) -> Tally:
    """Plurality of ballots. A tie goes to the group with a member of the latest stage, then to panel order.

    The winning group speaks through its earliest member, for free text through its medoid. Consensus is the share of
    all ballots asked for that stand behind the leading group; 0 where all abstain.
    """
    groups = [
        Group(ballots=members, support=float(len(members)))
        for members in group_ballots(ballots, question=question, similarity=similarity)
    ]
    if not groups:
        return Tally(groups=(), winner=None, consensus=0.0)
    ordered = sorted(groups, key=_precedence)
    return Tally(
        groups=tuple(ordered),
        winner=_speaker(ordered[0], question, similarity),
        consensus=ordered[0].support / len(ballots),
    )


def _precedence(group: Group) -> tuple[float, int, int]:
    return -group.support, -max(ballot.stage for ballot in group.ballots), group.leader.seat


def _speaker(group: Group, question: Question, similarity: Similarity) -> Ballot:
    if question.kind is not AnswerKind.TEXT:
        return group.leader
    return medoid(group.ballots, weights=[1.0] * len(group.ballots), similarity=similarity)
