"""From one arm's columns to its scorecard, its members' table and its charts' data."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluation.execution.arbiter_tallies import ArbiterTally
from evaluation.execution.tallies import ArmTally, RunTally, SeatTally, Voter
from evaluation.results import ArbiterScore, ArmScore, ConsensusBands, LatencyCurve, MemberScore
from evaluation.stats.bands import consensus_bands
from evaluation.stats.correlation import CorrelationMatrix, effective_voters, error_correlation
from evaluation.stats.interval import Interval
from evaluation.stats.percentiles import ecdf, percentile, percentile_interval
from evaluation.stats.proportions import rate_interval, wilson
from panels.models import LanguageModel, Provider


def score_arm(tally: ArmTally) -> ArmScore:
    """The scorecard of one arm; a figure without anything to compute it from is None."""
    correct, n = tally.marks.correct, tally.marks.scored
    stages = 1 + max((seat.member.stage for seat in tally.seats.values()), default=0)
    timed = _known(tally.latencies)
    cost = tally.cost_nanousd if tally.items and not tally.cost_unknown else None
    may_escalate = stages > 1 and tally.items > 0
    return ArmScore(
        arm_id=tally.arm.pk,
        name=tally.arm.name,
        position=tally.arm.position,
        is_baseline=tally.arm.is_baseline,
        simulated=any(model.provider.kind == Provider.Kind.SIMULATED for model in _models(tally)),
        stages=stages,
        items=tally.items,
        n=n,
        correct=correct,
        accuracy=_share(correct, n),
        interval=wilson(correct, n) if n else None,
        abstained=tally.abstained,
        failed=tally.failed,
        calls=tally.calls,
        escalated=tally.escalated,
        escalation_rate=_share(tally.escalated, tally.items) if may_escalate else None,
        escalation_interval=rate_interval(tally.escalated, tally.items) if may_escalate else None,
        cost_nanousd=cost,
        cost_unknown=tally.cost_unknown,
        cost_per_request_nanousd=None if cost is None else round(cost / tally.items),
        cost_per_correct_nanousd=_cost_per_correct(tally, correct),
        spent_nanousd=_spent_nanousd(tally),
        spent_unknown=tally.spent_unknown + (tally.arbiter.spent_unknown if tally.arbiter else 0),
        mean_consensus=_mean(_known(tally.consensus)),
        measured=len(timed),
        p50_s=_percentile(timed, 0.50),
        p50_interval=_percentile_interval(timed, 0.50),
        p95_s=_percentile(timed, 0.95),
        p95_interval=_percentile_interval(timed, 0.95),
        effective_voters=_effective_voters(tally),
        members=tuple(_score_member(seat) for seat in tally.seats.values()),
        arbiter=None if tally.arbiter is None else _score_arbiter(tally.arbiter),
    )


def _models(tally: ArmTally) -> list[LanguageModel]:
    """The arm's members, and its arbiter."""
    members = [seat.member.model for seat in tally.seats.values()]
    return members if tally.arbiter is None else [*members, tally.arbiter.model]


def _spent_nanousd(tally: ArmTally) -> int | None:
    arbiter = tally.arbiter
    if tally.spent_unknown or (arbiter is not None and arbiter.spent_unknown):
        return None
    return tally.spent_nanousd + (0 if arbiter is None else arbiter.spent_nanousd)


def _score_arbiter(tally: ArbiterTally) -> ArbiterScore:
    return ArbiterScore(
        model_id=tally.model.pk,
        model=tally.model.name,
        answers=len(tally.answers),
        calls=tally.calls,
        failed=tally.failed,
        cost_nanousd=None if tally.cost_unknown else tally.cost_nanousd,
        cost_unknown=tally.cost_unknown,
        measured=len(tally.latencies),
        p50_s=_percentile(tally.latencies, 0.50),
        p95_s=_percentile(tally.latencies, 0.95),
        placeholders=tally.placeholders,
        placeholders_lost=tally.placeholders_lost,
    )


def _score_member(tally: SeatTally) -> MemberScore:
    member = tally.member
    return MemberScore(
        seat=member.seat,
        stage=member.stage,
        model_id=member.model_id,
        model=member.model.name,
        voter=tally.voter.name,
        called=tally.called,
        n=tally.scored,
        correct=tally.correct,
        accuracy=_share(tally.correct, tally.scored),
        interval=wilson(tally.correct, tally.scored) if tally.scored else None,
        abstained=tally.abstained,
        failed=tally.failed,
        cost_nanousd=None if tally.cost_unknown else tally.cost_nanousd,
        cost_unknown=tally.cost_unknown,
        measured=len(tally.latencies),
        p50_s=_percentile(tally.latencies, 0.50),
        p95_s=_percentile(tally.latencies, 0.95),
        placeholders=tally.placeholders,
        placeholders_lost=tally.placeholders_lost,
    )


def arm_bands(tally: ArmTally) -> ConsensusBands:
    answered = [(share, tally.marks[index]) for index, share in enumerate(tally.consensus) if not math.isnan(share)]
    bands = consensus_bands([share for share, _ in answered], [mark for _, mark in answered])
    return ConsensusBands(arm_id=tally.arm.pk, arm=tally.arm.name, bands=tuple(bands))


def arm_latency(tally: ArmTally) -> LatencyCurve | None:
    """None where no answer was timed."""
    timed = _known(tally.latencies)
    if not timed:
        return None
    seconds, share = ecdf(timed)
    return LatencyCurve(arm_id=tally.arm.pk, arm=tally.arm.name, measured=len(timed), seconds=seconds, share=share)


def correlate_voters(tally: RunTally) -> CorrelationMatrix | None:
    return _correlation(list(tally.voters.values()))


def _effective_voters(tally: ArmTally) -> float | None:
    matrix = _correlation([seat.voter for seat in tally.seats.values()])
    return None if matrix is None else effective_voters(matrix)


def _correlation(voters: Sequence[Voter]) -> CorrelationMatrix | None:
    scored = [voter for voter in voters if voter.marks.scored]
    if len(scored) < 2:
        return None
    return error_correlation(
        {voter.name: [None if mark is None else not mark for mark in voter.marks] for voter in scored}
    )


def _cost_per_correct(tally: ArmTally, correct: int) -> int | None:
    """List cost of the scored answers over the right ones; None where a cost is unknown or nothing is right."""
    costs = [cost for cost, mark in zip(tally.costs, tally.marks, strict=True) if mark is not None]
    if not correct or any(math.isnan(cost) for cost in costs):
        return None
    return round(math.fsum(costs) / correct)


def _known(column: Sequence[float]) -> list[float]:
    return [value for value in column if not math.isnan(value)]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _percentile(values: Sequence[float], share: float) -> float | None:
    return percentile(values, share) if len(values) else None


def _percentile_interval(values: Sequence[float], share: float) -> Interval | None:
    return percentile_interval(values, share) if len(values) else None
