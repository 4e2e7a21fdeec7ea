"""Runs whose arms have an arbiter: when it is asked, what it costs, and what is stored of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evaluation.execution.loading import load_batch
from evaluation.execution.plan import load_plan
from evaluation.execution.work import work_run
from evaluation.execution.worst_cases import arbiter_worst_nanousd
from evaluation.models import Answer, ArmProgress, Call, Experiment, Run
from evaluation.results import ResultData, from_json
from evaluation.services.runs import retry_failed
from panels.fusion.arbitration import Finding, Verification
from panels.fusion.arbitration_json import StoredArbitration
from panels.fusion.arbitration_json import from_json as from_stored
from panels.fusion.prompts import VERIFICATION_1
from panels.fusion.types import ArbiterWhen, Failure, FailureKind, ModelRequest, Reply, StrategyName
from panels.gateway import clients_for
from panels.models import LanguageModel, Provider
from panels.specs import spec_of
from tests.factories import (
    NOW,
    make_dataset_version,
    make_experiment,
    make_model,
    make_outputs,
    make_panel_version,
    make_provider,
    make_run,
)
from tests.integration.evaluation.arbitrated_runs import EXAMPLES, PACE, Models, run_of, work
from tests.integration.evaluation.execution.scripted_arbiter import (
    arbiter_reply,
    is_arbiter,
    synthesis,
)
from tests.integration.evaluation.execution.scripted_clients import Clock, ScriptedProviders, failure, reply
from tests.simulator_server import serve_simulator

pytestmark = pytest.mark.django_db(transaction=True)

MEMBER_COST, ARBITER_COST = 12_000, 140_000


@pytest.fixture
def models() -> Models:
    return Models()


def stored(answer: Answer | None) -> StoredArbitration:
    assert answer is not None
    assert answer.analysis is not None
    return from_stored(answer.analysis)


def arbitrations(providers: ScriptedProviders) -> list[ModelRequest]:
    return [request for request in providers.requests if is_arbiter(request)]


def arbiter_calls(run: Run, *fields: str) -> list[tuple[Any, ...]]:
    calls = Call.objects.filter(answer__run=run, role=Call.Role.ARBITER)
    return list(calls.order_by("answer__arm__position", "answer__position", "attempt").values_list(*fields))


def test_what_members_dispute_goes_to_the_arbiter_and_all_of_it_is_stored(models):
    run = run_of(models.panel())
    work(run, models.providers())
    answer = run.answers.first()
    assert (answer.outcome, answer.value, answer.winner_seat, answer.correct) == ("answered", "A", 0, True)
    assert (answer.strategy, answer.text, answer.call_count) == ("verification", "", 2)
    found = stored(answer)
    assert found.prompt == VERIFICATION_1.ref
    assert sorted(found.seats) == [0, 1]
    assert isinstance(found.analysis, Verification)
    assert {(claim.text, claim.supporters) for claim in found.analysis.having(Finding.SUPPORTED)} == {
        ("The answer is A.", (0,))
    }
    assert answer.cost_nanousd == 2 * MEMBER_COST + ARBITER_COST
    assert answer.latency_s == pytest.approx(0.25 + 0.5)
    [call] = answer.calls.filter(role=Call.Role.ARBITER)
    assert (call.model, call.stage, call.seat, call.attempt) == (models.arbiter, 1, 0, 1)
    assert (call.ballot, call.group, call.weight, call.offset_s) == (None, None, 0.0, 0.25)
    assert call.text.startswith('{"claims"')
    assert (call.cost_nanousd, call.spent_nanousd) == (ARBITER_COST, ARBITER_COST)


def test_what_members_agree_on_needs_no_arbiter_unless_it_is_always_asked(models):
    models.wrong = models.right
    run = run_of(models.panel(), models.panel(when=ArbiterWhen.ALWAYS))
    providers = models.providers()
    work(run, providers)
    assert len(arbitrations(providers)) == EXAMPLES
    assert set(arbiter_calls(run, "answer__arm__position")) == {(1,)}


def test_a_text_that_no_member_wrote_is_kept_whole(models):
    version = make_dataset_version(examples=1, answer_kind="text", scorer="key_facts")
    said = "Neither is quite right. " + "It is so. " * 60
    run = run_of(models.panel(strategy=StrategyName.SYNTHESIS), version=version)
    work(run, models.providers(lambda _: synthesis(said, consensus=["Something."])))
    answer = run.answers.get()
    assert (answer.winner_seat, answer.text.strip()) == (None, said.strip())
    assert answer.value == said[:300]
    assert answer.strategy == "synthesis"


def test_an_arbiter_that_fails_leaves_the_vote_and_is_counted(models):
    run = run_of(models.panel())
    work(run, models.providers(lambda _: failure(FailureKind.SERVER)))
    answer = run.answers.first()
    assert (answer.value, answer.winner_seat) == ("A", 0)
    assert [cut["kind"] for cut in answer.degraded] == ["arbiter_failed"]
    assert stored(answer).problem == "server"
    assert ArmProgress.objects.get(run=run).errors == {"server": EXAMPLES}
    assert arbiter_calls(run, "outcome", "attempt") == [("server", 1)] * EXAMPLES
    assert answer.cost_nanousd == 2 * MEMBER_COST


def test_an_analysis_that_cannot_be_read_is_asked_for_once_more_and_both_are_paid(models):
    run = run_of(models.panel(), version=make_dataset_version(examples=1))
    providers = models.providers(lambda _: arbiter_reply("I would rather not."))
    work(run, providers)
    answer = run.answers.get()
    assert [cut["kind"] for cut in answer.degraded] == ["arbiter_unreadable"]
    assert arbiter_calls(run, "attempt", "outcome", "offset_s") == [(1, "ok", 0.25), (2, "ok", 0.75)]
    progress = ArmProgress.objects.get(run=run)
    assert (progress.calls, progress.arbitrated, progress.arbiter_calls) == (2, 1, 2)
    assert answer.cost_nanousd == run.spent_nanousd == 2 * MEMBER_COST + 2 * ARBITER_COST
    assert answer.latency_s == pytest.approx(0.25 + 2 * 0.5)
    assert run.reserved_nanousd == 0


def test_attempts_of_both_questions_have_numbers_of_their_own(models):
    tried = (failure(FailureKind.SERVER),)
    run = run_of(models.panel(), version=make_dataset_version(examples=1))

    def shaky(_: ModelRequest) -> Reply:
        return Reply(text="?", usage=arbiter_reply("").usage, latency_s=0.5, earlier=tried)

    work(run, models.providers(shaky))
    assert arbiter_calls(run, "attempt", "outcome") == [(1, "server"), (2, "ok"), (3, "server"), (4, "ok")]
    assert ArmProgress.objects.get().errors == {"server": 2}


def test_arms_that_ask_the_same_share_the_reply(models):
    for reuse in (True, False):
        run = run_of(models.panel(), models.panel(), reuse_replies=reuse)
        providers = models.providers()
        work(run, providers)
        assert len(arbitrations(providers)) == EXAMPLES
        shared = Call.objects.filter(answer__run=run, role=Call.Role.ARBITER, reused_from__isnull=False)
        assert shared.count() == EXAMPLES
        assert {(call.text, call.spent_nanousd, call.cost_nanousd) for call in shared} == {("", 0, ARBITER_COST)}
        assert {call.reused_from.role for call in shared} == {Call.Role.ARBITER}


def test_a_reply_of_the_arbiter_is_found_again_by_what_it_was_asked(models):
    run = run_of(models.panel())
    work(run, models.providers())
    again = make_run(run.experiment)
    providers = models.providers()
    work(again, providers)
    assert not providers.requests
    assert again.spent_nanousd == 0
    assert list(again.answers.values_list("value", "cost_nanousd")) == list(
        run.answers.values_list("value", "cost_nanousd")
    )
    refusing = make_run(run.experiment, reuse_replies=False)
    work(refusing, providers)
    assert len(arbitrations(providers)) == EXAMPLES


def test_another_arbiter_over_stored_answers_asks_no_member(models):
    run = run_of(models.panel())
    work(run, models.providers())
    spec = spec_of(run.experiment.arms.get().panel_version)
    changed = make_panel_version([[models.right, models.wrong]], strategy=spec.strategy, arbiter=models.other_arbiter)
    again = run_of(changed, version=run.experiment.dataset_version)
    providers = models.providers()
    work(again, providers)
    assert len(providers.requests) == len(arbitrations(providers)) == EXAMPLES
    assert {request.model for request in providers.requests} == {str(models.other_arbiter.pk)}


@pytest.mark.processes
def test_another_arbiter_over_a_thousand_stored_answers_costs_no_member_call():
    version = make_dataset_version(examples=1_000, answer_kind="text", scorer="key_facts")
    with serve_simulator(latency_ms=0, faults=False) as simulator:
        provider = make_provider(base_url=simulator.base_url)
        members = [make_model(provider=provider, name=name) for name in ("sim-atlas-large", "sim-cobalt-medium")]
        arbiters = [make_model(provider=provider, name=name) for name in ("sim-gauge-arbiter", "sim-beacon-pro")]
        received = []
        for arbiter in arbiters:
            panel = make_panel_version(
                [members], strategy=StrategyName.VERIFICATION, arbiter=arbiter, when=ArbiterWhen.ALWAYS
            )
            run = run_of(panel, version=version, concurrency=32, batch=25)
            work_run(run_id=run.pk, clients_for=clients_for, worker="w", clock=Clock(), pace=PACE)
            received.append(asked_of(simulator.ledger.as_json()))
            simulator.ledger.clear()
            assert run.answers.filter(outcome="answered", analysis__isnull=False).count() == 1_000
    first, second = received
    assert {name: first[name] for name in ("sim-atlas-large", "sim-cobalt-medium")} == {
        "sim-atlas-large": 1_000,
        "sim-cobalt-medium": 1_000,
    }
    assert set(second) == {"sim-beacon-pro"}
    assert second["sim-beacon-pro"] >= 1_000


def asked_of(ledger: dict[str, Any]) -> dict[str, int]:
    """How many requests of each model were received."""
    return {model: sum(outcomes.values()) for model, outcomes in ledger["counts"].items()}


def test_a_replay_asks_the_arbiter_alone(models):
    version = make_dataset_version(examples=EXAMPLES)
    recorded = make_provider(kind=Provider.Kind.RECORDED)
    first, second = (make_model(provider=recorded) for _ in range(2))
    make_outputs(version, {first: ["B"] * EXAMPLES, second: ["A"] * EXAMPLES})
    panel = make_panel_version([[first, second]], strategy=StrategyName.VERIFICATION, arbiter=models.arbiter)
    run = make_run(make_experiment([panel], version=version, replies=Experiment.Replies.RECORDED))
    opened: list[list[LanguageModel]] = []
    providers = models.providers()

    def clients_for(wanted, slots):
        opened.append(list(wanted))
        return providers.clients_for(wanted, slots)

    work_run(run_id=run.pk, clients_for=clients_for, worker="w", clock=Clock(), pace=PACE)
    run.refresh_from_db()
    assert opened == [[models.arbiter]]
    assert len(providers.requests) == len(arbitrations(providers)) == EXAMPLES
    assert set(run.answers.values_list("value", "winner_seat", "correct")) == {("A", 1, True)}
    assert run.spent_nanousd == EXAMPLES * ARBITER_COST
    assert (run.reserved_nanousd, run.state) == (0, Run.State.FINISHED)


def test_a_replay_that_no_arbiter_is_part_of_opens_no_client(models):
    version = make_dataset_version(examples=1)
    recorded = make_model(provider=make_provider(kind=Provider.Kind.RECORDED))
    make_outputs(version, {recorded: ["A"]})
    auto = make_panel_version([[recorded]], strategy=StrategyName.AUTO, arbiter=models.arbiter, prompt="auto-1")
    run = make_run(make_experiment([auto], version=version, replies=Experiment.Replies.RECORDED))
    providers = models.providers()
    work(run, providers)
    assert (providers.opened, run.state) == ([], Run.State.FINISHED)
    assert run.answers.get().strategy == "majority"


def test_a_batch_sets_the_worst_case_of_both_questions_aside(models):
    with_arbiter = run_of(models.panel(), version=make_dataset_version(examples=1))
    plan = load_plan(with_arbiter.pk, now=NOW)
    loaded = load_batch(plan, with_arbiter.batches.get())
    [unit] = loaded.units
    members = sum(seat.worst_nanousd or 0 for seat in unit.seats)
    assert unit.arbiter_nanousd == arbiter_worst_nanousd(unit.arm, unit.item.scored.question, plan.models)
    # What is asked in the end is shorter than the longest that the members could have answered.
    assert unit.arbiter_nanousd > ARBITER_COST
    assert loaded.worst_nanousd == members + 2 * unit.arbiter_nanousd


@pytest.mark.parametrize("room", [0, -1])
def test_a_run_begins_nothing_that_its_arbiter_could_carry_over_the_cap(models, room):
    version = make_dataset_version(examples=1)
    measured = run_of(models.panel(), version=version)
    worst = load_batch(load_plan(measured.pk, now=NOW), measured.batches.get()).worst_nanousd
    run = run_of(models.panel(), version=version, cap_nanousd=worst + room)
    providers = models.providers()
    work(run, providers)
    assert run.state == (Run.State.FINISHED if room == 0 else Run.State.CAPPED)
    assert bool(providers.requests) == (room == 0)
    assert run.reserved_nanousd == 0


def test_a_replay_sets_aside_what_its_arbiter_may_cost(models):
    version = make_dataset_version(examples=1)
    recorded = make_model(provider=make_provider(kind=Provider.Kind.RECORDED))
    make_outputs(version, {recorded: ["A"]})
    panel = make_panel_version(
        [[recorded]], strategy=StrategyName.SYNTHESIS, arbiter=models.arbiter, when=ArbiterWhen.ALWAYS
    )
    run = make_run(make_experiment([panel], version=version, replies=Experiment.Replies.RECORDED), cap_nanousd=1)
    providers = models.providers()
    work(run, providers)
    assert (run.state, providers.requests) == (Run.State.CAPPED, [])


def test_a_failed_answer_is_asked_again_with_its_arbiter(models):
    run = run_of(models.panel(), version=make_dataset_version(examples=1))
    work(run, ScriptedProviders(answer=lambda _: failure(FailureKind.SERVER)))
    assert run.answers.get().outcome == Answer.Outcome.FAILED
    assert not arbiter_calls(run)
    retry_failed(run=run, by=None, now=NOW)
    work(run, models.providers())
    answer = run.answers.get()
    assert (answer.value, answer.strategy) == ("A", "verification")
    assert answer.analysis is not None
    assert ArmProgress.objects.get(run=run).errors == {}


def test_a_missing_key_of_the_arbiter_leaves_the_vote(models):
    run = run_of(models.panel(), version=make_dataset_version(examples=1))
    work(run, models.providers(lambda _: failure(FailureKind.AUTHENTICATION)))
    assert [cut["reason"] for cut in run.answers.get().degraded] == ["authentication"]


def test_a_text_that_databases_refuse_is_stored_without_it(models):
    version = make_dataset_version(examples=1, answer_kind="text", scorer="key_facts")
    run = run_of(models.panel(strategy=StrategyName.SYNTHESIS), version=version)
    work(run, models.providers(lambda _: synthesis("It is\x00 so.", consensus=["a\x00b"])))
    answer = run.answers.get()
    assert answer.outcome == "answered"
    assert "\x00" not in answer.text
    assert "\\u0000" not in json.dumps(answer.analysis)


def data_of(run: Run) -> ResultData:
    return from_json(run.result.data)


def test_the_arm_is_charged_for_its_arbiter(models):
    run = run_of(models.panel())
    work(run, models.providers(lambda _: arbiter_reply("no")))
    [arm] = data_of(run).arms
    assert arm.cost_nanousd == arm.spent_nanousd == run.spent_nanousd
    arbiter = arm.arbiter
    assert arbiter is not None
    assert (arbiter.model, arbiter.answers, arbiter.calls, arbiter.failed) == (models.arbiter.name, 4, 8, 0)
    assert (arbiter.cost_nanousd, arbiter.p50_s) == (8 * ARBITER_COST, 0.5)
    assert arm.calls == 8


def test_a_panel_is_set_against_its_arbiter_alone_where_the_run_asks_it_alone(models):
    panel, alone = models.panel(), make_panel_version([[models.arbiter]])
    said = {str(models.arbiter.pk): "B"}

    def answer(request: ModelRequest) -> Reply | Failure:
        return reply(said[request.model]) if request.model in said and not is_arbiter(request) else models.says(request)

    run = run_of(alone, panel)
    work(run, ScriptedProviders(answer=answer))
    [uplift] = data_of(run).arbiter_uplifts
    assert (uplift.arm, uplift.member) == ("arm 1", models.arbiter.name)
    assert (uplift.pairs, uplift.only_arm, uplift.only_member) == (EXAMPLES, EXAMPLES, 0)
    assert uplift.difference == 1.0
    assert uplift.interval.low > 0


def test_without_an_arm_that_asks_the_arbiter_alone_there_is_nothing_to_compare(models):
    run = run_of(models.panel())
    work(run, models.providers())
    assert data_of(run).arbiter_uplifts == ()
