"""The whole story of one fused answer: stage by stage, until they agree or the schedule ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from panels.fusion.answers import canonical, dice, read_ballot
from panels.fusion.strategies import STRATEGIES
from panels.fusion.types import (
    Ask,
    Ballot,
    BallotValue,
    Degradation,
    Failure,
    Fused,
    Member,
    MemberCall,
    Panel,
    Question,
    Reply,
    Similarity,
    Stage,
    StrategyName,
    Tally,
)
from panels.fusion.weights import member_weight

# A consensus is a ratio of floats; 2 of 3 has to reach a stop rule written as 0.6666666667.
_CONSENSUS_SLACK = 1e-9


async def fuse(*, question: Question, panel: Panel, ask: Ask, similarity: Similarity = dice) -> Fused:
    """One answer for ``question``: every member of a called stage is waited for, and its output kept.

    A stage ends the schedule when the consensus of all ballots so far reaches ``stop_at``. A last stage that settles
    answers with its own plurality; only if it abstains do all ballots vote.
    """
    strategy = STRATEGIES[panel.strategy]
    calls: list[MemberCall] = []
    tally, called = Tally(groups=(), winner=None, consensus=0.0), 0
    for called, stage in enumerate(panel.stages, start=1):
        calls += await _call_stage(question, stage, called - 1, first_seat=len(calls), ask=ask)
        tally = strategy([call.ballot for call in calls], question=question, similarity=similarity)
        if stage.settles:
            own = strategy(
                [call.ballot for call in calls if call.stage == called - 1], question=question, similarity=similarity
            )
            return _settle(calls, called, tally, own)
        if _may_stop(tally, panel):
            break
    return Fused(calls=tuple(calls), tally=tally, stages_called=called, degraded=_degraded(calls))


def fuse_alone(*, question: Question, member: Member, result: Reply | Failure, similarity: Similarity = dice) -> Fused:
    """The answer of a panel of one whose only member already brought ``result``."""
    call = _member_call(question, member, 0, 0, result)
    tally = STRATEGIES[StrategyName.MAJORITY]([call.ballot], question=question, similarity=similarity)
    return Fused(calls=(call,), tally=tally, stages_called=1, degraded=_degraded([call]))


async def _call_stage(question: Question, stage: Stage, number: int, *, first_seat: int, ask: Ask) -> list[MemberCall]:
    seats = range(first_seat, first_seat + len(stage.members))
    results = await asyncio.gather(
        *(
            ask(question=question, member=member, seat=seat, stage=number)
            for seat, member in zip(seats, stage.members, strict=True)
        )
    )
    return [
        _member_call(question, member, seat, number, result)
        for seat, member, result in zip(seats, stage.members, results, strict=True)
    ]


def _member_call(question: Question, member: Member, seat: int, stage: int, result: Reply | Failure) -> MemberCall:
    ballot = Ballot(
        seat=seat,
        stage=stage,
        member=member,
        value=_ballot_value(result, question),
        text=result.text if isinstance(result, Reply) else "",
        weight=member_weight(member, question=question),
    )
    return MemberCall(seat=seat, stage=stage, member=member, result=result, ballot=ballot)


def _ballot_value(result: Reply | Failure, question: Question) -> BallotValue | None:
    if isinstance(result, Failure):
        return None
    if result.recorded is None or not result.recorded.has_predicted:
        return read_ballot(result.text, question=question)
    predicted = result.recorded.predicted
    return None if predicted is None else canonical(predicted, question=question)


def _may_stop(tally: Tally, panel: Panel) -> bool:
    return panel.stop_at is not None and tally.consensus + _CONSENSUS_SLACK >= panel.stop_at


def _settle(calls: Sequence[MemberCall], called: int, tally: Tally, own: Tally) -> Fused:
    settled = own.winner is not None
    final = Tally(groups=tally.groups, winner=own.winner, consensus=tally.consensus) if settled else tally
    return Fused(calls=tuple(calls), tally=final, stages_called=called, settled=settled, degraded=_degraded(calls))


def _degraded(calls: Sequence[MemberCall]) -> tuple[Degradation, ...]:
    return tuple(
        Degradation(kind="member_failed", reason=call.result.kind.value, seat=call.seat)
        for call in calls
        if isinstance(call.result, Failure)
    )
