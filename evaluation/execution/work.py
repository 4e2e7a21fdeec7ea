"""What a worker does with a run, from the lease to the result. Nothing of it needs a broker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from asgiref.sync import async_to_sync
from django import db
from django.db.models import Q, Sum

from evaluation.execution.batches import finish_run, pause_broken_run
from evaluation.execution.database import DatabaseThread
from evaluation.execution.desk import UnusableClient
from evaluation.execution.leases import LeaseLost, abandon_lease, claim_lease, end_lease
from evaluation.execution.plan import RunPlan, load_plan
from evaluation.execution.results import compute_result
from evaluation.execution.shift import Clock, Pace, Shift, Terms
from evaluation.execution.writer import Written
from evaluation.models import ArmProgress, Lease, Run
from evaluation.results import RESULT_FORMAT
from panels.fusion.types import ModelClient
from panels.gateway import MissingKey
from panels.models import LanguageModel
from panels.specs import inventory_key

logger = logging.getLogger(__name__)

# Whoever finished the run is given this time to compute its result.
_RESULT_DUE_AFTER = timedelta(seconds=30)
_RESULT_DUE_FOR = timedelta(days=1)
_LACKS_RESULT = Q(result=None) | Q(result__format__lt=RESULT_FORMAT)

ClientsFor = Callable[[Sequence[LanguageModel], int], AbstractAsyncContextManager[Mapping[str, ModelClient]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is, as far as this worker knows: answers, and nano-dollars."""

    done: int
    wanted: int
    spent_nanousd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    """What ``work_run`` was called with."""

    name: str
    clients_for: ClientsFor
    clock: Clock
    pace: Pace
    on_progress: Callable[[Progress], None] | None
    stop: threading.Event


def work_run(
    *,
    run_id: int,
    worker: str,
    clients_for: ClientsFor,
    clock: Clock,
    on_progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    pace: Pace | None = None,
) -> None:
    """Works on an active run with what concurrency it has to give; returns when nothing is left for this worker.

    Whoever finds the last batch done finishes the run and computes its result. ``stop`` asks for an orderly end:
    answers that were begun are finished and stored, the rest is given back. Safe to call twice, late or in vain.
    """
    settings = _Worker(
        name=worker,
        clients_for=clients_for,
        clock=clock,
        pace=pace or Pace(),
        on_progress=on_progress,
        stop=stop or threading.Event(),
    )
    async_to_sync(_work)(run_id, settings)


async def _work(run_id: int, worker: _Worker) -> None:
    async with DatabaseThread() as database:
        lease = await database.run(
            claim_lease,
            run_id=run_id,
            wanted_slots=worker.pace.slots,
            worker=worker.name,
            now=worker.clock(),
            ttl=worker.pace.lease_ttl,
        )
        if lease is not None and await _work_under(lease, worker, database):
            await database.run(close_run, run_id=run_id, now=worker.clock())


def close_run(*, run_id: int, now: datetime) -> None:
    """Finishes the run if its last batch is done, and computes what it showed."""
    finish_run(run_id=run_id, now=now)
    if Run.objects.filter(_LACKS_RESULT, pk=run_id, state=Run.State.FINISHED).exists():
        compute_result(run_id=run_id, now=now)


def runs_without_result(*, now: datetime) -> list[int]:
    """Runs that were finished by a worker which died before it computed the result; the last day's are enough.

    And the latest one whose result is of an older format: the next sweep takes the next one.
    """
    finished = Run.objects.filter(state=Run.State.FINISHED, result=None)
    recent = finished.filter(finished_at__gt=now - _RESULT_DUE_FOR, finished_at__lte=now - _RESULT_DUE_AFTER)
    outdated = Run.objects.filter(state=Run.State.FINISHED, result__format__lt=RESULT_FORMAT)
    latest = outdated.order_by("-finished_at", "-pk").values_list("pk", flat=True)[:1]
    return [*recent.order_by("pk").values_list("pk", flat=True), *latest]


async def _work_under(lease: Lease, worker: _Worker, database: DatabaseThread) -> bool:
    """Whether the lease came to an orderly end."""
    try:
        plan = await database.run(load_plan, lease.run_id, now=worker.clock())
        await _work_through(plan, lease, worker, database)
        await database.run(end_lease, lease, now=worker.clock())
    except BaseException as error:
        causes = list(_causes(error))
        if any(isinstance(cause, LeaseLost) for cause in causes):
            logger.warning("the lease on run %s was lost; nothing more is written under it", lease.run_id)
            return False
        await database.run(abandon_lease, lease, now=worker.clock())
        if any(_would_recur(cause) for cause in causes):
            logger.exception("run %s is paused: its worker failed", lease.run_id)
            await database.run(pause_broken_run, run_id=lease.run_id, now=worker.clock())
        raise
    return True


async def _work_through(plan: RunPlan, lease: Lease, worker: _Worker, database: DatabaseThread) -> None:
    on_written = await _progress_reporter(plan, worker, database)
    terms = Terms(plan=plan, lease=lease, clock=worker.clock, pace=worker.pace, on_written=on_written, stop=worker.stop)
    async with AsyncExitStack() as stack:
        clients = await _open_clients(plan, lease, worker, stack)
        await Shift(terms, database=database, clients=clients).run()


async def _open_clients(
    plan: RunPlan, lease: Lease, worker: _Worker, stack: AsyncExitStack
) -> Mapping[str, ModelClient]:
    if not plan.asked:
        return {}
    try:
        return await stack.enter_async_context(worker.clients_for(plan.asked, lease.slots))
    except (MissingKey, ValueError) as error:
        # Told by every call, so that it stands on the run's page; the answers can be retried once it is mended.
        return {inventory_key(model.pk): UnusableClient(reason=str(error)) for model in plan.asked}


async def _progress_reporter(plan: RunPlan, worker: _Worker, database: DatabaseThread) -> Callable[[Written], None]:
    report = worker.on_progress
    if report is None:
        return lambda _: None
    done, spent = await database.run(_so_far, plan.run_id)

    def on_written(written: Written) -> None:
        nonlocal done, spent
        done, spent = done + written.answers, spent + written.paid_nanousd
        report(Progress(done=done, wanted=plan.answers_wanted, spent_nanousd=spent))

    return on_written


def _so_far(run_id: int) -> tuple[int, int]:
    done = ArmProgress.objects.filter(run_id=run_id).aggregate(total=Sum("done"))["total"] or 0
    return done, Run.objects.values_list("spent_nanousd", flat=True).get(pk=run_id)


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        yield error


def _would_recur(cause: BaseException) -> bool:
    """A broken worker would spend on every try what it has under way; the database's passing trouble would not."""
    return isinstance(cause, Exception) and not isinstance(cause, db.Error)
