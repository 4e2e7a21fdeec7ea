from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Count, F, Sum

from evaluation.execution.shift import Pace
from evaluation.execution.work import Progress, work_run
from evaluation.models import Answer, ArmProgress, Batch, Call, Experiment, Lease, Run, RunResult
from panels.fusion.types import Failure, FailureKind, ModelRequest, Reply
from panels.models import Provider
from tests.factories import (
    make_dataset_version,
    make_experiment,
    make_model,
    make_outputs,
    make_panel_version,
    make_provider,
    make_run,
)
from tests.integration.evaluation.execution.scripted_clients import Clock, ScriptedProviders, failure, reply

pytestmark = pytest.mark.django_db(transaction=True)

PACE = Pace(pulse_s=0.02, flush_s=0.005)


def work(run: Run, providers: ScriptedProviders, **options: Any) -> None:
    settings: dict[str, Any] = {"worker": "w", "clock": Clock(), "pace": PACE} | options
    work_run(run_id=run.pk, clients_for=providers.clients_for, **settings)
    run.refresh_from_db()


def panel_run(*, examples: int = 6, batch: int = 2, **fields: object) -> Run:
    """A baseline of one model, and a panel of three that the baseline's model is one of."""
    first, second, third = make_model(), make_model(), make_model()
    panels = [make_panel_version([[first]]), make_panel_version([[first, second, third]])]
    return make_run(make_experiment(panels, version=make_dataset_version(examples=examples)), batch=batch, **fields)


def test_a_run_is_worked_to_its_result():
    run, providers = panel_run(), ScriptedProviders()
    work(run, providers)
    assert run.state == Run.State.FINISHED
    assert run.answers.count() == run.answers_wanted == 12
    assert RunResult.objects.filter(run=run).exists()
    assert set(run.batches.values_list("state", flat=True)) == {Batch.State.DONE}
    assert (run.slots_leased, run.reserved_nanousd) == (0, 0)
    assert Lease.objects.get(run=run).ended_at is not None


def test_members_that_arms_share_are_asked_once_even_where_replies_are_not_reused():
    for reuse in (True, False):
        run, providers = panel_run(reuse_replies=reuse), ScriptedProviders()
        work(run, providers)
        assert len(providers.asked) == 6 * 3
        assert set(providers.asked.values()) == {1}
        shared = Call.objects.filter(answer__run=run, reused_from__isnull=False)
        assert shared.count() == 6
        assert {(call.text, call.spent_nanousd) for call in shared} == {("", 0)}
        assert {call.cost_nanousd for call in shared} == {12_000}
        assert not shared.exclude(cost_nanousd=F("reused_from__cost_nanousd")).exists()


def test_what_was_paid_adds_up_and_list_cost_counts_reused_replies():
    run, providers = panel_run(), ScriptedProviders()
    work(run, providers)
    calls = Call.objects.filter(answer__run=run)
    paid_per_call = 10 * 1000 + 1 * 2000
    assert run.spent_nanousd == calls.aggregate(total=Sum("spent_nanousd"))["total"] == 18 * paid_per_call
    assert run.answers.aggregate(total=Sum("cost_nanousd"))["total"] == 24 * paid_per_call


def test_progress_is_counted_with_the_answers():
    run = panel_run()
    heard: list[Progress] = []
    work(run, ScriptedProviders(), on_progress=heard.append)
    progress = ArmProgress.objects.get(run=run, arm__is_baseline=False)
    assert (progress.done, progress.scored, progress.correct, progress.calls) == (6, 6, 6, 18)
    assert heard[-1] == Progress(done=12, wanted=12, spent_nanousd=run.spent_nanousd)


def test_replies_of_an_earlier_run_are_not_bought_again():
    run, providers = panel_run(), ScriptedProviders()
    work(run, providers)
    again = make_run(run.experiment, batch=4)
    second = ScriptedProviders()
    work(again, second)
    assert not second.asked
    assert again.spent_nanousd == 0
    assert again.answers.aggregate(total=Sum("cost_nanousd")) == run.answers.aggregate(total=Sum("cost_nanousd"))
    assert not Call.objects.filter(answer__run=again, reused_from=None).exists()


def test_a_run_may_refuse_replies_of_earlier_runs():
    run = panel_run()
    work(run, ScriptedProviders())
    again, providers = make_run(run.experiment, reuse_replies=False), ScriptedProviders()
    work(again, providers)
    assert len(providers.asked) == 18
    assert again.spent_nanousd == run.spent_nanousd


