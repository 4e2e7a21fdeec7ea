"""The vote of a panel: stage by stage, until they agree or the schedule ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from panels.fusion.answers import canonical, dice, read_ballot
from panels.fusion.certainty import sure_consensus
from panels.fusion.live import Live, LiveStage
from panels.fusion.outcomes import Ballot, BallotValue, Degradation, MemberCall, Tally, Vote
from panels.fusion.strategies import count_ballots
from panels.fusion.types import (
    ArbiterWhen,
    Ask,
    Failure,
    FailureKind,
    Member,
    Panel,
    Question,
    Reply,
    Similarity,
    StrategyName,
)
from panels.fusion.weights import member_weight

# A consensus is a ratio of floats; 2 of 3 has to reach a stop rule written as 0.6666666667.
_CONSENSUS_SLACK = 1e-9
# The degradation that a seat is which the answer went ahead without.
_NOT_WAITED_FOR = {FailureKind.DEADLINE: "deadline", FailureKind.LATE: "member_late"}
_ARBITRATED = frozenset({StrategyName.VERIFICATION, StrategyName.SYNTHESIS})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """One question to one panel. ``live`` None is offline."""

    question: Question
    panel: Panel
    ask: Ask
    similarity: Similarity
    live: Live | None

    def count(self, calls: Sequence[MemberCall]) -> Tally:
        ballots = [call.ballot for call in calls]
        return count_ballots(ballots, strategy=self.panel.strategy, question=self.question, similarity=self.similarity)

    @property
    def is_over(self) -> bool:
        return self.live is not None and self.live.is_over(self.panel.timing)


async def hold_vote(
    *, question: Question, panel: Panel, ask: Ask, similarity: Similarity = dice, live: Live | None = None
) -> Vote:
    """The schedule of ``panel.stages``; ``panel.strategy`` counts.

    A stage ends the schedule when the consensus of all ballots so far reaches ``stop_at``. A last stage that settles
    answers with its own plurality; only if it abstains do all ballots vote.

    Offline (``live`` None) every member of a called stage is waited for, and its output kept. Live, a panel with a
    stop rule or a ``min_replies`` leaves a stage as soon as no ballot still out could change what comes of it: the
    winner, whether a further stage is called, and what the arbiter is shown. A seat that was not needed or not waited
    for has no ballot and stays in the denominator of the consensus: it was asked. The first is no degradation. After
    the deadline no further stage is called and the ballots at hand vote; if it had passed before the first, nobody is
    asked.
    """
    request = _Request(question=question, panel=panel, ask=ask, similarity=similarity, live=live)
    calls: list[MemberCall] = []
    tally, called = request.count(calls), 0
    for number, stage in enumerate(panel.stages):
        if request.is_over:
            return _vote(calls, tally, called, cut=(_too_late_for(number, panel),))
        called = number + 1
        calls += await _call_stage(request, number, calls)
        tally = request.count(calls)
        if stage.settles:
            return _settle(calls, called, tally, request.count([call for call in calls if call.stage == number]))
        if is_agreed(tally, panel):
            break
    return _vote(calls, tally, called)


def member_call(question: Question, member: Member, seat: int, stage: int, result: Reply | Failure) -> MemberCall:
    """What a member brought, with the ballot that is read from it."""
    ballot = Ballot(
        seat=seat,
        stage=stage,
        member=member,
        value=_ballot_value(result, question),
        text=result.text if isinstance(result, Reply) else "",
        weight=member_weight(member, question=question),
    )
    return MemberCall(seat=seat, stage=stage, member=member, result=result, ballot=ballot)


def failed_members(calls: Sequence[MemberCall]) -> tuple[Degradation, ...]:
    """One entry for each seat that brought no reply, unless none was needed; and for each stage nobody of which could
    be asked, because the circuit breakers of all its members were open.
    """
    failed = [(call.seat, call.result) for call in calls if isinstance(call.result, Failure)]
    return (
        *(_failed_member(seat, failure) for seat, failure in failed if failure.kind is not FailureKind.CANCELLED),
        *(
            Degradation(kind="stage_skipped", reason=f"stage {stage + 1}: the circuit breaker of every member is open")
            for stage in sorted({call.stage for call in calls})
            if all(_is_shut(call.result) for call in calls if call.stage == stage)
        ),
    )


def _failed_member(seat: int, failure: Failure) -> Degradation:
    if failure.kind in _NOT_WAITED_FOR:
        return Degradation(kind=_NOT_WAITED_FOR[failure.kind], reason=failure.detail, seat=seat)
    return Degradation(kind="member_failed", reason=failure.kind.value, seat=seat)


def _is_shut(result: Reply | Failure) -> bool:
    return isinstance(result, Failure) and result.kind is FailureKind.BREAKER_OPEN


def is_agreed(tally: Tally, panel: Panel) -> bool:
    """Whether the consensus reaches ``stop_at``; a panel without one never agrees early."""
    return panel.stop_at is not None and reaches(tally.consensus, panel.stop_at)


def reaches(consensus: float, threshold: float) -> bool:
    return consensus + _CONSENSUS_SLACK >= threshold


async def _call_stage(request: _Request, number: int, before: Sequence[MemberCall]) -> list[MemberCall]:
    seats = dict(enumerate(request.panel.stages[number].members, start=len(before)))

    def read(seat: int, result: Reply | Failure) -> MemberCall:
        return member_call(request.question, seats[seat], seat, number, result)

    if request.live is not None:
        return await _live_stage(request, request.live, number, seats, before, read)
    results = await asyncio.gather(
        *(
            request.ask(question=request.question, member=member, seat=seat, stage=number)
            for seat, member in seats.items()
        )
    )
    return [read(seat, result) for seat, result in zip(seats, results, strict=True)]


async def _live_stage(
    request: _Request,
    live: Live,
    number: int,
    seats: Mapping[int, Member],
    before: Sequence[MemberCall],
    read: Callable[[int, Reply | Failure], MemberCall],
) -> list[MemberCall]:
    async def put(ask: Ask, seat: int) -> Reply | Failure:
        return await ask(question=request.question, member=seats[seat], seat=seat, stage=number)

    def can_end(arrived: Mapping[int, MemberCall]) -> bool:
        out = [_out(request.question, member, seat, number) for seat, member in seats.items() if seat not in arrived]
        return _is_decided(request, number, [*before, *arrived.values()], out)

    stage = LiveStage(
        live=live,
        timing=request.panel.timing,
        seats=seats,
        ask=partial(put, request.ask),
        ask_again=partial(put, live.ask_again or request.ask),
        read=read,
        can_end=can_end,
    )
    return await stage.run()


def _out(question: Question, member: Member, seat: int, stage: int) -> Ballot:
    """The place of a seat that is still out, as an abstention."""
    return Ballot(seat=seat, stage=stage, member=member, value=None, weight=member_weight(member, question=question))


def _is_decided(request: _Request, number: int, calls: Sequence[MemberCall], out: Sequence[Ballot]) -> bool:
    """Whether nothing that is still out could change what comes of the stage."""
    panel, stage = request.panel, request.panel.stages[number]
    if panel.stop_at is None and panel.timing.min_replies is None:
        return False
    sure = sure_consensus(
        [call.ballot for call in calls if call.stage == number or not stage.settles],
        out,
        strategy=panel.strategy,
        question=request.question,
        similarity=request.similarity,
    )
    if sure is None or stage.settles:
        return sure is not None
    arbiter = panel.arbiter if panel.strategy in _ARBITRATED else None
    if arbiter is not None and arbiter.when is ArbiterWhen.ALWAYS:
        return False
    if arbiter is None and number == len(panel.stages) - 1:
        return True
    return panel.stop_at is not None and reaches(sure, panel.stop_at)


def _ballot_value(result: Reply | Failure, question: Question) -> BallotValue | None:
    if isinstance(result, Failure):
        return None
    if result.recorded is None or not result.recorded.has_predicted:
        return read_ballot(result.text, question=question)
    predicted = result.recorded.predicted
    return None if predicted is None else canonical(predicted, question=question)


def _settle(calls: Sequence[MemberCall], called: int, tally: Tally, own: Tally) -> Vote:
    if own.winner is None:
        return _vote(calls, tally, called)
    settled = replace(tally, winner=own.winner, fields=own.fields, merged=own.merged, problem=own.problem)
    return replace(_vote(calls, settled, called), settled=True)


def _vote(calls: Sequence[MemberCall], tally: Tally, called: int, *, cut: tuple[Degradation, ...] = ()) -> Vote:
    unmerged = (Degradation(kind="merge_invalid", reason=tally.problem),) if tally.problem else ()
    degraded = (*failed_members(calls), *cut, *unmerged)
    return Vote(calls=tuple(calls), tally=tally, stages_called=called, degraded=degraded)


def _too_late_for(number: int, panel: Panel) -> Degradation:
    reason = f"the deadline of {panel.timing.deadline_s:g} s had passed before stage {number + 1} could be asked"
    return Degradation(kind="deadline", reason=reason)
