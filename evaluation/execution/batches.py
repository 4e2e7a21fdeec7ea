"""Which examples are taken next, and when a run has had all of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum

from django.db import transaction
from django.db.models import F, Q

from evaluation.execution.leases import LEASE_TTL, hold_lease
from evaluation.models import Batch, Lease, Run


class Claim(Enum):
    """What became of an attempt to take a batch. ``NO_ROOM``: its worst case does not fit under the cap now."""

    TAKEN = "taken"
    GONE = "gone"
    NO_ROOM = "no room"
    STOPPED = "stopped"


class _Refused(Exception):
    """Rolls back a half-made claim."""


def plan_batches(*, run: Run, first: int, last: int, size: int) -> Iterator[Batch]:
    """Batches over the positions ``first`` to ``last``, both included; not saved yet."""
    for number, start in enumerate(range(first, last + 1, size), start=1):
        yield Batch(run=run, number=number, first_position=start, last_position=min(start + size - 1, last))


def next_batch(*, run_id: int) -> Batch | None:
    """The pending batch of lowest number; it is not claimed yet."""
    return Batch.objects.filter(run_id=run_id, state=Batch.State.PENDING).order_by("number").first()


def claim_batch(
    lease: Lease, *, batch_id: int, reserve_nanousd: int, now: datetime, ttl: timedelta = LEASE_TTL
) -> Claim:
    """Takes a pending batch and sets its worst case aside, both or neither. Raises LeaseLost."""
    try:
        with transaction.atomic():
            hold_lease(lease, now=now, ttl=ttl)
            pending = Batch.objects.filter(pk=batch_id, state=Batch.State.PENDING)
            if not pending.update(state=Batch.State.LEASED, lease=lease, reserved_nanousd=reserve_nanousd):
                return Claim.GONE
            _reserve(lease.run_id, reserve_nanousd)
    except _Refused:
        running = Run.objects.filter(pk=lease.run_id, state=Run.State.RUNNING).exists()
        return Claim.NO_ROOM if running else Claim.STOPPED
    return Claim.TAKEN


def _reserve(run_id: int, nanousd: int) -> None:
    fits = Q(cap_nanousd=None) | Q(cap_nanousd__gte=F("spent_nanousd") + F("reserved_nanousd") + nanousd)
    running = Run.objects.filter(fits, pk=run_id, state=Run.State.RUNNING)
    if not running.update(reserved_nanousd=F("reserved_nanousd") + nanousd):
        raise _Refused


def cap_run(*, run_id: int, needed_nanousd: int, now: datetime) -> bool:
    """Stops a run whose next batch does not fit under its cap, unless something reserved may yet be freed."""
    run = Run.objects.get(pk=run_id)
    crossing = Q(cap_nanousd__lt=F("spent_nanousd") + needed_nanousd)
    stuck = Run.objects.filter(crossing, pk=run_id, state=Run.State.RUNNING, reserved_nanousd=0)
    return bool(stuck.update(state=Run.State.CAPPED, **clock_stopped(run, now=now)))


def finish_run(*, run_id: int, now: datetime) -> bool:
    """Marks an active run finished once its last batch is done; true for the one caller that did it."""
    run = Run.objects.get(pk=run_id)
    undone = Batch.objects.filter(run_id=run_id).exclude(state=Batch.State.DONE)
    active = Run.objects.active().filter(pk=run_id).exclude(pk__in=undone.values("run_id"))
    finished = active.update(state=Run.State.FINISHED, finished_at=now, **clock_stopped(run, now=now))
    return bool(finished)


def clock_stopped(run: Run, *, now: datetime) -> dict[str, object]:
    """The fields that stop a run's clock: the seconds since it was resumed join those before."""
    since = 0.0 if run.resumed_at is None else max(0.0, (now - run.resumed_at).total_seconds())
    return {"active_s": run.active_s + since, "resumed_at": None}


def pause_broken_run(*, run_id: int, now: datetime) -> None:
    """Pauses a running run whose worker failed in a way that it would repeat; the log says how."""
    run = Run.objects.get(pk=run_id)
    running = Run.objects.filter(pk=run_id, state=Run.State.RUNNING)
    running.update(state=Run.State.PAUSED, **clock_stopped(run, now=now))
