"""The event loop of a worker: batches in, answers out, while the database works on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from evaluation.execution.arbitration import BoughtBefore, UnitArbiter
from evaluation.execution.batches import Claim, cap_run, claim_batch, next_batch
from evaluation.execution.database import DatabaseThread
from evaluation.execution.desk import Address, Desk, Stopped, UnitAsk
from evaluation.execution.leases import renew_lease
from evaluation.execution.loading import load_batch
from evaluation.execution.outbox import Outbox
from evaluation.execution.plan import RunPlan
from evaluation.execution.replies import HeldReply, find_arbitrations
from evaluation.execution.units import FinishedUnit, LoadedBatch, Unit
from evaluation.execution.writer import Written, write_answers
from evaluation.models import Lease, Run
from evaluation.scorers import SCORERS
from fusion_site.lib.derived_secrets import derived_secret
from panels.fusion.arbiter import ArbiterDesk
from panels.fusion.fuse import fuse
from panels.fusion.types import ModelClient
from panels.services.provider_health import note_provider_health

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a worker works: seconds between signs of life, seconds an answer may wait to be stored, rows at once.

    ``slots`` is how much of a run's concurrency one worker takes at most. After ``shift`` it makes room for whatever
    else waits for a worker; None is no end before the run's.
    """

    slots: int = 100
    lease_ttl: timedelta = timedelta(seconds=30)
    pulse_s: float = 1.0
    flush_s: float = 0.1
    flush_rows: int = 500
    shift: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under what a shift is worked. ``on_written`` hears of every flush; ``stop`` asks for an orderly end."""

    plan: RunPlan
    lease: Lease
    clock: Clock
    pace: Pace
    on_written: Callable[[Written], None]
    stop: threading.Event


class Shift:
    """One worker's time on one run, under one lease."""

    def __init__(self, terms: Terms, *, database: DatabaseThread, clients: Mapping[str, ModelClient]) -> None:
        self._terms = terms
        self._database = database
        self._desk = Desk(clients=clients, slots=terms.lease.slots, held=BoughtBefore(self._find_held))
        self._secret = derived_secret("arbiter")
        self._outbox = Outbox(rows=terms.pace.flush_rows, seconds=terms.pace.flush_s)
        # Twice the slots: while one answer waits for its last member, another can use the slots it left.
        self._window = asyncio.Semaphore(2 * terms.lease.slots)
        self._held: set[int] = set()
        self._settled = asyncio.Event()
        self._stopping = False
        self._until = None if terms.pace.shift is None else terms.clock() + terms.pace.shift

    async def run(self) -> None:
        """Until nothing is left to claim, or a stop. Raises ExceptionGroup, with LeaseLost in it if that is why."""
        async with asyncio.TaskGroup() as group:
            pulse = group.create_task(self._pulse())
            writing = group.create_task(self._write())
            await self._feed()
            self._outbox.close()
            await writing
            pulse.cancel()
            await self._database.run(note_provider_health, now=self._terms.clock(), at_once=True)

    def stop(self) -> None:
        """Finish what was begun, begin nothing."""
        self._stopping = True
        self._desk.stop()
        self._settled.set()

    async def _feed(self) -> None:
        """Keeps the window full. The next batch is claimed while this one is being fed, so no slot waits for it."""
        async with asyncio.TaskGroup() as group:
            upcoming = group.create_task(self._claim())
            while (batch := await upcoming) is not None:
                upcoming = group.create_task(self._claim())
                for unit in batch.units:
                    await self._outbox.has_room()
                    await self._window.acquire()
                    if self._is_over():
                        self.stop()
                    if self._stopping:
                        return
                    group.create_task(self._answer(unit))

    async def _answer(self, unit: Unit) -> None:
        ask = UnitAsk(desk=self._desk, unit=unit)
        try:
            fused = await fuse(
                question=unit.item.scored.question, panel=unit.arm.panel, ask=ask, arbiter=self._arbiter(unit)
            )
        except Stopped:
            return
        finally:
            self._window.release()
        score = SCORERS[self._terms.plan.scorer](fused, unit.item.scored)
        self._outbox.add(FinishedUnit(unit=unit, fused=fused, score=score))

    def _arbiter(self, unit: Unit) -> ArbiterDesk | None:
        if unit.arm.panel.arbiter is None:
            return None
        return ArbiterDesk(ask=UnitArbiter(plan=self._terms.plan, desk=self._desk, unit=unit), secret=self._secret)

    async def _find_held(self, wanted: Collection[Address]) -> Mapping[Address, HeldReply]:
        plan = self._terms.plan
        return await self._database.run(find_arbitrations, run_id=plan.run_id, reuse=plan.reuse, wanted=wanted)

    async def _claim(self) -> LoadedBatch | None:
        while not self._stopping:
            self._settled.clear()
            claim, batch = await self._database.run(take_batch, self._terms)
            if batch is None:
                return None
            if claim is Claim.STOPPED:
                self.stop()
            elif claim is Claim.NO_ROOM:
                if not await self._wait_for_room(batch.worst_nanousd):
                    return None
            elif claim is Claim.TAKEN and batch.units:
                self._held.add(batch.pk)
                return batch
            elif claim is Claim.TAKEN:
                self._outbox.add_empty(batch)
        return None

    async def _wait_for_room(self, needed_nanousd: int) -> bool:
        """True once something was settled. False where nothing is left to settle: the run has come to its cap."""
        if self._held or self._settled.is_set():
            await self._settled.wait()
            return True
        await self._database.run(
            cap_run, run_id=self._terms.lease.run_id, needed_nanousd=needed_nanousd, now=self._terms.clock()
        )
        return False

    async def _write(self) -> None:
        terms = self._terms
        while (parcel := await self._outbox.take()) is not None:
            written = await self._database.run(
                write_answers,
                terms.lease,
                finished=parcel.finished,
                empty=parcel.empty,
                now=terms.clock(),
                ttl=terms.pace.lease_ttl,
            )
            self._held -= {each.unit.batch.pk for each in parcel.finished if not each.unit.batch.units_left}
            self._settled.set()
            terms.on_written(written)

    async def _pulse(self) -> None:
        """Shows that the worker lives, also while nothing is written, and hears whether the run was stopped."""
        terms = self._terms
        while True:
            await asyncio.sleep(terms.pace.pulse_s)
            state = await self._database.run(renew_lease, terms.lease, now=terms.clock(), ttl=terms.pace.lease_ttl)
            await self._database.run(note_provider_health, now=terms.clock())
            if state != Run.State.RUNNING or terms.stop.is_set():
                self.stop()

    def _is_over(self) -> bool:
        return self._until is not None and self._terms.clock() >= self._until


def take_batch(terms: Terms) -> tuple[Claim, LoadedBatch | None]:
    """Reads the next pending batch and claims it with its worst case; no batch if none is pending."""
    batch = next_batch(run_id=terms.lease.run_id)
    if batch is None:
        return Claim.GONE, None
    loaded = load_batch(terms.plan, batch)
    claim = claim_batch(
        terms.lease,
        batch_id=batch.pk,
        reserve_nanousd=loaded.worst_nanousd,
        now=terms.clock(),
        ttl=terms.pace.lease_ttl,
    )
    return claim, loaded
