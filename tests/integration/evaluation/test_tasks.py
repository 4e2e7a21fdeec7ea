from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from evaluation import tasks
from evaluation.execution.leases import claim_lease
from evaluation.models import Batch, Run, RunResult
from evaluation.policies import is_cancellable, is_pausable, is_resumable, is_retryable
from tests.factories import make_dataset_version, make_experiment, make_model, make_panel_version, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def woken(monkeypatch):
    """The runs that workers were told of."""
    runs = []
    monkeypatch.setattr(tasks.work_run_task, "apply_async", lambda *, kwargs, expires: runs.append(kwargs["run_id"]))
    return runs


def new_run(**fields):
    experiment = make_experiment([make_panel_version([[make_model()]])], version=make_dataset_version(examples=1))
    return make_run(experiment, **fields)


def test_a_sweep_ends_dead_leases_and_wakes_workers_for_their_runs(woken):
    run = new_run()
    long_ago = timezone.now() - timedelta(minutes=1)
    claim_lease(run_id=run.pk, wanted_slots=4, worker="gone", now=long_ago)
    tasks.sweep_runs()
    run.refresh_from_db()
    assert (run.slots_leased, woken) == (0, [run.pk])


def test_a_task_whose_shift_ended_before_its_run_wakes_another(woken, monkeypatch):
    run = new_run()
    monkeypatch.setattr(tasks, "work_run", lambda **_: None)
    tasks.work_run_task(run_id=run.pk)
    assert woken == [run.pk]
    Run.objects.update(state=Run.State.FINISHED)
    tasks.work_run_task(run_id=run.pk)
    assert woken == [run.pk]


def test_a_sweep_makes_up_for_a_result_that_was_not_computed(woken):
    ended = timezone.now() - timedelta(minutes=1)
    due = new_run(state=Run.State.FINISHED, finished_at=ended)
    fresh = new_run(state=Run.State.FINISHED, finished_at=timezone.now())
    Batch.objects.update(state=Batch.State.DONE)
    tasks.sweep_runs()
    assert RunResult.objects.filter(run=due).exists()
    assert not RunResult.objects.filter(run=fresh).exists()
    assert woken == []


def test_a_template_may_ask_what_may_be_done():
    allowed = {
        state: [test(Run(state=state)) for test in (is_pausable, is_resumable, is_cancellable, is_retryable)]
        for state in ("running", "capped", "finished")
    }
    assert allowed == {
        "running": [True, False, True, False],
        "capped": [False, True, True, False],
        "finished": [False, False, False, True],
    }
