"""kill -9 of a Celery worker in the middle of a run, with real processes, sockets and files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from django.db import connection
from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from evaluation.models import Answer, ArmProgress, Batch, Call, Lease, Run
from evaluation.tasks import sweep_runs, work_run_task
from fusion_site.celery import app
from fusion_site.lib.broker import broker_options
from fusion_site.lib.env import EMBEDDED_BROKER
from panels.fusion.types import ArbiterWhen, StrategyName
from panels.simulator.catalogue import CATALOGUE
from tests.conftest import REPOSITORY
from tests.factories import (
    make_dataset_version,
    make_experiment,
    make_model,
    make_panel_version,
    make_provider,
    make_run,
)
from tests.simulator_server import SimulatorServer, serve_simulator

EXAMPLES = 80
CONCURRENCY = 6
ARBITER = "sim-gauge-arbiter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A running worker, and where it writes its log."""

    process: subprocess.Popen[bytes]
    log: Path


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_run_survives_kill_9_of_its_worker(tmp_path):
    with serve_simulator(latency_ms=40, faults=False) as simulator:
        run = simulated_run(simulator)
        with celery_worker(tmp_path, name="first") as worker:
            send(work_run_task, tmp_path, run_id=run.pk)
            wait_for(lambda: run.answers.count() >= 40, worker)
            worker.process.send_signal(signal.SIGKILL)
            worker.process.wait(10)
        asked_first = simulator.ledger.received
        before = set(run.answers.values_list("pk", flat=True))
        reserved = assert_held_by_the_dead(run)

        let_the_lease_expire(run)
        # No word of the run itself reaches the second worker: the sweep finds it.
        send(sweep_runs, tmp_path)
        with celery_worker(tmp_path, name="second") as worker:
            wait_for(lambda: Run.objects.get(pk=run.pk).state == Run.State.FINISHED, worker)
        run.refresh_from_db()

    assert before <= set(run.answers.values_list("pk", flat=True))
    assert run.lost_nanousd == reserved > 0
    assert_recorded_once(run)
    # What was under way in the first worker was asked once more, and nothing else.
    bought = Call.objects.filter(answer__run=run, reused_from=None).count()
    assert bought <= simulator.ledger.received <= bought + 5 * 25
    assert asked_first < simulator.ledger.received
    assert simulator.ledger.peak_in_flight <= CONCURRENCY


def simulated_run(simulator: SimulatorServer) -> Run:
    """A baseline, and a staged panel of three with the baseline's model in it, whose arbiter is asked every time."""
    provider = make_provider(base_url=simulator.base_url)
    first, second, third = (make_model(provider=provider, name=name) for name in list(CATALOGUE)[:3])
    arbitrated = make_panel_version(
        [[first, second], [third]],
        stop_at=1.0,
        strategy=StrategyName.VERIFICATION,
        arbiter=make_model(provider=provider, name=ARBITER),
        when=ArbiterWhen.ALWAYS,
    )
    panels = [make_panel_version([[first]]), arbitrated]
    version = make_dataset_version(examples=EXAMPLES, answer_kind="text", scorer="key_facts")
    experiment = make_experiment(panels, version=version)
    return make_run(experiment, batch=10, concurrency=CONCURRENCY, cap_nanousd=10**12)


def assert_held_by_the_dead(run: Run) -> int:
    """The dead worker still seems to hold everything; returns what it had reserved, nano-dollars."""
    run.refresh_from_db()
    assert (run.state, run.slots_leased) == (Run.State.RUNNING, CONCURRENCY)
    assert run.reserved_nanousd == sum(run.batches.values_list("reserved_nanousd", flat=True))
    assert run.batches.filter(state=Batch.State.LEASED, lease__ended_at=None).exists()
    return run.reserved_nanousd


def let_the_lease_expire(run: Run) -> None:
    """Instead of waiting for half a minute."""
    assert Lease.objects.filter(run=run, ended_at=None).update(expires_at=timezone.now()) == 1


def assert_recorded_once(run: Run) -> None:
    answers, calls = Answer.objects.filter(run=run), Call.objects.filter(answer__run=run)
    assert answers.count() == answers.values("arm", "example").distinct().count() == run.answers_wanted == 2 * EXAMPLES
    members = Q(calls__role=Call.Role.MEMBER)
    assert not answers.annotate(stored=Count("calls", filter=members)).exclude(stored=F("call_count")).exists()
    assert not answers.filter(arm__is_baseline=False, analysis__isnull=True).exists()
    assert not calls.exclude(outcome="ok").exists()
    assert (run.slots_leased, run.reserved_nanousd) == (0, 0)
    paid = calls.aggregate(total=Sum("spent_nanousd"))["total"]
    assert run.spent_nanousd == paid + run.lost_nanousd
    for progress in ArmProgress.objects.filter(run=run):
        assert progress.done == EXAMPLES
        assert progress.calls == calls.filter(answer__arm=progress.arm, role=Call.Role.MEMBER).count()


@contextmanager
def celery_worker(folder: Path, *, name: str) -> Iterator[Worker]:
    """A worker as in service, on the test's database and a broker of files in ``folder``."""
    command = [sys.executable, "-m", "celery", "--app=fusion_site", "worker", "--concurrency=2", "--loglevel=WARNING"]
    environ = os.environ | {
        "DJANGO_SETTINGS_MODULE": "fusion_site.settings",
        "QUORUM_DATA_DIR": str(folder),
        "DATABASE_URL": database_url(),
        "CELERY_BROKER_URL": EMBEDDED_BROKER,
    }
    with (folder / f"{name}.log").open("wb") as log:
        worker = subprocess.Popen(
            [*command, f"--hostname={name}@localhost"], cwd=REPOSITORY, env=environ, stdout=log, stderr=log
        )
        try:
            yield Worker(process=worker, log=folder / f"{name}.log")
        finally:
            worker.kill()
            worker.wait(10)


def database_url() -> str:
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{quote(name)}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def send(task: object, folder: Path, **arguments: object) -> None:
    """Puts a message into the broker that the workers read, which is not the one of the tests."""
    options = broker_options(folder / "broker")
    with app.connection_for_write(url=EMBEDDED_BROKER, transport_options=options) as broker:
        task.apply_async(kwargs=arguments, connection=broker)  # type: ignore[attr-defined]


def wait_for(condition: Callable[[], bool], worker: Worker, *, seconds: float = 25) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert worker.process.poll() is None, worker.log.read_text()
        assert time.monotonic() < deadline, worker.log.read_text()
        time.sleep(0.02)
