from __future__ import annotations

import json
import os
import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from evaluation.execution.work import work_run
from evaluation.intake.benchmark_spec import BadSpec, read_spec
from evaluation.management.progress_line import ProgressLine
from evaluation.models import Run, RunResult
from evaluation.results import ResultData, from_json
from evaluation.selectors.benchmark_report import report_json, report_table
from evaluation.services.benchmarks import start_benchmark
from evaluation.services.runs import pause_run
from panels.gateway import clients_for

_BAD_SPEC = 2
_STOPPED = 3


class Command(BaseCommand):
    help = "Runs the comparison that a TOML file describes, here and now, and prints what came out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("spec", type=Path, help="the file that describes dataset and arms")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")

    def handle(self, *, spec: Path, json: bool, **_: Any) -> None:
        try:
            run = start_benchmark(spec=read_spec(spec), clock=timezone.now)
        except BadSpec as error:
            raise CommandError(str(error), returncode=_BAD_SPEC) from error
        except DatabaseError as error:
            message = f"the database cannot be used ({error}); run: python manage.py migrate"
            raise CommandError(message, returncode=_BAD_SPEC) from error
        _work(run)
        data = _result(run)
        self.stdout.write(_as_json(data) if json else report_table(data, title=run.experiment.title))


def _as_json(data: ResultData) -> str:
    return json.dumps(report_json(data), ensure_ascii=False, allow_nan=False)


def _work(run: Run) -> None:
    line = ProgressLine(sys.stderr, wanted=run.answers_wanted, cap_nanousd=run.cap_nanousd)
    with _stop_on_interrupt() as stop:
        work_run(
            run_id=run.pk,
            worker=f"benchmark:{os.getpid()}",
            clients_for=clients_for,
            clock=timezone.now,
            on_progress=line.show,
            stop=stop,
        )
    line.close()


@contextmanager
def _stop_on_interrupt() -> Iterator[threading.Event]:
    """Ctrl-C ends in good order: what was asked is stored before the command returns."""
    stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _result(run: Run) -> ResultData:
    run.refresh_from_db()
    result = RunResult.objects.filter(run=run).first()
    if result is not None:
        return from_json(result.data)
    if run.state == Run.State.CAPPED:
        told = "came to its cost ceiling before it was finished; raise max_cost_usd"
    else:
        pause_run(run=run, by=None, now=timezone.now())
        told = "was stopped; what it has is kept"
    raise CommandError(f"run {run.pk} {told}. Resume it in the browser.", returncode=_STOPPED)