def test_a_failed_reply_is_not_reused():
    run = panel_run()
    work(run, ScriptedProviders(answer=lambda _: failure()))
    again, providers = make_run(run.experiment), ScriptedProviders()
    work(again, providers)
    assert len(providers.asked) == 18


def test_equal_seats_are_separate_replies():
    model = make_model()
    run = make_run(make_experiment([make_panel_version([[model, model, model]])]))
    providers = ScriptedProviders()
    work(run, providers)
    assert len(providers.asked) == 4 * 3
    assert {twin for _, _, twin in providers.asked} == {0, 1, 2}


def test_a_failing_member_is_a_value_and_stands_in_the_answer():
    run = panel_run(examples=2)
    broken = run.experiment.arms.get(is_baseline=False).panel_version.members.get(seat=2).model_id
    work(run, ScriptedProviders(answer=lambda request: failure() if request.model == str(broken) else reply()))
    answer = run.answers.get(arm__is_baseline=False, position=0)
    assert (answer.outcome, answer.correct) == (Answer.Outcome.ANSWERED, True)
    assert answer.consensus == pytest.approx(2 / 3)
    assert answer.degraded == [{"kind": "member_failed", "reason": "server", "seat": 2}]
    assert ArmProgress.objects.get(run=run, arm__is_baseline=False).errors == {"server": 2}


def test_an_answer_without_any_reply_is_failed_and_an_unreadable_one_abstains():
    first, second = make_model(), make_model()
    run = make_run(make_experiment([make_panel_version([[first]]), make_panel_version([[second]])]))
    work(run, ScriptedProviders(answer=lambda asked: failure() if asked.model == str(first.pk) else reply("no idea")))
    outcomes = run.answers.values_list("arm__position", "outcome").annotate(n=Count("pk")).order_by("arm__position")
    assert list(outcomes) == [(0, "failed", 4), (1, "abstained", 4)]
    failed, abstained = ArmProgress.objects.filter(run=run).order_by("arm__position")
    assert (failed.failed, failed.abstained, failed.correct, failed.scored) == (4, 4, 0, 4)
    assert (abstained.failed, abstained.abstained) == (0, 4)


@pytest.mark.parametrize(
    ("kind", "billed"),
    [
        (FailureKind.TIMEOUT, True),
        (FailureKind.STREAM_CUT, True),
        (FailureKind.MALFORMED, True),
        (FailureKind.SERVER, False),
    ],
)
def test_a_failure_that_may_have_been_billed_counts_its_worst_case(kind, billed):
    model = make_model()
    run = make_run(make_experiment([make_panel_version([[model]])], version=make_dataset_version(examples=1)))
    work(run, ScriptedProviders(answer=lambda _: failure(kind)))
    call = Call.objects.get(answer__run=run)
    assert run.spent_nanousd == call.spent_nanousd
    # At least a token of input per byte of the prompt, and all ten tokens of output.
    assert (call.spent_nanousd > 10 * 2000) is billed
    assert (call.spent_nanousd == 0) is not billed


def test_a_client_that_raises_costs_its_own_call_only():
    run = panel_run(examples=1)
    broken = run.experiment.arms.get(is_baseline=False).panel_version.members.get(seat=2).model_id

    def answer(request: ModelRequest) -> Reply | Failure:
        if request.model == str(broken):
            raise RuntimeError("a bug")
        return reply()

    work(run, ScriptedProviders(answer=answer))
    assert run.state == Run.State.FINISHED
    assert Call.objects.get(outcome=FailureKind.MALFORMED).detail == "RuntimeError: a bug"


def test_a_later_stage_is_asked_only_where_the_first_disagrees():
    cheap, other, strong = make_model(), make_model(), make_model()
    panel = make_panel_version([[cheap, other], [strong]], stop_at=1.0, settles=True)
    run = make_run(make_experiment([panel]))

    def answer(request: ModelRequest) -> Reply | Failure:
        return reply("B" if request.model == str(other.pk) and request.item_id in {"item-1", "item-2"} else "A")

    work(run, ScriptedProviders(answer=answer))
    stages = dict(run.answers.values_list("example__item_id", "stages_called"))
    assert stages == {"item-0": 1, "item-1": 2, "item-2": 2, "item-3": 1}
    assert set(run.answers.filter(stages_called=2).values_list("settled", "call_count", "latency_s")) == {
        (True, 3, 0.5)
    }
    assert set(Call.objects.filter(stage=1).values_list("offset_s", flat=True)) == {0.25}
    assert run.reserved_nanousd == 0


