"""From what the engine brought to the rows that are stored, and to the money that was paid for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from evaluation.covers import placeholder_columns
from evaluation.execution.units import FinishedUnit, Purchase
from evaluation.models import Answer, Call
from panels.fusion.arbitration_json import to_json as arbitration_to_json
from panels.fusion.outcomes import BallotValue, Degradation, Fused, MemberCall
from panels.fusion.pricing import call_cost
from panels.fusion.regions import MAX_CODE_CHARS, is_covered
from panels.fusion.retry import delay_s, duration_s, may_be_billed
from panels.fusion.types import AnswerKind, Failure, Reply

_STORED_TEXT_CHARS = 300
_DETAIL_CHARS = 300
_NAME_CHARS = 200
_REASON_CHARS = 200
_FINISH_REASON_CHARS = 40


def paid_nanousd(purchase: Purchase, attempt: Failure | None = None) -> int | None:
    """What a bought reply was paid with, in nano-dollars; the worst case where that cannot be told, None without price.

    ``attempt`` asks for one of the failed attempts before it instead. The list price counts before the provider's
    report: behind a reseller, a key of one's own is reported as free.
    """
    result = attempt or purchase.result
    assert result is not None
    if purchase.model.price is None:
        return result.usage.reported_cost_nanousd
    listed = list_cost_nanousd(purchase, attempt)
    if isinstance(result, Failure):
        return purchase.worst_nanousd if may_be_billed(result) else listed
    return purchase.worst_nanousd if listed is None else listed


def list_cost_nanousd(purchase: Purchase, attempt: Failure | None = None) -> int | None:
    """The reply's list cost, or that of a failed attempt before it.

    A failure costs what its usage says, 0 if it says nothing; None without a price.
    """
    result = attempt or purchase.result
    assert result is not None
    listed = call_cost(purchase.model.price, result.usage)
    if listed is None and isinstance(result, Failure) and purchase.model.price is not None:
        return 0
    return listed


def answer_row(finished: FinishedUnit, *, run_id: int, now: datetime) -> dict[str, Any]:
    """The answer's columns by attribute name, without the primary key."""
    unit, fused, score = finished.unit, finished.fused, finished.score
    purchases = (*(unit.seats[call.seat] for call in fused.calls), *unit.asked)
    return {
        "run_id": run_id,
        "arm_id": unit.arm.pk,
        "example_id": unit.item.example_id,
        "position": unit.item.position,
        "correct": None if score is None else score.correct,
        "score": None if score is None else score.share,
        "confidence": None,
        "versus": "",
        "masking": unit.item.masking,
        "created_at": now,
        **answer_columns(fused, purchases, kind=unit.item.scored.question.kind),
    }


def answer_columns(fused: Fused, purchases: Sequence[Purchase], *, kind: AnswerKind) -> dict[str, Any]:
    """What an answer says, however it came to be asked for. ``purchases`` are all replies that it needed."""
    costs = [list_cost_nanousd(purchase) for purchase in purchases]
    value = fused.value
    return {
        "outcome": _outcome(fused, answered=value is not None),
        "value": None if value is None else stored_ballot(value, kind=kind),
        "text": _own_text(fused),
        "strategy": fused.strategy.value,
        "strategy_reason": fused.strategy_reason[:_REASON_CHARS],
        "analysis": _analysis(fused),
        "winner_seat": None if fused.final is None else fused.final.seat,
        "consensus": min(1.0, max(0.0, fused.consensus)),
        "stages_called": fused.stages_called,
        "settled": fused.settled,
        "call_count": len(fused.calls),
        "cost_nanousd": None if None in costs else sum(cost for cost in costs if cost is not None),
        "latency_s": _sum_s(_latency_s(fused, stages=fused.stages_called), *_arbiter_s(fused)),
        "degraded": degraded_json(fused.degraded),
    }


def degraded_json(degraded: Iterable[Degradation]) -> list[dict[str, Any]]:
    return [{"kind": cut.kind, "reason": cut.reason, "seat": cut.seat} for cut in degraded]


def call_rows(finished: FinishedUnit, *, answer_id: int, now: datetime) -> list[dict[str, Any]]:
    """The columns of the answer's new calls. Seats whose call the answer already has are left out.

    Nothing is paid and no text is held yet: that is the writer's to say, once it knows who wrote the reply first.
    """
    seats, kind = finished.unit.seats, finished.unit.item.scored.question.kind
    own = {"answer_id": answer_id, "created_at": now}
    return [
        own
        | {"attempt": _attempt(finished, call.seat)}
        | member_columns(finished.fused, call, seats[call.seat], kind)
        | _placeholders(finished, call.result, saw_them=_saw_placeholders(finished, call))
        for call in finished.fused.calls
        if not seats[call.seat].kept
    ]


