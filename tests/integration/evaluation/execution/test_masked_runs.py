"""Runs of a workflow that masks, from the rows of the dataset to the bodies on the wire and back to the results."""

from __future__ import annotations

import json

import pytest

from evaluation.execution.work import work_run
from evaluation.models import Answer, ArmProgress, Call, Experiment, Run
from evaluation.services.runs import retry_failed
from panels.fusion.privacy import masking
from panels.fusion.privacy.cover import Cover
from panels.fusion.privacy.detectors import Detector
from panels.fusion.privacy.masking import MASKING_VERSION
from panels.fusion.types import Failure, FailureKind, ModelRequest, Reply, StrategyName
from panels.gateway import clients_for
from panels.models import LanguageModel, Provider
from panels.simulator.catalogue import CATALOGUE
from panels.simulator.ledger import Ledger
from tests.factories import NOW, make_experiment, make_model, make_outputs, make_provider, make_run
from tests.integration.evaluation.arbitrated_runs import work
from tests.integration.evaluation.execution.scripted_arbiter import arbiter_reply, is_arbiter, synthesis
from tests.integration.evaluation.execution.scripted_clients import Clock, ScriptedProviders
from tests.integration.evaluation.masked_runs import (
    FIELD,
    MAIL,
    MASKED_MAIL,
    MASKED_NAME,
    MASKED_PROMPT,
    NAME,
    PROMPT,
    bodies,
    body,
    calls_of,
    echo,
    masked_run,
    masking_workflow,
    people_version,
    seated,
    secrets_in,
)
from tests.simulator_server import serve_simulator

pytestmark = pytest.mark.django_db(transaction=True)


