"""Whatever dies at whatever moment: every answer stands once, every call once, and the money adds up."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation.execution import shift as shift_module
from evaluation.execution.leases import LEASE_TTL, LeaseLost, claim_lease, sweep_leases
from evaluation.execution.shift import Pace
from evaluation.execution.work import work_run
from evaluation.execution.writer import write_answers
from evaluation.models import Answer, ArmProgress, Batch, Call, Lease, Run, RunResult
from panels.fusion.types import Failure, FailureKind, ModelRequest, Reply
from tests.factories import make_dataset_version, make_experiment, make_model, make_panel_version, make_run
from tests.integration.evaluation.execution.scripted_clients import Clock, ScriptedProviders, failure, reply

pytestmark = pytest.mark.django_db(transaction=True)

PACE = Pace(pulse_s=0.02, flush_s=0.002, flush_rows=8, lease_ttl=LEASE_TTL)


class Killed(BaseException):
    """Stands for the end of the process: nothing that would tidy up may run."""


def staged_run(*, examples: int = 12, batch: int = 3, **fields: Any) -> Run:
    """A baseline, and a staged panel that shares the baseline's model and escalates where the first two differ."""
    first, second, strong = make_model(), make_model(), make_model()
    panels = [
        make_panel_version([[first]]),
        make_panel_version([[first, second], [strong]], stop_at=1.0, settles=True),
    ]
    experiment = make_experiment(panels, version=make_dataset_version(examples=examples))
    return make_run(experiment, batch=batch, **fields)


def disagreeing(run: Run, *, seed: int = 0) -> ScriptedProviders:
    """Replies that differ now and then, cost unequal amounts, and fail now and then."""
    chance = random.Random(seed)  # a script, not a secret

    def answer(request: ModelRequest) -> Reply | Failure:
        if chance.random() < 0.1:
            return failure(chance.choice([FailureKind.TIMEOUT, FailureKind.SERVER, FailureKind.STREAM_CUT]))
        return reply(
            chance.choice("AAAB"), prompt_tokens=chance.randint(1, 20), completion_tokens=chance.randint(1, 10)
        )

    return ScriptedProviders(answer=answer)


def work(run: Run, providers: ScriptedProviders, clock: Clock, **options: Any) -> None:
    work_run(run_id=run.pk, worker="w", clients_for=providers.clients_for, clock=clock, pace=PACE, **options)


def assert_whole(run: Run) -> None:
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    assert run.answers.count() == run.answers_wanted
    assert (run.slots_leased, run.reserved_nanousd) == (0, 0)
    assert not run.batches.exclude(state=Batch.State.DONE).exists()
    assert not run.batches.exclude(reserved_nanousd=0).exists()
    assert RunResult.objects.filter(run=run).exists()
    calls = Call.objects.filter(answer__run=run)
    assert calls.count() == sum(run.answers.values_list("call_count", flat=True))
    assert run.spent_nanousd == (calls.aggregate(total=Sum("spent_nanousd"))["total"] or 0) + run.lost_nanousd
    for progress in ArmProgress.objects.filter(run=run):
        answers = Answer.objects.filter(run=run, arm=progress.arm)
        assert progress.done == answers.count()
        assert progress.correct == answers.filter(correct=True).count()
        assert progress.failed == answers.filter(outcome="failed").count()
        assert progress.calls == sum(answers.values_list("call_count", flat=True))
        assert sum(progress.errors.values()) == calls.filter(answer__arm=progress.arm).exclude(outcome="ok").count()


