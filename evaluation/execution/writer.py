"""Stores finished answers: rows, progress and money in one transaction, and only while the lease is live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField, Case, F, When
from django.db.models.functions import Least

from evaluation.execution.inserts import Row, insert_rows
from evaluation.execution.leases import LEASE_TTL, hold_lease
from evaluation.execution.rollups import mark_due
from evaluation.execution.rows import (
    answer_row,
    arbiter_rows,
    attempt_rows,
    ballot_groups,
    call_rows,
    failed_kinds,
    paid_nanousd,
)
from evaluation.execution.units import FinishedUnit, LoadedBatch, Previous, Purchase
from evaluation.models import Answer, ArmProgress, Batch, Call, Lease, Run

_REPLACED_FIELDS = (
    "outcome", "value", "text", "strategy", "strategy_reason", "analysis", "confidence", "winner_seat", "consensus",
    "correct", "score", "stages_called", "settled", "call_count", "cost_nanousd", "latency_s", "degraded", "versus",
    "masking", "created_at",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class _Counts:
    """What an arm's progress changes by."""

    numbers: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, kw_only=True)
class _Money:
    """What was paid, nano-dollars, and what each batch no longer needs of its reservation.

    ``retried`` holds by arm how the attempts failed that were followed by another: each stands, and counts, with the
    arm whose call bought the reply.
    """

    paid: int = 0
    released: Counter[int] = field(default_factory=Counter)
    retried: dict[int, Counter[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a flush added: answers that are new in the record, and nano-dollars."""

    answers: int
    paid_nanousd: int


@transaction.atomic
def write_answers(
    lease: Lease,
    *,
    finished: Sequence[FinishedUnit],
    empty: Sequence[LoadedBatch] = (),
    now: datetime,
    ttl: timedelta = LEASE_TTL,
) -> Written:
    """Stores the answers with their calls, and marks batches done that have no unit left, ``empty`` ones among them.

    Raises LeaseLost, and then nothing of it is stored.
    """
    hold_lease(lease, now=now, ttl=ttl)
    answers = [answer_row(each, run_id=lease.run_id, now=now) for each in finished]
    replaced = _times_of_replaced(finished)
    answer_ids = _save_answers(finished, answers, run_id=lease.run_id)
    money = _Money()
    _save_calls(finished, answer_ids, money, now=now)
    _save_progress(lease.run_id, finished, answers, money.retried)
    _settle(lease, finished, empty, money)
    mark_due([now, *replaced])
    return Written(answers=sum(each.unit.previous is None for each in finished), paid_nanousd=money.paid)


def _times_of_replaced(finished: Sequence[FinishedUnit]) -> list[datetime]:
    """When the answers were given that now come anew."""
    previous = [each.unit.previous.answer_id for each in finished if each.unit.previous is not None]
    return list(Answer.objects.filter(pk__in=previous).values_list("created_at", flat=True)) if previous else []


def _save_answers(finished: Sequence[FinishedUnit], answers: Sequence[Row], *, run_id: int) -> list[int]:
    """The primary keys of the answers, in their order."""
    pairs = list(zip(finished, answers, strict=True))
    insert_rows(Answer, [answer for each, answer in pairs if each.unit.previous is None])
    _replace_answers((each.unit.previous, answer) for each, answer in pairs if each.unit.previous is not None)
    # As the index on them begins, so that the answers of the run are not all looked through.
    stored = Answer.objects.filter(
        run_id=run_id,
        arm_id__in={answer["arm_id"] for answer in answers},
        position__in={answer["position"] for answer in answers},
    )
    ids = {(arm_id, example_id): pk for pk, arm_id, example_id in stored.values_list("pk", "arm_id", "example_id")}
    return [ids[answer["arm_id"], answer["example_id"]] for answer in answers]


def _replace_answers(retried: Iterable[tuple[Previous, Row]]) -> None:
    for previous, answer in retried:
        Answer.objects.filter(pk=previous.answer_id).update(**{name: answer[name] for name in _REPLACED_FIELDS})


def _save_calls(finished: Sequence[FinishedUnit], answer_ids: Sequence[int], money: _Money, *, now: datetime) -> None:
    """The first call written with a bought reply holds its text and what was paid; others point at it."""
    rows: list[Row] = []
    sharers: list[tuple[dict[str, Any], Purchase]] = []
    holders: dict[int, tuple[dict[str, Any], Purchase]] = {}
    for each, answer_id in zip(finished, answer_ids, strict=True):
        for row, purchase in _rows_by_purchase(each, answer_id=answer_id, now=now):
            if purchase.call_id is not None or id(purchase) in holders:
                sharers.append((row, purchase))
                continue
            if purchase.bought:
                rows += _hold(row, purchase, each, money)
                holders[id(purchase)] = (row, purchase)
            rows.append(row)
    insert_rows(Call, rows)
    _find_calls([(row, purchase) for row, purchase in holders.values() if purchase.shared])
    insert_rows(Call, [row | {"reused_from_id": purchase.call_id, "reply_key": ""} for row, purchase in sharers])
    _regroup_kept_calls(finished)


def _rows_by_purchase(
    finished: FinishedUnit, *, answer_id: int, now: datetime
) -> Iterator[tuple[dict[str, Any], Purchase]]:
    for row in call_rows(finished, answer_id=answer_id, now=now):
        yield row, finished.unit.seats[row["seat"]]
    yield from zip(arbiter_rows(finished, answer_id=answer_id, now=now), finished.unit.asked, strict=True)


def _find_calls(held: Sequence[tuple[Row, Purchase]]) -> None:
    """Tells purchases that other seats want, too, in which call their text now is."""
    stored = Call.objects.filter(answer_id__in={row["answer_id"] for row, _ in held})
    ids = {tuple(place): pk for pk, *place in stored.values_list("pk", "answer_id", "role", "seat", "attempt")}
    for row, purchase in held:
        purchase.call_id = ids[row["answer_id"], row["role"], row["seat"], row["attempt"]]


def _hold(row: dict[str, Any], purchase: Purchase, finished: FinishedUnit, money: _Money) -> list[dict[str, Any]]:
    """Makes ``row`` the call that bought the reply; returns the rows of the attempts before it."""
    earlier = attempt_rows(row, purchase)
    row |= {
        "text": getattr(purchase.result, "text", ""),
        "spent_nanousd": paid_nanousd(purchase),
        "attempt": row["attempt"] + len(earlier),
    }
    money.paid += sum(each["spent_nanousd"] or 0 for each in (*earlier, row))
    money.retried.setdefault(finished.unit.arm.pk, Counter()).update(each["outcome"] for each in earlier)
    batch = finished.unit.batch
    example = batch.examples[finished.unit.item.example_id]
    released = min(example.reserved_nanousd, purchase.worst_nanousd or 0)
    example.reserved_nanousd -= released
    money.released[batch.pk] += released
    return earlier


def _regroup_kept_calls(finished: Iterable[FinishedUnit]) -> None:
    """An earlier reply keeps its call, but may stand in another group now."""
    kept = [
        call for each in finished if each.unit.previous is not None for call in _kept_calls(each, each.unit.previous)
    ]
    if kept:
        Call.objects.bulk_update(kept, ["group"])


def _kept_calls(finished: FinishedUnit, previous: Previous) -> Iterator[Call]:
    groups = ballot_groups(finished.fused)
    for call in finished.fused.calls:
        if finished.unit.seats[call.seat].kept:
            yield Call(pk=previous.attempts[call.seat].call_id, group=groups.get(call.seat))


def _save_progress(
    run_id: int, finished: Sequence[FinishedUnit], answers: Sequence[Row], retried: Mapping[int, Counter[str]]
) -> None:
    counts = {arm_id: _Counts(errors=Counter(errors)) for arm_id, errors in retried.items()}
    for each, answer in zip(finished, answers, strict=True):
        _count(counts.setdefault(each.unit.arm.pk, _Counts()), each, answer)
    for arm_id in sorted(counts):
        _add_counts(run_id, arm_id, counts[arm_id])


def _count(counts: _Counts, finished: FinishedUnit, answer: Row) -> None:
    counts.numbers.update(
        done=1,
        failed=int(answer["outcome"] == Answer.Outcome.FAILED),
        abstained=int(answer["outcome"] != Answer.Outcome.ANSWERED),
        scored=int(answer["correct"] is not None),
        correct=int(answer["correct"] is True),
        calls=answer["call_count"],
        arbitrated=int(bool(finished.unit.asked)),
        arbiter_calls=len(finished.unit.asked),
    )
    counts.errors.update(failed_kinds(finished.fused))
    previous = finished.unit.previous
    if previous is not None:
        # What is replaced was a failed answer, so it was never a right one.
        counts.numbers.subtract(
            {"done": 1, "failed": 1, "abstained": 1, "scored": int(previous.scored), "calls": previous.call_count}
        )
        counts.errors.subtract(kind for each in previous.attempts.values() for kind in each.failed_kinds)


def _add_counts(run_id: int, arm_id: int, counts: _Counts) -> None:
    progress = ArmProgress.objects.filter(run_id=run_id, arm_id=arm_id)
    progress.update(**{name: F(name) + number for name, number in counts.numbers.items()})
    if not any(counts.errors.values()):
        return
    # The update above holds the row's lock, so nobody else changes what is read here.
    errors = Counter(progress.values_list("errors", flat=True).get())
    errors.update(counts.errors)
    progress.update(errors={kind: number for kind, number in sorted(errors.items()) if number > 0})


def _settle(lease: Lease, finished: Sequence[FinishedUnit], empty: Sequence[LoadedBatch], money: _Money) -> None:
    done = {batch.pk for batch in empty}
    for each in finished:
        batch = each.unit.batch
        example = batch.examples[each.unit.item.example_id]
        example.units_left -= 1
        batch.units_left -= 1
        if not example.units_left:
            money.released[batch.pk] += example.reserved_nanousd
            example.reserved_nanousd = 0
        if not batch.units_left:
            done.add(batch.pk)
    for batch_id in sorted(done | money.released.keys()):
        _settle_batch(lease, batch_id, released=money.released[batch_id], is_done=batch_id in done)
    _settle_run(lease.run_id, paid=money.paid, released=money.released.total())


def _settle_batch(lease: Lease, batch_id: int, *, released: int, is_done: bool) -> None:
    batch = Batch.objects.filter(pk=batch_id, lease=lease)
    batch.update(reserved_nanousd=F("reserved_nanousd") - released)
    if is_done:
        batch.update(state=Batch.State.DONE, lease=None)


def _settle_run(run_id: int, *, paid: int, released: int) -> None:
    if not paid and not released:
        return
    reserved = F("reserved_nanousd") - released
    spent = F("spent_nanousd") + paid
    # A provider that counts more tokens than the worst case allows must not stop the record; the run ends at its cap.
    within_cap = Case(
        When(cap_nanousd=None, then=spent),
        default=Least(spent, F("cap_nanousd") - reserved),
        output_field=BigIntegerField(),
    )
    Run.objects.filter(pk=run_id).update(spent_nanousd=within_cap, reserved_nanousd=reserved)