def break_detectors(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    def find(text: str) -> list[tuple[int, int]]:
        if word in text:
            raise RuntimeError(text)
        return []

    broken = (*masking.DEFAULT_DETECTORS, Detector(name="brittle", kind="BRITTLE", find=find))
    for masks in (masking.mask_question, masking.remask):
        monkeypatch.setattr(masks, "__kwdefaults__", {"detectors": broken})


# What leaves


def test_every_member_is_sent_the_same_placeholders_and_no_value():
    first, second, third = make_model(), make_model(), make_model()
    run = masked_run(seated(first), seated(first, second, third))
    providers = ScriptedProviders(answer=echo)
    work(run, providers)
    assert run.state == Run.State.FINISHED
    assert {request.messages[0].content for request in providers.requests} == {MASKED_PROMPT}
    assert len(providers.requests) == 3
    assert not any(secrets_in(body(request)) for request in providers.requests)
    assert set(run.answers.values_list("correct", "value")) == {(True, MASKED_NAME)}


def test_nothing_that_is_stored_of_a_masked_run_holds_a_value():
    outside = make_model()
    run = masked_run(seated(outside))
    work(run, ScriptedProviders(answer=echo))
    calls = Call.objects.filter(answer__run=run).values()
    assert len(calls) == 1
    assert not secrets_in(repr([*Answer.objects.filter(run=run).values(), *calls]))
    assert run.answers.get().masking == {
        "version": MASKING_VERSION,
        "fields": [FIELD],
        "places": {"CUSTOMERNAME": 1, "EMAIL": 1},
    }


def test_without_masking_the_prompt_leaves_as_it_is_and_nothing_is_noted():
    outside = make_model()
    run = masked_run(seated(outside), workflow=masking_workflow(masks=False))
    providers = ScriptedProviders(answer=echo)
    work(run, providers)
    assert providers.requests[0].messages[0].content == PROMPT
    assert run.answers.get().masking is None
    assert calls_of(run, outside)[0].placeholders is None


@pytest.mark.parametrize("other", [None, "one that does not mask"])
def test_a_dataset_of_a_workflow_that_masks_is_masked_wherever_it_is_used(other):
    outside, version = make_model(), people_version()
    version.dataset.workflow = masking_workflow()
    version.dataset.save()
    workflow = None if other is None else masking_workflow(masks=False)
    experiment = make_experiment([seated(outside)], version=version, workflow=workflow)
    providers = ScriptedProviders(answer=echo)
    work(make_run(experiment), providers)
    assert [request.messages[0].content for request in providers.requests] == [MASKED_PROMPT]


def test_what_the_experiment_and_the_dataset_mark_is_masked_together():
    outside, version = make_model(), people_version([{"meta": {"fields": {FIELD: NAME, "kind": "refund"}}}])
    version.dataset.workflow = masking_workflow()
    version.dataset.save()
    providers = ScriptedProviders(answer=echo)
    work(masked_run(seated(outside), version=version, workflow=masking_workflow(sensitive_fields=["kind"])), providers)
    (request,) = providers.requests
    assert not secrets_in(request.messages[0].content)
    assert "refund" not in request.messages[0].content


def test_a_name_that_no_field_holds_is_not_masked():
    outside = make_model()
    version = people_version([{"prompt": f"{NAME} and Bob Miller of {MAIL}?"}])
    providers = ScriptedProviders(answer=echo)
    work(masked_run(seated(outside), version=version), providers)
    assert providers.requests[0].messages[0].content == f"{MASKED_NAME} and Bob Miller of {MASKED_MAIL}?"


def test_an_in_house_member_sees_the_prompt_as_it_is_and_nobody_sees_what_it_says():
    own, outside = make_model(), make_model()
    run = masked_run(seated(own, outside, own=[own]))
    providers = ScriptedProviders(answer=echo)
    work(run, providers)
    assert [json.loads(each)["messages"][0]["content"] for each in bodies(providers, own)] == [PROMPT]
    assert not any(secrets_in(each) for each in bodies(providers, outside))
    kept = calls_of(run, own)[0]
    assert (kept.text, kept.placeholders, kept.placeholders_lost) == (MASKED_NAME, 1, None)
    # Both said the same, so they stand in one group.
    assert run.answers.get().consensus == 1.0


def test_what_an_in_house_provider_complains_about_is_masked_before_it_is_kept():
    own = make_model()
    run = masked_run(seated(own, own=[own]))
    quoting = Failure(kind=FailureKind.REQUEST, detail=f"refused: {PROMPT}")
    work(run, ScriptedProviders(answer=lambda _: quoting))
    assert calls_of(run, own)[0].detail == f"refused: {MASKED_PROMPT}"


@pytest.mark.parametrize("replies", [Experiment.Replies.LIVE, Experiment.Replies.RECORDED])
def test_the_arbiter_is_sent_masked_text_alone(replies):
    own, outside, judge = make_model(), make_model(), make_model()
    version = people_version([{"context": f"{NAME} writes from {MAIL}; ask SCHMIDT."}], kind="text")
    make_outputs(version, {own: [f"It is {NAME}."], outside: [f"{MAIL} wrote."]})
    panel = seated(own, outside, own=[own], arbiter=judge, strategy=StrategyName.SYNTHESIS)
    run = masked_run(panel, version=version, replies=replies)
    providers = ScriptedProviders(
        answer=lambda asked: synthesis(f"{MASKED_NAME} wrote.") if is_arbiter(asked) else echo(asked)
    )
    work(run, providers)
    (asked,) = bodies(providers, judge)
    assert not secrets_in(asked)
    assert all(placeholder in asked for placeholder in (MASKED_NAME, MASKED_MAIL))
    answer = run.answers.get()
    assert answer.text == f"{MASKED_NAME} wrote."
    arbitration = Call.objects.get(answer=answer, role=Call.Role.ARBITER)
    assert (arbitration.outcome, arbitration.placeholders_lost) == (Call.OK, 0)


def test_a_body_that_would_still_hold_a_value_is_not_sent(monkeypatch):
    """The last look before the wire: here masking itself is broken, and sends what it was given."""
    outside = make_model()
    run = masked_run(seated(outside))
    raw = run.experiment.dataset_version.examples.get().messages
    monkeypatch.setattr(Cover, "view", lambda cover, question, member: raw)
    providers = ScriptedProviders(answer=echo)
    work(run, providers)
    assert providers.requests == []
    call = calls_of(run, outside)[0]
    assert (call.outcome, call.spent_nanousd) == (FailureKind.MASKING, 0)
    assert "the body still held masked values" in call.detail
    assert not secrets_in(call.detail)


def test_a_client_that_breaks_on_a_masked_prompt_says_no_word_of_it(caplog):
    own = make_model()

    def breaks(request: ModelRequest) -> Reply:
        raise RuntimeError(request.messages[0].content)

    run = masked_run(seated(own, own=[own]))
    work(run, ScriptedProviders(answer=breaks))
    call = calls_of(run, own)[0]
    assert (call.outcome, call.detail) == (FailureKind.MALFORMED, "RuntimeError")
    assert "raised RuntimeError on a masked prompt" in caplog.text
    assert not secrets_in(caplog.text)


# What cannot be masked


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"fields": {FIELD: "A"}}, "'customer_name' holds a single character"),
        ({"fields": "Anna Schmidt"}, "are no object"),
    ],
)
def test_what_cannot_be_masked_fails_its_own_answers_and_is_sent_to_nobody(meta, words):
    first, second, judge = make_model(), make_model(), make_model()
    version = people_version([{}, {"meta": meta}, {}])
    panel = seated(first, second, arbiter=judge, strategy=StrategyName.VERIFICATION)
    run = masked_run(seated(first), panel, version=version, cap_nanousd=10**12)
    providers = ScriptedProviders(answer=lambda asked: arbiter_reply("{}") if is_arbiter(asked) else echo(asked))
    work(run, providers)
    assert {request.item_id for request in providers.requests} == {"item-0", "item-2"}
    blocked = run.answers.filter(position=1)
    assert set(blocked.values_list("outcome", "cost_nanousd")) == {(Answer.Outcome.FAILED, 0)}
    calls = Call.objects.filter(answer__in=blocked)
    assert {(call.outcome, call.spent_nanousd) for call in calls} == {(FailureKind.MASKING, 0)}
    assert calls.count() == 3
    assert all(words in call.detail and not secrets_in(call.detail) for call in calls)
    assert blocked.first().masking == {"version": MASKING_VERSION, "fields": [FIELD], "places": {}}
    assert ArmProgress.objects.get(run=run, arm__is_baseline=True).errors == {"masking": 1}
    assert (run.state, run.reserved_nanousd) == (Run.State.FINISHED, 0)


