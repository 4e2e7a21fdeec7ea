"""Data goes where its workflow's policy and the provider's contract let it go, and what it went under is recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from evaluation.execution.data_gate import policy_of
from evaluation.execution.work import work_run
from evaluation.models import Answer, Call, Experiment, LiveRequest, Run, Workflow
from evaluation.services.runs import resume_run, retry_failed, start_run
from panels.fusion.types import FailureKind, StrategyName
from panels.gate import DataPolicy, GateClosed, Purpose
from panels.models import LanguageModel, Provider
from tests.factories import (
    NOW,
    make_contract,
    make_dataset_version,
    make_experiment,
    make_model,
    make_outputs,
    make_panel_version,
    make_price,
    make_provider,
    make_run,
    make_workflow,
)
from tests.integration.evaluation.execution.scripted_clients import Clock, ScriptedProviders, failure, reply
from tests.integration.evaluation.live_questions import at, make_helpdesk

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOW + timedelta(days=2)


def model_under(**terms: Any) -> LanguageModel:
    """A model whose provider has a contract on these terms."""
    return make_model(provider=make_contract(**terms).provider)


def experiment_of(*models: LanguageModel, workflow: Workflow | None = None, **fields: Any) -> Experiment:
    return make_experiment([make_panel_version([list(models)])], workflow=workflow, **fields)


def start(experiment: Experiment, **fields: Any) -> Run:
    limits: dict[str, Any] = {"concurrency": 4, "cap_nanousd": None, "reuse_replies": True, "wake": False}
    return start_run(experiment=experiment, by=None, now=NOW, **(limits | fields))


def ends_tomorrow() -> LanguageModel:
    return model_under(valid_until=(NOW + timedelta(days=1)).date())


def work(run: Run, providers: ScriptedProviders) -> None:
    work_run(run_id=run.pk, worker="w", clients_for=providers.clients_for, clock=Clock())


def test_data_of_no_workflow_counts_as_internal_and_is_not_trained_on():
    policy = policy_of(None, purpose=Purpose.PRODUCT)
    assert policy == DataPolicy(data_class="internal", forbids_training=True, purpose=Purpose.PRODUCT)
    with pytest.raises(GateClosed, match="training"):
        start(experiment_of(model_under(trains_on_data="unknown")))
    assert not Run.objects.exists()


def test_a_workflow_says_what_its_data_asks_for():
    workflow = make_workflow(data_class="health", allowed_regions=["eu"], max_retention_days=7, forbids_training=False)
    assert policy_of(workflow, purpose=Purpose.EVALUATION) == DataPolicy(
        data_class="health", regions=("eu",), max_retention_days=7, forbids_training=False
    )


def test_a_run_is_refused_where_its_workflow_asks_for_more_than_a_contract_gives():
    member = model_under(has_dpa="no")
    assert start(experiment_of(member)).pk
    with pytest.raises(GateClosed, match=rf"{member.name} .* personal data needs a DPA"):
        start(experiment_of(make_model(), member, workflow=make_workflow(data_class="personal")))


def test_a_dataset_of_another_workflow_asks_for_its_own_policy_too():
    member = model_under(has_baa="no")
    version = make_dataset_version()
    version.dataset.workflow = make_workflow(data_class="health")
    version.dataset.save()
    with pytest.raises(GateClosed, match="health data needs a BAA"):
        start(experiment_of(member, version=version))
    with pytest.raises(GateClosed, match="health data needs a BAA"):
        start(experiment_of(member, version=version, workflow=make_workflow(data_class="public")))


def test_an_arbiter_has_to_be_allowed_as_one():
    arbiter = make_model(allowed_roles=["member"])
    panel = make_panel_version([[make_model()]], strategy=StrategyName.SYNTHESIS, arbiter=arbiter)
    version = make_dataset_version(answer_kind="text", scorer="key_facts")
    with pytest.raises(GateClosed, match=rf"{arbiter.name} .* not allowed as an arbiter"):
        start(make_experiment([panel], version=version))


def test_a_replay_reaches_nobody_but_the_arbiter():
    version = make_dataset_version(examples=1, answer_kind="text", scorer="key_facts")
    recorded = make_model(provider=make_provider(kind=Provider.Kind.RECORDED), status="proposed")
    make_outputs(version, {recorded: ["A"]})
    replays: dict[str, Any] = {"version": version, "replies": Experiment.Replies.RECORDED}
    uncontracted = make_model(provider=make_provider(contracted=False))
    assert start(make_experiment([make_panel_version([[recorded]])], **replays)).pk
    arbitrated = make_panel_version([[recorded]], strategy=StrategyName.SYNTHESIS, arbiter=uncontracted)
    with pytest.raises(GateClosed, match="no contract"):
        start(make_experiment([arbitrated], **replays))


def test_a_run_does_not_go_on_under_a_contract_that_has_ended():
    experiment = experiment_of(ends_tomorrow())
    run = make_run(experiment, state=Run.State.PAUSED)
    with pytest.raises(GateClosed, match="its contract ended on 2026-11-24"):
        resume_run(run=run, by=None, now=LATER)
    run.refresh_from_db()
    assert run.state == Run.State.PAUSED
    assert resume_run(run=run, by=None, now=NOW + timedelta(days=1)).state == Run.State.QUEUED


def test_failed_answers_are_not_asked_for_again_under_a_contract_that_has_ended():
    run = start(experiment_of(ends_tomorrow()))
    work(run, ScriptedProviders(answer=lambda _: failure()))
    run.refresh_from_db()
    with pytest.raises(GateClosed):
        retry_failed(run=run, by=None, now=LATER)
    assert Run.objects.get().state == Run.State.FINISHED


def test_a_call_is_recorded_with_its_price_its_contract_and_its_region():
    member = model_under(regions=["eu"])
    run = start(experiment_of(member, version=make_dataset_version(examples=1)))
    busy = replace(failure(FailureKind.RATE_LIMITED), region="us-east")
    said = replace(reply(earlier=(busy,)), region="eu-west-1", served_by="Some House")
    work(run, ScriptedProviders(answer=lambda _: said))
    first, last = Call.objects.order_by("attempt")
    for call in (first, last):
        assert (call.price, call.contract) == (member.prices.get(), member.provider.contracts.get())
    assert (first.region, first.region_allowed) == ("us-east", False)
    assert (last.region, last.region_allowed, last.served_by) == ("eu-west-1", True, "Some House")


def test_what_a_provider_does_not_say_is_not_judged():
    work(start(experiment_of(make_model())), ScriptedProviders())
    assert set(Call.objects.values_list("region", "region_allowed")) == {("", None)}


def test_a_reused_reply_went_nowhere_now_and_keeps_its_region():
    experiment = experiment_of(model_under(), version=make_dataset_version(examples=1))
    for _ in range(2):
        work(start(experiment), ScriptedProviders(answer=lambda _: replace(reply(), region="eu")))
    bought, reused = Call.objects.order_by("pk")
    assert (reused.reused_from, reused.contract, reused.region_allowed) == (bought, None, None)
    assert (reused.region, reused.price) == ("eu", bought.price)


def test_a_new_price_counts_from_the_next_run_on_and_leaves_past_costs_alone():
    member = make_model()
    experiment = experiment_of(member, version=make_dataset_version(examples=1))
    work(start(experiment), ScriptedProviders())
    before = Call.objects.get()
    LanguageModel.objects.filter(pk=member.pk).update(
        price_in_nanousd_per_mtok=7_000_000_000, price_out_nanousd_per_mtok=7_000_000_000
    )
    member.refresh_from_db()
    newest = make_price(member, valid_from=NOW + timedelta(seconds=1))
    work(start(experiment, reuse_replies=False), ScriptedProviders())
    after = Call.objects.order_by("pk").last()
    assert after is not None
    assert (after.price, after.cost_nanousd) == (newest, 77_000)
    before.refresh_from_db()
    assert (before.price, before.cost_nanousd) == (member.prices.order_by("pk").first(), 12_000)


def test_a_live_request_passes_the_gate_or_is_neither_sent_nor_stored():
    desk = make_helpdesk(a="One.", b="One.")
    workflow = make_workflow(data_class="health", allowed_regions=["us"])
    with pytest.raises(GateClosed) as caught:
        desk.put(workflow=workflow)
    assert {(each.model, each.rule) for each in caught.value.findings} == {("a", "region"), ("b", "region")}
    assert (desk.opened, Answer.objects.count(), LiveRequest.objects.count()) == ([], 0, 0)
    workflow.allowed_regions = ["eu"]
    answered = desk.put(workflow=workflow)
    assert answered.answer.live_request.workflow == workflow


def test_a_model_on_trial_answers_runs_and_nothing_live():
    desk = make_helpdesk(a="One.")
    LanguageModel.objects.update(status="trial")
    with pytest.raises(GateClosed, match=r"a .* is on trial; only approved models answer live"):
        desk.put()
    assert start(experiment_of(LanguageModel.objects.get())).pk


def test_a_live_request_is_judged_by_the_day_it_is_asked_on():
    desk = make_helpdesk(a="One.")
    provider = Provider.objects.get()
    make_contract(provider, valid_from=NOW.date(), valid_until=NOW.date())
    midnight = NOW.replace(hour=23, minute=59, second=59)
    assert at(desk, midnight).put().answer.outcome == Answer.Outcome.ANSWERED
    with pytest.raises(GateClosed, match="ended on 2026-11-23"):
        at(desk, midnight + timedelta(seconds=1)).put()


def test_a_live_call_is_recorded_with_what_it_was_asked_under():
    desk = make_helpdesk(a="One.")
    desk.put()
    call = Call.objects.get()
    assert (call.price, call.contract) == (call.model.prices.get(), Provider.objects.get().contracts.get())


def test_the_command_names_whose_data_it_is_and_says_why_it_is_refused(capsys):
    model = model_under(has_dpa="unknown")
    slug = make_panel_version([[model]]).panel.slug
    make_workflow(slug="support", data_class="personal")
    with pytest.raises(CommandError, match="fails the rule on DPA") as caught:
        call_command("ask_panel", slug, "Who?", workflow="support")
    assert caught.value.returncode == 2
    with pytest.raises(CommandError, match=r"There is no workflow suport. There are: support\."):
        call_command("ask_panel", slug, "Who?", workflow="suport")
    Workflow.objects.all().delete()
    with pytest.raises(CommandError, match="There are: none yet"):
        call_command("ask_panel", slug, "Who?", workflow="support")
