"""Who may work on a run: a worker's share of its concurrency, held for as long as it shows that it is alive.

Everything here is a conditional update whose row count is checked, so that it holds on any database. Where several
rows are changed, they are taken in one order: lease, progress, batch, run.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from evaluation.models import Batch, Lease, Run

LEASE_TTL = timedelta(seconds=30)
_TRIES = 5


class LeaseLost(Exception):
    """The lease has ended or expired: somebody else may hold its batches, so nothing may be written under it."""


def claim_lease(
    *, run_id: int, wanted_slots: int, worker: str, now: datetime, ttl: timedelta = LEASE_TTL
) -> Lease | None:
    """A share of an active run's free slots, at most ``wanted_slots``; None if there is none to be had."""
    for _ in range(_TRIES):
        run = Run.objects.active().filter(pk=run_id).first()
        slots = 0 if run is None else min(wanted_slots, run.concurrency - run.slots_leased)
        if run is None or slots < 1:
            return None
        lease = _claim_slots(run, slots, worker=worker, now=now, ttl=ttl)
        if lease is not None:
            return lease
    return None


@transaction.atomic
def _claim_slots(run: Run, slots: int, *, worker: str, now: datetime, ttl: timedelta) -> Lease | None:
    lease = Lease.objects.create(
        run=run, token=uuid4(), worker=worker[:200], slots=slots, created_at=now, expires_at=now + ttl
    )
    claimed = (
        Run.objects.active()
        .filter(pk=run.pk, slots_leased=run.slots_leased)
        .update(
            slots_leased=F("slots_leased") + slots,
            state=Run.State.RUNNING,
            started_at=Coalesce("started_at", now),
            resumed_at=Coalesce("resumed_at", now),
        )
    )
    if claimed:
        return lease
    lease.delete()
    return None


def renew_lease(lease: Lease, *, now: datetime, ttl: timedelta = LEASE_TTL) -> str:
    """Shows that the worker lives; returns the state of the run. Raises LeaseLost."""
    hold_lease(lease, now=now, ttl=ttl)
    return Run.objects.values_list("state", flat=True).get(pk=lease.run_id)


def hold_lease(lease: Lease, *, now: datetime, ttl: timedelta = LEASE_TTL) -> None:
    """To be the first statement of every transaction that writes under the lease. Raises LeaseLost."""
    live = Lease.objects.filter(token=lease.token, ended_at=None, expires_at__gt=now)
    if not live.update(expires_at=now + ttl):
        raise LeaseLost(str(lease.token))


@transaction.atomic
def end_lease(lease: Lease, *, now: datetime) -> None:
    """Gives back slots, batches and reservations of a worker that has nothing under way. Raises LeaseLost."""
    if not Lease.objects.filter(token=lease.token, ended_at=None, expires_at__gt=now).update(ended_at=now):
        raise LeaseLost(str(lease.token))
    _give_back(lease, lost=False)


@transaction.atomic
def abandon_lease(lease: Lease, *, now: datetime) -> None:
    """Ends the lease of a worker that failed with calls under way: what was reserved may have been billed."""
    if Lease.objects.filter(token=lease.token, ended_at=None).update(ended_at=now):
        _give_back(lease, lost=True)


def sweep_leases(*, now: datetime) -> list[int]:
    """Ends leases that were not renewed in time, each in a transaction of its own; returns the runs they were of."""
    dead = Lease.objects.filter(ended_at=None, expires_at__lte=now).order_by("pk")
    return [lease.run_id for lease in dead if _sweep_lease(lease, now)]


@transaction.atomic
def _sweep_lease(lease: Lease, now: datetime) -> bool:
    # Once more under the row's lock: the worker may have renewed it, or another sweep ended it, since it was read.
    if not Lease.objects.filter(pk=lease.pk, ended_at=None, expires_at__lte=now).update(ended_at=now):
        return False
    _give_back(lease, lost=True)
    return True


def _give_back(lease: Lease, *, lost: bool) -> None:
    held = Batch.objects.filter(lease=lease)
    reserved = held.aggregate(total=Sum("reserved_nanousd"))["total"] or 0
    held.update(state=Batch.State.PENDING, lease=None, reserved_nanousd=0)
    counted = reserved if lost else 0
    Run.objects.filter(pk=lease.run_id).update(
        slots_leased=F("slots_leased") - lease.slots,
        reserved_nanousd=F("reserved_nanousd") - reserved,
        spent_nanousd=F("spent_nanousd") + counted,
        lost_nanousd=F("lost_nanousd") + counted,
    )


def runs_to_wake(*, now: datetime) -> Sequence[int]:
    """Active runs that nobody works on, or that have both slots and batches to give."""
    active = Run.objects.active()
    leased = Lease.objects.filter(ended_at=None, expires_at__gt=now).values("run_id")
    pending = Batch.objects.filter(state=Batch.State.PENDING).values("run_id")
    idle = active.exclude(pk__in=leased)
    short_of_workers = active.filter(slots_leased__lt=F("concurrency"), pk__in=pending)
    return sorted(set(idle.values_list("pk", flat=True)) | set(short_of_workers.values_list("pk", flat=True)))