def test_a_detector_that_breaks_fails_the_answer_and_nothing_is_sent(monkeypatch):
    break_detectors(monkeypatch, "refund")
    outside = make_model()
    run = masked_run(seated(outside), version=people_version([{}, {"prompt": "Who is Anna Schmidt?"}]))
    providers = ScriptedProviders(answer=echo)
    work(run, providers)
    assert [request.item_id for request in providers.requests] == ["item-1"]
    blocked, asked = calls_of(run, outside)
    assert (blocked.outcome, asked.outcome) == (FailureKind.MASKING, Call.OK)
    assert "The detector 'brittle' broke" in blocked.detail


def test_a_replay_of_what_cannot_be_masked_fails_too():
    model = make_model(provider=make_provider(kind=Provider.Kind.RECORDED), price=None)
    version = people_version([{"meta": {"fields": {FIELD: "A"}}}])
    make_outputs(version, {model: [NAME]})
    run = masked_run(seated(model), version=version, replies=Experiment.Replies.RECORDED)
    work(run, ScriptedProviders())
    assert run.answers.get().outcome == Answer.Outcome.FAILED
    assert calls_of(run, model)[0].outcome == FailureKind.MASKING


def test_once_the_field_is_repaired_a_retry_asks_and_replaces_what_failed():
    outside = make_model()
    version = people_version([{"meta": {"fields": {FIELD: "A"}}}, {}])
    run = masked_run(seated(outside), version=version)
    work(run, ScriptedProviders(answer=echo))
    version.examples.filter(position=0).update(meta={"fields": {FIELD: NAME}})
    retry_failed(run=run, by=None, now=NOW)
    again = ScriptedProviders(answer=echo)
    work(run, again)
    # The prompt is that of the other example, whose reply serves.
    assert again.requests == []
    assert set(run.answers.values_list("outcome", "correct")) == {(Answer.Outcome.ANSWERED, True)}
    assert run.answers.get(position=0).masking["places"] == {"CUSTOMERNAME": 1, "EMAIL": 1}
    assert ArmProgress.objects.get(run=run).errors == {}


# Over the wire


def simulated(names: list[str], base_url: str) -> list[LanguageModel]:
    provider = make_provider(kind=Provider.Kind.SIMULATED, base_url=base_url)
    return [make_model(provider=provider, name=name) for name in names]


def test_the_simulator_is_asked_the_masked_prompt_by_every_member_outside():
    """It answers with the key of the prompt it was sent, which is the same for the same words."""
    names = list(CATALOGUE)[:3]
    with serve_simulator(faults=False) as simulator:
        models = simulated(names, simulator.base_url)
        keys = []
        for workflow in (masking_workflow(), masking_workflow(masks=False)):
            run = masked_run(seated(*models, own=models[:1]), workflow=workflow)
            simulator.ledger.clear()
            work_run(run_id=run.pk, clients_for=clients_for, worker="w", clock=Clock())
            keys.append(keys_by_model(simulator.ledger))
    masked, plain = keys
    own, *outside = names
    assert set(plain.values()) == {masked[own]}
    assert len({masked[name] for name in outside}) == 1
    assert masked[own] not in {masked[name] for name in outside}


def keys_by_model(ledger: Ledger) -> dict[str, str]:
    latest = ledger.as_json()["latest"]
    assert isinstance(latest, list)
    return {entry["model"]: entry["key"] for entry in latest}