@pytest.fixture
def killing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a worker die before or after its nth write, without any of the tidying that an exception brings."""
    original = write_answers
    monkeypatch.setattr("evaluation.execution.work.abandon_lease", lambda *args, **kwargs: None)

    def kill_at(write: int, *, after: bool) -> None:
        seen = 0

        def writes(*args: Any, **kwargs: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == write and not after:
                raise Killed
            written = original(*args, **kwargs)
            if seen == write:
                raise Killed
            return written

        monkeypatch.setattr(shift_module, "write_answers", writes)

    yield kill_at
    monkeypatch.setattr(shift_module, "write_answers", original)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("write", "reuse"), [(1, True), (2, False), (4, True), (5, False)])
def test_a_worker_that_dies_at_a_write_loses_and_doubles_nothing(killing, write, reuse, after):
    run, clock = staged_run(reuse_replies=reuse), Clock()
    providers = disagreeing(run, seed=write)
    killing(write, after=after)
    with pytest.raises(BaseExceptionGroup):
        work(run, providers, clock)
    assert Lease.objects.get(run=run).ended_at is None
    killing(0, after=False)
    clock.move(seconds=30)
    assert sweep_leases(now=clock()) == [run.pk]
    run.refresh_from_db()
    assert run.lost_nanousd > 0
    work(run, providers, clock)
    assert_whole(run)


def test_a_worker_that_dies_in_a_call_is_survived(killing):
    run, clock = staged_run(), Clock()
    providers = disagreeing(run)

    def die(request: ModelRequest) -> None:
        if len(providers.requests) == 9:
            raise Killed

    providers.before = die
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - Killed, or a group with it
        work(run, providers, clock)
    assert "Killed" in repr(raised.value)
    providers.before = None
    clock.move(seconds=30)
    sweep_leases(now=clock())
    work(run, providers, clock)
    assert_whole(run)


def test_a_worker_that_fails_gives_up_its_lease_at_once_and_pauses_the_run(monkeypatch):
    run, clock = staged_run(), Clock()

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(shift_module, "write_answers", broken)
    with pytest.raises(BaseExceptionGroup):
        work(run, disagreeing(run), clock)
    run.refresh_from_db()
    assert (run.state, run.slots_leased, run.reserved_nanousd) == (Run.State.PAUSED, 0, 0)
    assert run.spent_nanousd == run.lost_nanousd > 0


def test_a_worker_whose_lease_was_swept_writes_nothing_more():
    run, clock = staged_run(concurrency=8), Clock()
    providers = disagreeing(run)
    sweep = threading.Thread(target=_sweep, args=(clock,))

    def sweep_midway(request: ModelRequest) -> None:
        # As if this worker had been frozen for longer than its lease.
        if len(providers.requests) == 10:
            clock.move(seconds=31)
            sweep.start()

    providers.before = sweep_midway
    work(run, providers, clock)
    sweep.join()
    run.refresh_from_db()
    assert run.state == Run.State.RUNNING
    written_before = run.answers.count()
    assert written_before < run.answers_wanted
    providers.before = None
    work(run, providers, clock)
    assert_whole(run)


def _sweep(clock: Clock) -> None:
    sweep_leases(now=clock())
    connections.close_all()


def test_a_late_write_under_a_dead_lease_is_refused_whole():
    run, clock = staged_run(), Clock()
    lease = claim_lease(run_id=run.pk, wanted_slots=1, worker="w", now=clock())
    assert lease is not None
    clock.move(seconds=30)
    with pytest.raises(LeaseLost):
        write_answers(lease, finished=[], now=clock())
    sweep_leases(now=clock())
    with pytest.raises(LeaseLost):
        write_answers(lease, finished=[], now=lease.created_at)


def test_two_workers_share_a_run_within_its_concurrency():
    run, clock = staged_run(examples=30, batch=2, concurrency=5), Clock()
    providers = disagreeing(run)
    # Both hold their leases before either of them asks for anything.
    providers.on_open = threading.Barrier(2, timeout=10).wait
    pace = Pace(slots=3, pulse_s=0.02, flush_s=0.002, flush_rows=8)

    def one_worker() -> None:
        work_run(run_id=run.pk, worker="w", clients_for=providers.clients_for, clock=clock, pace=pace)
        connections.close_all()

    workers = [threading.Thread(target=one_worker) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert sorted(providers.opened) == [2, 3]
    assert providers.most_at_once <= 5
    assert Lease.objects.filter(run=run).count() == 2
    assert_whole(run)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), cap=st.integers(0, 3_000_000), batch=st.integers(1, 5))
def test_a_cap_is_never_crossed(seed, cap, batch):
    run, clock = staged_run(examples=8, batch=batch, cap_nanousd=cap, reuse_replies=False), Clock()
    providers = disagreeing(run, seed=seed)
    work(run, providers, clock)
    run.refresh_from_db()
    calls = Call.objects.filter(answer__run=run)
    assert run.spent_nanousd == (calls.aggregate(total=Sum("spent_nanousd"))["total"] or 0) <= cap
    assert run.reserved_nanousd == 0
    if run.state == Run.State.FINISHED:
        assert_whole(run)
    else:
        assert run.state == Run.State.CAPPED
        assert run.batches.filter(state=Batch.State.PENDING).exists()


def test_a_provider_that_counts_more_than_it_can_does_not_push_the_run_over_its_cap():
    run, clock = staged_run(cap_nanousd=2_000_000), Clock()
    work(run, ScriptedProviders(answer=lambda _: reply(completion_tokens=10**6)), clock)
    run.refresh_from_db()
    assert run.state == Run.State.CAPPED
    assert run.spent_nanousd == run.cap_nanousd
