"""What is kept of a live answer: the answer, a call for every attempt, and what was asked, masked if it was masked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Sum

from evaluation.execution.plan import PlannedModel
from evaluation.execution.rollups import mark_due
from evaluation.execution.rows import (
    answer_columns,
    arbiter_columns,
    attempt_rows,
    degraded_json,
    member_columns,
)
from evaluation.execution.units import Purchase
from evaluation.models import Answer, Call, LiveRequest, Workflow
from evaluation.selectors.calibrations import newest_steps
from evaluation.stats.calibration import confidence_of
from evaluation.stats.percentiles import percentile
from fusion_site.lib.derived_secrets import derived_secret
from panels.fusion.cost_lines import CostLine
from panels.fusion.live_answer import Late, LiveAnswer, Sent
from panels.fusion.outcomes import Fused, MemberCall
from panels.fusion.pricing import worst_case_cost
from panels.fusion.privacy.vault import VaultKey, seal
from panels.fusion.types import ModelRequest, Reply
from panels.gateway import client_class

VAULT_TTL = timedelta(days=30)
_VAULT_KEY_ID = "1"
_RECENT_CALLS = 200
_FEWEST_CALLS = 20
_P95 = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Participants:
    """The models that may be asked, by the name that the engine has for them."""

    models: Mapping[str, PlannedModel]

    def body_of(self, request: ModelRequest) -> bytes:
        """The request as it goes over the wire of its model."""
        model = self.models[request.model]
        return client_class(model.kind).wire.request_body(replace(request, model=model.name))

    def worst_nanousd(self, request: ModelRequest) -> int | None:
        price = self.models[request.model].price
        if price is None:
            return None
        return worst_case_cost(price, body_bytes=len(self.body_of(request)), max_tokens=request.sampling.max_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRecord:
    """A live answer with what is to be kept beside it.

    ``held``: the calls that hold reused replies, by key. ``took_s``: seconds from the question to the answer.
    """

    version_id: int
    workflow: Workflow | None
    live: LiveAnswer
    participants: Participants
    held: Mapping[str, int]
    mode: str
    ceiling_nanousd: int | None
    deadline_s: float | None
    by: User | None
    took_s: float
    now: datetime


@transaction.atomic
def record_answer(record: LiveRecord) -> Answer:
    """The answer with its calls and its request, all or nothing."""
    live = record.live
    bought = _purchases(record)
    answer = Answer.objects.create(
        **_answer_columns(record, [purchase for _, purchase in bought]),
        confidence=_confidence(record),
        created_at=record.now,
    )
    if live.fused is not None:
        rows = _call_rows(record, live.fused, bought)
        Call.objects.bulk_create([Call(answer=answer, created_at=record.now, **row) for row in rows])
    LiveRequest.objects.create(answer=answer, **_request_columns(record))
    mark_due([record.now])
    return answer


@transaction.atomic
def record_late(record: LiveRecord, answer: Answer, late: Sequence[Late]) -> None:
    """What came after the answer: it changes no vote, but the record of the call, its attempts, and what it cost."""
    fused = record.live.fused
    assert fused is not None
    for found in late:
        purchase = _member_purchase(record, found.call)
        row = member_columns(fused, found.call, purchase, record.live.question.kind) | {"ballot": None, "group": None}
        *earlier, last = _attempt_rows(row | {"attempt": 1}, purchase, found.lines)
        Call.objects.filter(answer=answer, role=Call.Role.MEMBER, seat=found.call.seat).delete()
        rows = [Call(answer=answer, created_at=record.now, **each) for each in (*earlier, last)]
        Call.objects.bulk_create(rows)
    calls = Call.objects.filter(answer=answer)
    if not calls.filter(cost_nanousd=None).exists():
        Answer.objects.filter(pk=answer.pk).update(cost_nanousd=calls.aggregate(total=Sum("cost_nanousd"))["total"])
    mark_due([answer.created_at, record.now])


def usual_slowest(model_ids: Iterable[int]) -> dict[int, float]:
    """The 95th percentile of the latest replies of each model, seconds by primary key; few replies say nothing."""
    found: dict[int, float] = {}
    for pk in model_ids:
        calls = Call.objects.filter(model=pk, outcome=Call.OK, reused_from=None, latency_s__isnull=False)
        latest = list(calls.order_by("-pk").values_list("latency_s", flat=True)[:_RECENT_CALLS])
        measured = [latency_s for latency_s in latest if latency_s is not None]
        if len(measured) >= _FEWEST_CALLS:
            found[pk] = percentile(measured, _P95)
    return found


def vault_key() -> VaultKey:
    """The key under which placeholder maps are sealed."""
    return VaultKey(key_id=_VAULT_KEY_ID, secret=derived_secret("placeholder maps"))


def _purchases(record: LiveRecord) -> list[tuple[int | None, Purchase]]:
    """Every reply that the answer needed, by seat; None is the arbiter, in the order of its questions."""
    fused = record.live.fused
    if fused is None:
        return []
    found: list[tuple[int | None, Purchase]] = [(call.seat, _member_purchase(record, call)) for call in fused.calls]
    asked = [sent for sent in record.live.sent if sent.seat is None]
    calls = () if fused.arbitration is None else fused.arbitration.calls
    for number, call in enumerate(calls):
        request = ModelRequest(model=call.arbiter.model, messages=(), sampling=call.arbiter.sampling)
        # At the deadline it is not asked at all, and yet has a line that says so.
        sent = asked[number] if number < len(asked) else Sent(seat=None, request=request, key="")
        found.append((None, _purchase(record, sent, call.result)))
    return found


def _member_purchase(record: LiveRecord, call: MemberCall) -> Purchase:
    request = ModelRequest(model=call.member.model, messages=(), sampling=call.member.sampling)
    sent = next((sent for sent in record.live.sent if sent.seat == call.seat), None)
    return _purchase(record, sent or Sent(seat=call.seat, request=request, key=""), call.result)


def _purchase(record: LiveRecord, sent: Sent, result: Any) -> Purchase:
    reused = isinstance(result, Reply) and result.age_s is not None
    return Purchase(
        model=record.participants.models[sent.request.model],
        request=sent.request,
        key="" if reused else sent.key,
        worst_nanousd=record.participants.worst_nanousd(sent.request),
        result=result,
        call_id=record.held.get(sent.key) if reused else None,
        bought=not reused,
    )


def _answer_columns(record: LiveRecord, purchases: Sequence[Purchase]) -> dict[str, Any]:
    live = record.live
    if live.fused is None:
        return {
            "outcome": Answer.Outcome.FAILED.value,
            "consensus": 0.0,
            "stages_called": 0,
            "call_count": 0,
            "cost_nanousd": 0,
            "strategy_reason": live.explanation[:200],
            "degraded": [{"kind": "refused", "reason": live.explanation, "seat": None}],
        }
    columns = answer_columns(live.fused, purchases, kind=live.question.kind)
    return columns | {"degraded": degraded_json(live.degraded), "latency_s": record.took_s}


def _confidence(record: LiveRecord) -> float | None:
    fused = record.live.fused
    if fused is None or fused.final is None:
        return None
    return confidence_of(fused.consensus, newest_steps(record.version_id))


def _call_rows(
    record: LiveRecord, fused: Fused, bought: Sequence[tuple[int | None, Purchase]]
) -> Iterator[dict[str, Any]]:
    kind = record.live.question.kind
    seated = {seat: purchase for seat, purchase in bought if seat is not None}
    asked = [purchase for seat, purchase in bought if seat is None]
    rows: list[tuple[dict[str, Any], Purchase]] = [
        ({"attempt": 1} | member_columns(fused, call, seated[call.seat], kind), seated[call.seat])
        for call in fused.calls
    ]
    rows += list(zip(arbiter_columns(fused, asked), asked, strict=True))
    for row, purchase in rows:
        yield from _attempt_rows(row, purchase, list(_lines_of(record.live, row)))


def _attempt_rows(row: dict[str, Any], purchase: Purchase, lines: Sequence[CostLine]) -> Iterator[dict[str, Any]]:
    """A row for every attempt of a call, oldest first; ``row`` is of the last one, numbered as if it were the first."""
    earlier = attempt_rows(row, purchase)
    last = row | {
        "attempt": row["attempt"] + len(earlier),
        "text": "" if purchase.call_id is not None else _text(purchase.result),
        "reused_from_id": purchase.call_id,
    }
    return _with_money([*earlier, last], lines)


def _lines_of(live: LiveAnswer, row: Mapping[str, Any]) -> Iterator[CostLine]:
    """The lines of a seat; of the arbiter all that are left belong to its questions, one after the other."""
    is_arbiter = row["role"] == Call.Role.ARBITER
    lines = [line for line in live.lines if (line.seat is None) == is_arbiter]
    return (line for line in lines if is_arbiter or line.seat == row["seat"])


def _with_money(rows: list[dict[str, Any]], lines: Sequence[CostLine]) -> Iterator[dict[str, Any]]:
    """What was paid for each attempt. Requests without a row of their own, a second one say, count with the last."""
    if rows[0]["role"] == Call.Role.ARBITER:
        lines = lines[rows[0]["attempt"] - 1 :][: len(rows)]
    paid: list[int | None] = [line.nanousd for line in lines[: len(rows) - 1]]
    rest = [line.nanousd for line in lines[len(rows) - 1 :]]
    paid += [0] * (len(rows) - 1 - len(paid))
    paid.append(None if None in rest else sum(amount for amount in rest if amount is not None))
    for row, amount in zip(rows, paid, strict=True):
        yield row | {"spent_nanousd": amount}


def _text(result: Any) -> str:
    return result.text.replace("\0", "") if isinstance(result, Reply) else ""


def _request_columns(record: LiveRecord) -> dict[str, Any]:
    live, question = record.live, record.live.question
    sealed = None
    if live.placeholder_map is not None:
        sealed = seal(
            live.placeholder_map,
            key=vault_key(),
            now_s=record.now.timestamp(),
            ttl_s=VAULT_TTL.total_seconds(),
        ).encode()
    return {
        "panel_version_id": record.version_id,
        "workflow": record.workflow,
        "answer_kind": question.kind.value,
        "choices": list(question.choices),
        "schema": question.schema,
        "messages": json.dumps([asdict(message) for message in question.messages], ensure_ascii=False),
        "evidence": question.evidence,
        "mode": record.mode,
        "ceiling_nanousd": record.ceiling_nanousd,
        "deadline_s": record.deadline_s,
        "quoted_least_nanousd": live.quote.least_nanousd,
        "quoted_expected_nanousd": live.quote.expected_nanousd,
        "quoted_most_nanousd": live.quote.most_nanousd,
        "masked": live.placeholder_map is not None,
        "masks": dict(live.masks),
        "integrity": {model: asdict(count) for model, count in live.integrity.items()},
        "vault": sealed,
        "vault_until": None if sealed is None else record.now + VAULT_TTL,
        "asked_by": record.by,
        "created_at": record.now,
    }