def arbiter_rows(finished: FinishedUnit, *, answer_id: int, now: datetime) -> list[dict[str, Any]]:
    """The columns of the calls to the arbiter, in the order of ``unit.asked``: its stage follows the last one called.

    Attempts of one question take numbers in between, so the next question's begins after them.
    """
    own = {"answer_id": answer_id, "created_at": now}
    asked = finished.unit.asked
    return [
        own | row | _placeholders(finished, purchase.result, saw_them=True)
        for row, purchase in zip(arbiter_columns(finished.fused, asked), asked, strict=True)
    ]


def _placeholders(finished: FinishedUnit, result: Reply | Failure | None, *, saw_them: bool) -> dict[str, int | None]:
    cover = finished.unit.item.cover
    return {} if cover is None or result is None else placeholder_columns(result, cover, saw_them=saw_them)


def _saw_placeholders(finished: FinishedUnit, call: MemberCall) -> bool:
    return finished.unit.batch.replay is None and not call.member.in_house


def arbiter_columns(fused: Fused, asked: Iterable[Purchase]) -> list[dict[str, Any]]:
    """The last attempts of what the arbiter was ``asked``, in order, as if nothing were paid and no text held."""
    began_s = _latency_s(fused, stages=fused.stages_called)
    attempt = 1
    rows = []
    for purchase in asked:
        result = purchase.result
        assert result is not None
        place = {"attempt": attempt, "stage": fused.stages_called, "offset_s": _sum_s(began_s, delay_s(result))}
        rows.append(place | _arbiter_row(purchase))
        began_s = _sum_s(began_s, duration_s(result))
        attempt += 1 + len(result.earlier)
    return rows


def attempt_rows(row: Mapping[str, Any], purchase: Purchase) -> list[dict[str, Any]]:
    """The failed attempts before the bought reply that ``row`` is of, in the places just before it.

    They have no ballot; only the last attempt carries the key under which a reply is found again.
    """
    result = purchase.result
    assert result is not None
    began_s = None if row["offset_s"] is None else row["offset_s"] - (delay_s(result) or 0.0)
    rows: list[dict[str, Any]] = []
    for failure in result.earlier:
        number = row["attempt"] + len(rows)
        rows.append({**row, **_attempt_columns(purchase, failure), "attempt": number, "offset_s": began_s})
        began_s = _sum_s(began_s, failure.latency_s, failure.pause_s)
    return rows


def _attempt_columns(purchase: Purchase, failure: Failure) -> dict[str, Any]:
    return {
        "text": "",
        "reply_key": "",
        "ballot": None,
        "group": None,
        "placeholders": None,
        "placeholders_lost": None,
        "cost_nanousd": list_cost_nanousd(purchase, failure),
        "spent_nanousd": paid_nanousd(purchase, failure),
        **_result_columns(purchase, failure),
    }


def ballot_groups(fused: Fused) -> dict[int, int]:
    """The index of each seat's group, in order of support; seats that abstained have none."""
    return {ballot.seat: index for index, group in enumerate(fused.tally.groups) for ballot in group.ballots}


def failed_kinds(fused: Fused) -> list[str]:
    """How the calls failed that brought nothing, the arbiter's among them."""
    arbitrated = () if fused.arbitration is None else fused.arbitration.calls
    results = (*(call.result for call in fused.calls), *(call.result for call in arbitrated))
    return [result.kind.value for result in results if isinstance(result, Failure)]


def stored_ballot(value: BallotValue, *, kind: AnswerKind) -> str:
    """A ballot as text; of free text its start, since the whole stands with the call."""
    if isinstance(value, float | int):
        return format(value, ".15g")
    text = _without_nul(value)
    return text[:_STORED_TEXT_CHARS] if kind is AnswerKind.TEXT else text


def _outcome(fused: Fused, *, answered: bool) -> str:
    """Without an answer it is an abstention, unless a failed call is what may be missing."""
    if answered:
        return Answer.Outcome.ANSWERED.value
    return Answer.Outcome.FAILED.value if failed_kinds(fused) else Answer.Outcome.ABSTAINED.value


