"""Background work. A message only wakes a worker; what there is to do stands in the database."""

from __future__ import annotations

import os
import socket
import threading
from datetime import timedelta

from celery import shared_task
from celery.signals import worker_shutting_down
from django.utils import timezone

from evaluation.execution.imports import load_import, sweep_imports
from evaluation.execution.leases import runs_to_wake, sweep_leases
from evaluation.execution.rollups import sweep_rollups
from evaluation.execution.shift import Pace
from evaluation.execution.vaults import forget_expired_maps
from evaluation.execution.work import close_run, runs_without_result, work_run
from panels.gateway import clients_for

# A wake that nobody took by then is repeated by the sweep.
WAKE_EXPIRES_S = 10.0
# A worker has few threads: long runs take turns, and sweeps and imports get theirs in between.
_PACE = Pace(shift=timedelta(seconds=60))
_stopping = threading.Event()


@worker_shutting_down.connect
def _stop_working(**_: object) -> None:
    """A worker that is asked to end gives its runs back, instead of keeping the process until they are finished."""
    _stopping.set()


@shared_task(name="evaluation.work_run")
def work_run_task(*, run_id: int) -> None:
    work_run(
        run_id=run_id,
        worker=_worker_name(),
        clients_for=clients_for,
        clock=timezone.now,
        stop=_stopping,
        pace=_PACE,
    )
    if run_id in runs_to_wake(now=timezone.now()) and not _stopping.is_set():
        wake_run(run_id=run_id)


@shared_task(name="evaluation.sweep_runs")
def sweep_runs() -> None:
    """Ends dead leases, wakes workers for runs that want one, and makes up for results that were not computed."""
    now = timezone.now()
    sweep_leases(now=now)
    for run_id in runs_to_wake(now=now):
        wake_run(run_id=run_id)
    for run_id in runs_without_result(now=now):
        close_run(run_id=run_id, now=now)


def wake_run(*, run_id: int) -> None:
    """Tells some worker that the run has work. Nothing is lost with the message."""
    work_run_task.apply_async(kwargs={"run_id": run_id}, expires=WAKE_EXPIRES_S)


def _worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"


@shared_task(name="evaluation.load_import")
def load_import_task(*, import_id: int) -> None:
    load_import(import_id=import_id, clock=timezone.now)


@shared_task(name="evaluation.sweep_imports")
def sweep_imports_task() -> None:
    """Ends imports whose worker died, and wakes workers for those that nobody took."""
    for import_id in sweep_imports(timezone.now()).waiting:
        wake_import(import_id=import_id)


@shared_task(name="evaluation.forget_expired_maps")
def forget_expired_maps_task() -> None:
    """Deletes placeholder maps whose time to live is over."""
    forget_expired_maps(now=timezone.now())


@shared_task(name="evaluation.sweep_rollups")
def sweep_rollups_task() -> None:
    """Brings the rollups up to date with what was written since."""
    sweep_rollups(now=timezone.now())


def wake_import(*, import_id: int) -> None:
    """Tells some worker that the import waits. Nothing is lost with the message."""
    load_import_task.apply_async(kwargs={"import_id": import_id})