def test_recorded_outputs_are_replayed_and_a_missing_one_is_a_failure():
    recorded = make_provider(kind=Provider.Kind.RECORDED)
    model = make_model(provider=recorded, price=None)
    version = make_dataset_version(examples=3)
    make_outputs(version, {model: ["A", "the answer is B", None]})
    experiment = make_experiment([make_panel_version([[model]])], version=version, replies=Experiment.Replies.RECORDED)
    run, providers = make_run(experiment), ScriptedProviders()
    work(run, providers)
    assert (run.state, providers.opened, run.spent_nanousd) == (Run.State.FINISHED, [], 0)
    values = list(run.answers.order_by("position").values_list("value", "correct", "cost_nanousd"))
    assert values == [("A", True, None), ("B", False, None), (None, False, None)]
    calls = Call.objects.filter(answer__run=run).order_by("answer__position")
    assert [(call.outcome, call.text, call.recorded_output_id is None) for call in calls] == [
        ("ok", "", False),
        ("ok", "", False),
        ("not_recorded", "", True),
    ]


def test_no_more_requests_are_under_way_than_slots():
    run, providers = panel_run(examples=20, batch=5, concurrency=3), ScriptedProviders()
    work(run, providers)
    assert providers.opened == [3]
    assert providers.most_at_once == 3


def test_a_worker_leaves_slots_for_others():
    run, providers = panel_run(concurrency=10), ScriptedProviders()
    work(run, providers, pace=Pace(slots=4, pulse_s=0.02, flush_s=0.005))
    assert providers.opened == [4]


def test_a_missing_key_fails_the_calls_and_says_which():
    provider = make_provider(api_key_env="NOWHERE_SET")
    run = make_run(make_experiment([make_panel_version([[make_model(provider=provider)]])]))
    from panels.gateway import open_clients

    def clients_for(models, concurrency):
        return open_clients(models, concurrency=concurrency, environ={})

    work_run(run_id=run.pk, worker="w", clients_for=clients_for, clock=Clock(), pace=PACE)
    call = Call.objects.get(answer__run=run, answer__position=0)
    assert (call.outcome, call.spent_nanousd) == ("authentication", 0)
    assert "NOWHERE_SET" in call.detail


def test_a_reply_recorded_before_its_other_arm_is_not_bought_again():
    run = panel_run(examples=1, reuse_replies=False)
    work(run, ScriptedProviders())
    # As a worker leaves it that dies between the two answers of an example.
    run.answers.filter(arm__is_baseline=False).delete()
    Run.objects.filter(pk=run.pk).update(state=Run.State.QUEUED)
    Batch.objects.filter(run=run).update(state=Batch.State.PENDING)
    providers = ScriptedProviders()
    work(run, providers)
    assert run.state == Run.State.FINISHED
    assert len(providers.requests) == 2
    assert Call.objects.filter(answer__run=run, reused_from__answer__arm__is_baseline=True).count() == 1


def test_a_batch_with_nothing_left_to_do_is_done():
    run = panel_run(examples=2)
    Batch.objects.create(run=run, number=9, first_position=50, last_position=60)
    work(run, ScriptedProviders())
    assert run.state == Run.State.FINISHED


def test_work_on_a_run_that_has_ended_does_nothing():
    run = panel_run(state=Run.State.CANCELLED)
    providers = ScriptedProviders()
    work(run, providers)
    assert not providers.asked
    assert not Lease.objects.exists()


def test_after_its_shift_a_worker_makes_room_and_the_next_one_goes_on():
    run, clock = panel_run(examples=20, concurrency=1), Clock()

    def pass_time(_request: ModelRequest) -> None:
        clock.move(seconds=1)

    first, second = ScriptedProviders(before=pass_time), ScriptedProviders()
    work(run, first, clock=clock, pace=Pace(pulse_s=0.02, flush_s=0.005, shift=timedelta(seconds=5)))
    assert run.state == Run.State.RUNNING
    assert 0 < run.answers.count() < run.answers_wanted
    assert (run.slots_leased, run.reserved_nanousd) == (0, 0)
    work(run, second, clock=clock)
    assert run.state == Run.State.FINISHED
    assert len(first.asked + second.asked) == 20 * 3
    assert set((first.asked + second.asked).values()) == {1}
