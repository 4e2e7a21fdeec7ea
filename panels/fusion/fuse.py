"""The whole story of one fused answer: the members vote, and an arbiter settles what they dispute."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from panels.fusion.answers import dice
from panels.fusion.arbiter import ArbiterDesk, arbitrate, is_recused, shortfall
from panels.fusion.arbitration import Analysis, Verification
from panels.fusion.candidates import cut_candidates
from panels.fusion.live import Live
from panels.fusion.outcomes import Arbitration, Degradation, Final, Fused, Tally, Vote
from panels.fusion.schedule import failed_members, hold_vote, is_agreed, member_call, reaches
from panels.fusion.strategies import count_ballots
from panels.fusion.strategies.auto import choose_strategy
from panels.fusion.strategies.synthesis import synthesised
from panels.fusion.strategies.verification import verified
from panels.fusion.types import (
    Arbiter,
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

_ARBITRATED = frozenset({StrategyName.VERIFICATION, StrategyName.SYNTHESIS})


async def fuse(
    *,
    question: Question,
    panel: Panel,
    ask: Ask,
    arbiter: ArbiterDesk | None = None,
    similarity: Similarity = dice,
    live: Live | None = None,
) -> Fused:
    """One answer for ``question``. The schedule's vote decides, unless an arbiter is wanted and finds a better one.

    Whatever keeps the arbiter from it leaves the vote's answer, and stands in ``degraded``.
    """
    choice = choose_strategy(question, panel)
    panel = replace(panel, strategy=choice.strategy)
    vote = await hold_vote(question=question, panel=panel, ask=ask, similarity=similarity, live=live)
    fused = replace(fused_by_vote(vote, strategy=choice.strategy), strategy_reason=choice.reason)
    judge = wanted_arbiter(panel, vote)
    if judge is None:
        return fused
    if is_recused(panel):
        return _degraded(fused, "arbiter_recused", f"{judge.model} sits on the panel and may not judge itself")
    if arbiter is None:
        return _degraded(fused, "without_arbiter", "no arbiter can be reached from here")
    arbitration = await arbitrate(
        question=question,
        strategy=choice.strategy,
        arbiter=judge,
        vote=vote,
        desk=arbiter,
        left_s=partial(_left_s, live, panel),
    )
    return _concluded(question, vote, fused, arbitration)


def fuse_alone(*, question: Question, member: Member, result: Reply | Failure, similarity: Similarity = dice) -> Fused:
    """The answer of a panel of one whose only member already brought ``result``."""
    call = member_call(question, member, 0, 0, result)
    tally = count_ballots([call.ballot], strategy=StrategyName.MAJORITY, question=question, similarity=similarity)
    vote = Vote(calls=(call,), tally=tally, stages_called=1, degraded=failed_members([call]))
    return fused_by_vote(vote, strategy=StrategyName.MAJORITY)


def fused_by_vote(vote: Vote, *, strategy: StrategyName) -> Fused:
    """The vote's own answer."""
    return Fused(
        calls=vote.calls,
        tally=vote.tally,
        stages_called=vote.stages_called,
        final=voted(vote.tally),
        strategy=strategy,
        settled=vote.settled,
        degraded=(*vote.degraded, *_lone_survivor(vote)),
    )


def voted(tally: Tally) -> Final | None:
    """What won the vote; None if everybody abstained."""
    if tally.merged is not None:
        return Final(value=tally.merged, text=tally.merged)
    if tally.winner is None or tally.winner.value is None:
        return None
    return Final(value=tally.winner.value, text=tally.winner.text, seat=tally.winner.seat)


def wanted_arbiter(panel: Panel, vote: Vote) -> Arbiter | None:
    """The arbiter, if the panel's strategy asks one and the vote leaves it something to settle.

    ``panel.strategy`` is the one that applies. Disputed is a consensus below ``stop_at``, or, without one, below 1.
    """
    arbiter = panel.arbiter
    if arbiter is None or panel.strategy not in _ARBITRATED or vote.settled or vote.tally.winner is None:
        return None
    agreed = reaches(vote.tally.consensus, 1.0) if panel.stop_at is None else is_agreed(vote.tally, panel)
    return None if agreed and arbiter.when is ArbiterWhen.DISPUTED else arbiter


def _lone_survivor(vote: Vote) -> tuple[Degradation, ...]:
    """Said where several were asked and one alone brought a ballot; a seat that was not needed does not count."""
    asked = [call for call in vote.calls if not _was_not_needed(call.result)]
    brought = [call for call in asked if call.ballot.value is not None]
    if len(asked) < 2 or len(brought) != 1:
        return ()
    return (
        Degradation(
            kind="single_survivor", reason=f"1 of {len(asked)} members brought an answer", seat=brought[0].seat
        ),
    )


def _was_not_needed(result: Reply | Failure) -> bool:
    return isinstance(result, Failure) and result.kind is FailureKind.CANCELLED


def _left_s(live: Live | None, panel: Panel) -> float | None:
    return None if live is None else live.left_s(panel.timing)


def _degraded(fused: Fused, kind: str, reason: str) -> Fused:
    return replace(fused, degraded=(*fused.degraded, Degradation(kind=kind, reason=reason)))


def _concluded(question: Question, vote: Vote, fused: Fused, arbitration: Arbitration) -> Fused:
    """The arbiter's answer, or the vote's with the reason why it is not the arbiter's."""
    cut = cut_candidates(vote.calls) if arbitration.calls else ()
    analysis = arbitration.analysis
    found = shortfall(arbitration) if analysis is None else _answer(question, vote, analysis, cut)
    fused = replace(fused, arbitration=arbitration, degraded=(*fused.degraded, *cut))
    if isinstance(found, Degradation):
        return _degraded(fused, found.kind, found.reason)
    return replace(fused, final=found)


def _answer(question: Question, vote: Vote, analysis: Analysis, cut: tuple[Degradation, ...]) -> Final | Degradation:
    if isinstance(analysis, Verification):
        return verified(analysis, question=question, tally=vote.tally, cut={one.seat for one in cut})
    return synthesised(analysis, question=question)