def member_columns(fused: Fused, call: MemberCall, purchase: Purchase, kind: AnswerKind) -> dict[str, Any]:
    """A member's last attempt, as if nothing were paid and no text held."""
    ballot = call.ballot
    began_s = _latency_s(fused, stages=call.stage)
    return {
        "model_id": purchase.model.pk,
        "role": Call.Role.MEMBER.value,
        "stage": call.stage,
        "seat": call.seat,
        "group": ballot_groups(fused).get(call.seat),
        "offset_s": _sum_s(began_s, delay_s(call.result)),
        "text": "",
        "reply_key": purchase.key,
        "reused_from_id": None,
        "recorded_output_id": purchase.output_id,
        "ballot": None if ballot.value is None else stored_ballot(ballot.value, kind=kind),
        "weight": ballot.weight if math.isfinite(ballot.weight) else 0.0,
        "placeholders": None,
        "placeholders_lost": None,
        "cost_nanousd": list_cost_nanousd(purchase),
        "spent_nanousd": 0,
        **_result_columns(purchase, call.result),
    }


def _arbiter_row(purchase: Purchase) -> dict[str, Any]:
    assert purchase.result is not None
    return {
        "model_id": purchase.model.pk,
        "role": Call.Role.ARBITER.value,
        "seat": Call.ARBITER_SEAT,
        "text": "",
        "reply_key": purchase.key if purchase.bought else "",
        "reused_from_id": None,
        "recorded_output_id": None,
        "ballot": None,
        "group": None,
        "weight": 0.0,
        "placeholders": None,
        "placeholders_lost": None,
        "cost_nanousd": list_cost_nanousd(purchase),
        "spent_nanousd": 0,
        **_result_columns(purchase, purchase.result),
    }


def _result_columns(purchase: Purchase, result: Reply | Failure) -> dict[str, Any]:
    usage = result.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "reported_cost_nanousd": usage.reported_cost_nanousd,
        "latency_s": result.latency_s,
        "provider_model": result.provider_model[:_NAME_CHARS],
        "response_id": result.response_id[:_NAME_CHARS],
        "served_by": result.served_by[:_NAME_CHARS],
        **_terms_columns(purchase, result),
        **(_reply_columns(result) if isinstance(result, Reply) else _failure_columns(result)),
    }


def _terms_columns(purchase: Purchase, result: Reply | Failure) -> dict[str, Any]:
    """What it was costed by and asked under. What was not asked now, or for nothing, has no contract of its own."""
    terms = purchase.model.terms
    contract_id = terms.contract_id if purchase.bought else None
    region = result.region[:MAX_CODE_CHARS]
    return {
        "price_id": terms.price_id,
        "contract_id": contract_id,
        "region": region,
        "region_allowed": is_covered(region, terms.regions) if region and contract_id is not None else None,
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


def _own_text(fused: Fused) -> str:
    """The whole answer where no member wrote it; a member's words stand with its call."""
    if fused.final is None or fused.final.seat is not None:
        return ""
    return _without_nul(fused.final.text or str(fused.final.value))


def _analysis(fused: Fused) -> Any:
    """What the arbiter found, and which text it was given; None where it was not asked."""
    return None if fused.arbitration is None else _storable(arbitration_to_json(fused.arbitration))


def _storable(found: Any) -> Any:
    if isinstance(found, str):
        return _without_nul(found)
    if isinstance(found, dict):
        return {name: _storable(value) for name, value in found.items()}
    return [_storable(value) for value in found] if isinstance(found, list) else found


def _without_nul(text: str) -> str:
    """An arbiter may write it as an escape; databases refuse it."""
    return text.replace("\0", "")


def _attempt(finished: FinishedUnit, seat: int) -> int:
    previous = finished.unit.previous
    earlier = previous.attempts.get(seat) if previous is not None else None
    return 1 if earlier is None else earlier.number + 1


def _latency_s(fused: Fused, *, stages: int) -> float | None:
    """Seconds that the first ``stages`` stages take, each as long as its slowest member; None if one is not measured.

    A member takes as long as all its attempts, with the pauses between. This is also when the next stage begins:
    waiting for a slot belongs to the run, not to the answer.
    """
    return _sum_s(*(_slowest_s(fused.calls, stage) for stage in range(stages)))


def _arbiter_s(fused: Fused) -> list[float | None]:
    return [] if fused.arbitration is None else [duration_s(call.result) for call in fused.arbitration.calls]


def _slowest_s(calls: Sequence[MemberCall], stage: int) -> float | None:
    durations = [duration_s(call.result) for call in calls if call.stage == stage]
    return None if None in durations else max(seconds for seconds in durations if seconds is not None)


def _sum_s(*seconds: float | None) -> float | None:
    """None if one of them is not measured."""
    return None if None in seconds else math.fsum(each for each in seconds if each is not None)
