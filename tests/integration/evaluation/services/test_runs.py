from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.models import Sum

from evaluation.execution.loading import load_batch
from evaluation.execution.plan import load_plan
from evaluation.execution.shift import Pace
from evaluation.execution.work import work_run
from evaluation.models import Answer, ArmProgress, Batch, Call, Experiment, Run, RunResult
from evaluation.policies import WrongState
from evaluation.services.runs import (
    CapTooLow,
    NothingToRetry,
    RetiredModel,
    UnknownPrice,
    cancel_run,
    pause_run,
    resume_run,
    retry_failed,
    start_run,
)
from panels.fusion.types import Failure, FailureKind, ModelRequest, Reply, StrategyName
from panels.gateway import MissingKey
from panels.models import AuditEntry, Provider
from tests.factories import (
    NOW,
    make_dataset_version,
    make_experiment,
    make_model,
    make_outputs,
    make_panel_version,
    make_provider,
    make_run,
    make_user,
)
from tests.integration.evaluation.execution.scripted_clients import Clock, ScriptedProviders, failure, reply

PACE = Pace(pulse_s=0.01, flush_s=0.002)


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The runs that workers were woken for."""
    runs: list[int] = []
    monkeypatch.setattr("evaluation.services.runs.wake_run", lambda *, run_id: runs.append(run_id))
    return runs


def one_model_experiment(*, examples: int = 4, **model: Any) -> Experiment:
    panel = make_panel_version([[make_model(**model)]])
    return make_experiment([panel], version=make_dataset_version(examples=examples))


def start(experiment: Experiment, **options: Any) -> Run:
    settings: dict[str, Any] = {"concurrency": 4, "cap_nanousd": None, "reuse_replies": True, "by": None, "now": NOW}
    return start_run(experiment=experiment, **(settings | options))


def work(run: Run, providers: ScriptedProviders, **options: Any) -> None:
    settings: dict[str, Any] = {"worker": "w", "clock": Clock(), "pace": PACE} | options
    work_run(run_id=run.pk, clients_for=providers.clients_for, **settings)
    run.refresh_from_db()


@pytest.mark.django_db
def test_a_started_run_waits_with_batches_and_progress_and_wakes_a_worker(woken, django_capture_on_commit_callbacks):
    experiment = one_model_experiment(examples=60)
    with django_capture_on_commit_callbacks(execute=True):
        run = start(experiment)
    assert (run.number, run.state, run.answers_wanted) == (1, Run.State.QUEUED, 60)
    ranges = run.batches.order_by("number").values_list("number", "first_position", "last_position")
    assert list(ranges) == [(1, 0, 24), (2, 25, 49), (3, 50, 59)]
    assert ArmProgress.objects.filter(run=run).count() == 1
    assert woken == [run.pk]
    assert start(experiment).number == 2


@pytest.mark.django_db
def test_under_a_cap_a_batch_reserves_at_most_about_a_twentieth_of_it():
    experiment = one_model_experiment(examples=60)
    uncapped, roomy, tight, tiny = (start(experiment, cap_nanousd=cap) for cap in (None, 10**9, 30_000_000, 10))
    sizes = [run.batches.order_by("number")[0].last_position + 1 for run in (uncapped, roomy, tight, tiny)]
    assert sizes[:2] == [25, 25]
    assert 1 < sizes[2] < 25
    assert sizes[3] == 1


@pytest.mark.django_db
def test_an_unknown_price_is_refused_under_a_cap_and_named():
    experiment = one_model_experiment(price=None, name="mystery")
    with pytest.raises(UnknownPrice, match="mystery"):
        start(experiment, cap_nanousd=10**9)
    assert not Run.objects.exists()
    assert start(experiment).cap_nanousd is None


@pytest.mark.django_db
def test_a_model_retired_since_is_refused():
    experiment = one_model_experiment(name="old", retired_at=None)
    experiment.arms.get().panel_version.members.get().model.__class__.objects.update(status="retired", retired_at=NOW)
    with pytest.raises(RetiredModel, match="old"):
        start(experiment)


@pytest.mark.django_db
def test_a_missing_key_is_refused_and_its_variable_named():
    experiment = one_model_experiment(provider=make_provider(api_key_env="SOME_KEY"))
    with pytest.raises(MissingKey, match="SOME_KEY"):
        start(experiment, environ={"SOME_KEY": " "})
    assert start(experiment, environ={"SOME_KEY": "k"}).pk


def arbitrated_replay(**arbiter: Any) -> Experiment:
    version = make_dataset_version(examples=300, answer_kind="text", scorer="key_facts")
    recorded = make_model(provider=make_provider(kind=Provider.Kind.RECORDED), price=None)
    make_outputs(version, {recorded: ["A"] * 300})
    panel = make_panel_version([[recorded]], strategy=StrategyName.SYNTHESIS, arbiter=make_model(**arbiter))
    return make_experiment([panel], version=version, replies=Experiment.Replies.RECORDED)


@pytest.mark.django_db
def test_a_replay_whose_arbiter_is_asked_needs_its_price_and_its_key():
    with pytest.raises(UnknownPrice):
        start(arbitrated_replay(price=None), cap_nanousd=10**12)
    with pytest.raises(MissingKey):
        start(arbitrated_replay(provider=make_provider(api_key_env="JUDGE_API_KEY")), environ={})
    run = start(arbitrated_replay(), cap_nanousd=2 * 10**9)
    reserved = load_batch(load_plan(run.pk, now=NOW), run.batches.get(number=2)).worst_nanousd
    assert 10**8 / 2 < reserved <= 10**8
    assert start(arbitrated_replay()).batches.count() == 300 / 25


@pytest.mark.django_db
def test_a_replay_needs_no_price_and_no_key():
    provider = make_provider(kind=Provider.Kind.RECORDED, api_key_env="SOME_KEY")
    model = make_model(provider=provider, price=None)
    version = make_dataset_version(examples=2)
    make_outputs(version, {model: ["A", "B"]})
    experiment = make_experiment([make_panel_version([[model]])], version=version, replies="recorded")
    assert start(experiment, cap_nanousd=1, environ={}).pk


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("act", "allowed"),
    [
        (pause_run, {"queued", "running"}),
        (resume_run, {"paused", "capped"}),
        (cancel_run, {"queued", "running", "paused", "capped"}),
        (retry_failed, {"finished"}),
    ],
)
def test_what_may_be_done_depends_on_the_state(act, allowed):
    experiment = one_model_experiment()
    for state in Run.State.values:
        run = make_run(experiment, state=state)
        try:
            act(run=run, by=None, now=NOW)
        except WrongState:
            assert state not in allowed
        except (NothingToRetry, CapTooLow):
            assert state in allowed
        else:
            assert state in allowed


@pytest.mark.django_db
def test_the_clock_of_a_run_stands_while_it_is_paused():
    run = make_run(one_model_experiment(), state=Run.State.RUNNING, resumed_at=NOW, active_s=5.0)
    pause_run(run=run, by=None, now=NOW + timedelta(seconds=10))
    assert (run.active_s, run.resumed_at) == (15.0, None)
    resume_run(run=run, by=None, now=NOW + timedelta(seconds=500))
    assert (run.state, run.active_s) == (Run.State.QUEUED, 15.0)


@pytest.mark.django_db
def test_a_capped_run_goes_on_only_with_a_higher_cap(woken, django_capture_on_commit_callbacks):
    run = make_run(one_model_experiment(), state=Run.State.CAPPED, cap_nanousd=10, spent_nanousd=9)
    for cap in (None, 10, 8):
        with pytest.raises(CapTooLow):
            resume_run(run=run, by=None, now=NOW, cap_nanousd=cap)
    with django_capture_on_commit_callbacks(execute=True):
        resume_run(run=run, by=None, now=NOW, cap_nanousd=11)
    assert (run.state, run.cap_nanousd, woken) == (Run.State.QUEUED, 11, [run.pk])


@pytest.mark.django_db
def test_a_paused_run_may_get_another_cap_but_none_below_what_was_spent():
    run = make_run(one_model_experiment(), state=Run.State.PAUSED, cap_nanousd=10, spent_nanousd=6)
    with pytest.raises(CapTooLow):
        resume_run(run=run, by=None, now=NOW, cap_nanousd=5)
    resume_run(run=run, by=None, now=NOW, cap_nanousd=7)
    assert run.cap_nanousd == 7


@pytest.mark.django_db
def test_a_state_that_changes_under_an_action_stops_it(monkeypatch):
    run = make_run(one_model_experiment(), state=Run.State.RUNNING)

    def finish_meanwhile(checked: Run) -> None:
        Run.objects.filter(pk=checked.pk).update(state=Run.State.FINISHED)

    monkeypatch.setattr("evaluation.services.runs.require_pausable", finish_meanwhile)
    with pytest.raises(WrongState, match="just changed"):
        pause_run(run=run, by=None, now=NOW)


@pytest.mark.django_db(transaction=True)
def test_a_run_over_no_examples_is_finished_at_once():
    run = start(one_model_experiment(examples=0))
    work(run, ScriptedProviders())
    assert (run.state, run.answers_wanted) == (Run.State.FINISHED, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("act", "state"), [(pause_run, "paused"), (cancel_run, "cancelled")])
def test_a_stopped_run_finishes_what_was_begun_and_gives_back_the_rest(act, state):
    first, second = make_model(), make_model()
    panels = [make_panel_version([[first]]), make_panel_version([[first, second]])]
    run = make_run(make_experiment(panels, version=make_dataset_version(examples=40)), batch=5, concurrency=3)
    providers = ScriptedProviders()

    def stop_midway(request: ModelRequest) -> None:
        if len(providers.requests) == 10:
            thread = threading.Thread(target=_act_elsewhere, args=(act, run.pk))
            thread.start()
            thread.join(10)

    providers.before = stop_midway
    work(run, providers, pace=Pace(pulse_s=0.0, flush_s=0.002))
    assert run.state == state
    assert 0 < run.answers.count() < run.answers_wanted
    assert (run.slots_leased, run.reserved_nanousd) == (0, 0)
    assert set(run.batches.values_list("state", flat=True)) == {Batch.State.DONE, Batch.State.PENDING}
    # What was paid stands with an answer: nothing was asked in vain.
    assert Call.objects.filter(answer__run=run, reused_from=None).count() == len(providers.requests)
    assert run.spent_nanousd == Call.objects.filter(answer__run=run).aggregate(total=Sum("spent_nanousd"))["total"]


def _act_elsewhere(act: Any, run_id: int) -> None:
    act(run=Run.objects.get(pk=run_id), by=None, now=NOW)
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_a_resumed_run_asks_only_for_what_is_missing():
    run = make_run(one_model_experiment(examples=30), batch=4, concurrency=2, reuse_replies=False)
    stop = threading.Event()
    providers = ScriptedProviders(before=lambda _: stop.set() if len(providers.requests) == 9 else None)
    work(run, providers, stop=stop, pace=Pace(pulse_s=0.0, flush_s=0.002))
    assert run.state == Run.State.RUNNING
    assert 0 < run.answers.count() < 30
    pause_run(run=run, by=None, now=NOW)
    resume_run(run=run, by=None, now=NOW)
    work(run, providers)
    assert run.state == Run.State.FINISHED
    assert len(providers.requests) == len(providers.asked) == 30


@pytest.mark.django_db(transaction=True)
def test_a_capped_run_continues_where_it_stopped():
    run = start(one_model_experiment(examples=20), cap_nanousd=1_000_000)
    providers = ScriptedProviders(answer=lambda _: reply(prompt_tokens=80, completion_tokens=10))
    work(run, providers)
    assert run.state == Run.State.CAPPED
    asked = len(providers.requests)
    assert 0 < asked < 20
    assert run.spent_nanousd <= 1_000_000
    resume_run(run=run, by=None, now=NOW, cap_nanousd=10**9)
    work(run, providers)
    assert run.state == Run.State.FINISHED
    assert len(providers.requests) == 20


def half_failing(broken: str) -> ScriptedProviders:
    def answer(request: ModelRequest) -> Reply | Failure:
        return failure(FailureKind.RATE_LIMITED) if request.model == broken else reply()

    return ScriptedProviders(answer=answer)


@pytest.mark.django_db(transaction=True)
def test_a_retry_replaces_failed_answers_and_keeps_the_replies_that_came():
    good, bad = make_model(), make_model()
    panels = [make_panel_version([[bad]]), make_panel_version([[good]]), make_panel_version([[bad, bad]])]
    run = make_run(make_experiment(panels, version=make_dataset_version(examples=3)), batch=2)
    work(run, half_failing(str(bad.pk)))
    before = set(run.answers.values_list("pk", flat=True))
    retry_failed(run=run, by=None, now=NOW)
    assert not RunResult.objects.filter(run=run).exists()
    providers = ScriptedProviders()
    work(run, providers)
    assert run.state == Run.State.FINISHED
    assert set(run.answers.values_list("pk", flat=True)) == before
    assert not run.answers.exclude(outcome=Answer.Outcome.ANSWERED).exists()
    # The first seat of the pair is the baseline's member, and is asked once for both.
    assert len(providers.requests) == 3 * 2
    attempts = Call.objects.filter(answer__run=run, answer__arm__position=2).order_by(
        "answer__position", "seat", "attempt"
    )
    assert list(attempts.values_list("seat", "attempt", "outcome"))[:4] == [
        (0, 1, "rate_limited"),
        (0, 2, "ok"),
        (1, 1, "rate_limited"),
        (1, 2, "ok"),
    ]
    for progress in ArmProgress.objects.filter(run=run):
        assert (progress.done, progress.failed, progress.abstained, progress.correct) == (3, 0, 0, 3)
        assert progress.errors == {}
    assert run.spent_nanousd == Call.objects.filter(answer__run=run).aggregate(total=Sum("spent_nanousd"))["total"]
    assert RunResult.objects.filter(run=run).exists()


@pytest.mark.django_db(transaction=True)
def test_a_retry_asks_no_member_whose_reply_is_there():
    abstaining, bad = make_model(), make_model()
    run = make_run(make_experiment([make_panel_version([[abstaining, bad]])], version=make_dataset_version(examples=2)))

    def answer(request: ModelRequest) -> Reply | Failure:
        return failure() if request.model == str(bad.pk) else reply("no idea")

    work(run, ScriptedProviders(answer=answer))
    assert set(run.answers.values_list("outcome", flat=True)) == {"failed"}
    retry_failed(run=run, by=None, now=NOW)
    providers = ScriptedProviders()
    work(run, providers)
    assert {request.model for request in providers.requests} == {str(bad.pk)}
    assert set(run.answers.values_list("outcome", "value", "call_count")) == {("answered", "A", 2)}
    assert Call.objects.filter(answer__run=run, seat=0).count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_retry_that_fails_again_can_be_retried_again():
    run = make_run(one_model_experiment(examples=2))
    broken = ScriptedProviders(answer=lambda _: failure(FailureKind.TIMEOUT))
    work(run, broken)
    for _ in range(2):
        retry_failed(run=run, by=None, now=NOW)
        work(run, broken)
    assert sorted(Call.objects.filter(answer__run=run).values_list("attempt", flat=True)) == [1, 1, 2, 2, 3, 3]
    progress = ArmProgress.objects.get(run=run)
    assert (progress.done, progress.failed, progress.errors) == (2, 2, {"timeout": 2})
    assert run.spent_nanousd == Call.objects.filter(answer__run=run).aggregate(total=Sum("spent_nanousd"))["total"]


@pytest.mark.django_db(transaction=True)
def test_there_is_nothing_to_retry_without_failed_answers():
    run = make_run(one_model_experiment())
    work(run, ScriptedProviders())
    with pytest.raises(NothingToRetry):
        retry_failed(run=run, by=None, now=NOW)
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    assert RunResult.objects.filter(run=run).exists()


@pytest.mark.django_db
def test_who_started_and_stopped_a_run_is_recorded():
    person = make_user()
    run = start(one_model_experiment(), by=person)
    pause_run(run=run, by=person, now=NOW)
    resume_run(run=run, by=person, now=NOW, cap_nanousd=10**9)
    cancel_run(run=run, by=None, now=NOW)
    entries = AuditEntry.objects.filter(subject_kind="run").order_by("sequence")
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("run.started", person),
        ("run.paused", person),
        ("run.resumed", person),
        ("run.cancelled", None),
    ]
    assert {(entry.subject_id, entry.subject_label) for entry in entries} == {
        (str(run.pk), f"{run.experiment.title}, run {run.number}")
    }
    assert entries[2].detail == {"cap_nanousd": 10**9}
