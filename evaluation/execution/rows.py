"""From what the engine brought to the rows that are stored, and to the money that was paid for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from evaluation.execution.units import FinishedUnit, Purchase
from evaluation.models import Answer, Call
from panels.fusion.pricing import call_cost
from panels.fusion.types import AnswerKind, BallotValue, Failure, FailureKind, Fused, MemberCall, Reply

_STORED_TEXT_CHARS = 300
_DETAIL_CHARS = 300
_NAME_CHARS = 200
_FINISH_REASON_CHARS = 40
# After these a provider may have done, and billed, the whole work; what it charged is not known.
_MAYBE_BILLED = frozenset({FailureKind.TIMEOUT, FailureKind.STREAM_CUT, FailureKind.MALFORMED})


def paid_nanousd(purchase: Purchase) -> int | None:
    """What a bought reply was paid with, in nano-dollars; the worst case where that cannot be told, None without price.

    The list price counts before the provider's report: behind a reseller, a key of one's own is reported as free.
    """
    result = purchase.result
    assert result is not None
    if purchase.model.price is None:
        return result.usage.reported_cost_nanousd
    if isinstance(result, Failure):
        return purchase.worst_nanousd if result.kind in _MAYBE_BILLED else list_cost_nanousd(purchase)
    listed = list_cost_nanousd(purchase)
    return purchase.worst_nanousd if listed is None else listed


def list_cost_nanousd(purchase: Purchase) -> int | None:
    """The reply's list cost. A failure costs what its usage says, 0 if it says nothing; None without a price."""
    result = purchase.result
    assert result is not None
    listed = call_cost(purchase.model.price, result.usage)
    if listed is None and isinstance(result, Failure) and purchase.model.price is not None:
        return 0
    return listed


def answer_row(finished: FinishedUnit, *, run_id: int, now: datetime) -> dict[str, Any]:
    """The answer's columns by attribute name, without the primary key."""
    unit, fused, score = finished.unit, finished.fused, finished.score
    costs = [list_cost_nanousd(unit.seats[call.seat]) for call in fused.calls]
    value = None if fused.winner is None else fused.winner.value
    answered = fused.winner is not None and value is not None
    return {
        "run_id": run_id,
        "arm_id": unit.arm.pk,
        "example_id": unit.item.example_id,
        "position": unit.item.position,
        "outcome": _outcome(fused, answered=answered),
        "value": None if value is None else stored_ballot(value, kind=unit.item.scored.question.kind),
        "winner_seat": fused.winner.seat if fused.winner is not None and answered else None,
        "consensus": min(1.0, max(0.0, fused.consensus)),
        "correct": None if score is None else score.correct,
        "score": None if score is None else score.share,
        "stages_called": fused.stages_called,
        "settled": fused.settled,
        "call_count": len(fused.calls),
        "cost_nanousd": None if None in costs else sum(cost for cost in costs if cost is not None),
        "latency_s": _latency_s(fused, stages=fused.stages_called),
        "degraded": [{"kind": cut.kind, "reason": cut.reason, "seat": cut.seat} for cut in fused.degraded],
        "versus": "",
        "created_at": now,
    }


def call_rows(finished: FinishedUnit, *, answer_id: int, now: datetime) -> list[dict[str, Any]]:
    """The columns of the answer's new calls. Seats whose call the answer already has are left out.

    Nothing is paid and no text is held yet: that is the writer's to say, once it knows who wrote the reply first.
    """
    fused, seats = finished.fused, finished.unit.seats
    groups = ballot_groups(fused)
    offsets = [_latency_s(fused, stages=stage) for stage in range(fused.stages_called)]
    own = {"answer_id": answer_id, "created_at": now}
    return [
        own | _call_row(finished, call) | {"group": groups.get(call.seat), "offset_s": offsets[call.stage]}
        for call in fused.calls
        if not seats[call.seat].kept
    ]


def ballot_groups(fused: Fused) -> dict[int, int]:
    """The index of each seat's group, in order of support; seats that abstained have none."""
    return {ballot.seat: index for index, group in enumerate(fused.tally.groups) for ballot in group.ballots}


def failed_kinds(fused: Fused) -> list[str]:
    return [call.result.kind.value for call in fused.calls if isinstance(call.result, Failure)]


def stored_ballot(value: BallotValue, *, kind: AnswerKind) -> str:
    """A ballot as text; of free text its start, since the whole stands with the call."""
    if isinstance(value, float | int):
        return format(value, ".15g")
    return value[:_STORED_TEXT_CHARS] if kind is AnswerKind.TEXT else value


def _outcome(fused: Fused, *, answered: bool) -> str:
    """Without an answer it is an abstention, unless a member's failure is what may be missing."""
    if answered:
        return Answer.Outcome.ANSWERED.value
    return Answer.Outcome.FAILED.value if failed_kinds(fused) else Answer.Outcome.ABSTAINED.value


def _call_row(finished: FinishedUnit, call: MemberCall) -> dict[str, Any]:
    purchase = finished.unit.seats[call.seat]
    result, usage, ballot = call.result, call.result.usage, call.ballot
    kind = finished.unit.item.scored.question.kind
    return {
        "model_id": purchase.model.pk,
        "role": Call.Role.MEMBER.value,
        "stage": call.stage,
        "seat": call.seat,
        "attempt": _attempt(finished, call.seat),
        "text": "",
        "reply_key": purchase.key,
        "reused_from_id": None,
        "recorded_output_id": purchase.output_id,
        "ballot": None if ballot.value is None else stored_ballot(ballot.value, kind=kind),
        "weight": ballot.weight if math.isfinite(ballot.weight) else 0.0,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "reported_cost_nanousd": usage.reported_cost_nanousd,
        "cost_nanousd": list_cost_nanousd(purchase),
        "spent_nanousd": 0,
        "latency_s": result.latency_s,
        "provider_model": result.provider_model[:_NAME_CHARS],
        "response_id": result.response_id[:_NAME_CHARS],
        **(_reply_columns(result) if isinstance(result, Reply) else _failure_columns(result)),
    }


def _reply_columns(reply: Reply) -> dict[str, Any]:
    return {
        "outcome": Call.OK,
        "status_code": None,
        "detail": "",
        "first_token_s": reply.first_token_s,
        "finish_reason": reply.finish_reason[:_FINISH_REASON_CHARS],
    }


def _failure_columns(failure: Failure) -> dict[str, Any]:
    return {
        "outcome": failure.kind.value,
        "status_code": failure.status_code,
        "detail": failure.detail[:_DETAIL_CHARS],
        "first_token_s": None,
        "finish_reason": "",
    }


def _attempt(finished: FinishedUnit, seat: int) -> int:
    previous = finished.unit.previous
    earlier = previous.attempts.get(seat) if previous is not None else None
    return 1 if earlier is None else earlier.number + 1


def _latency_s(fused: Fused, *, stages: int) -> float | None:
    """Seconds that the first ``stages`` stages take, each as long as its slowest member; None if one is not measured.

    This is also when the next stage begins: waiting for a slot belongs to the run, not to the answer.
    """
    slowest = [_slowest_s(fused.calls, stage) for stage in range(stages)]
    return None if None in slowest else math.fsum(seconds for seconds in slowest if seconds is not None)


def _slowest_s(calls: Sequence[MemberCall], stage: int) -> float | None:
    latencies = [call.result.latency_s for call in calls if call.stage == stage]
    return None if None in latencies else max(seconds for seconds in latencies if seconds is not None)
