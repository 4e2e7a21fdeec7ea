"""One page and JSON that say where an answer came from, of a run or live."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client

from evaluation.execution.work import work_run
from evaluation.models import Answer, Call, Run
from evaluation.selectors.answers import answers_with_lineage
from evaluation.selectors.lineage import Lineage, lineage_of
from evaluation.services.runs import start_run
from panels.fusion.types import Failure, FailureKind, StrategyName
from panels.models import LanguageModel, Provider
from tests.factories import (
    NOW,
    make_contract,
    make_dataset_version,
    make_experiment,
    make_model,
    make_outputs,
    make_panel_version,
    make_provider,
    make_workflow,
)
from tests.integration.evaluation.execution.scripted_clients import Clock, ScriptedProviders, failure, reply
from tests.integration.evaluation.live_questions import make_helpdesk
from tests.unit.panels.fusion.arbitrated import written_synthesis
from tests.unit.panels.fusion.live_panels import ask, model, said

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def viewer(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_user("vito"))
    return client


def run_of(experiment: Any, providers: ScriptedProviders, **fields: Any) -> Run:
    limits: dict[str, Any] = {"concurrency": 4, "cap_nanousd": None, "reuse_replies": True, "wake": False}
    run = start_run(experiment=experiment, by=None, now=NOW, **(limits | fields))
    work_run(run_id=run.pk, worker="w", clients_for=providers.clients_for, clock=Clock())
    return run


def lineage(answer: Answer) -> Lineage:
    return lineage_of(answers_with_lineage().get(pk=answer.pk))


def words(response: Any) -> str:
    assert response.status_code == 200
    main = BeautifulSoup(response.content, "html.parser").select_one("main")
    return " ".join(main.get_text(" ", strip=True).split())


def test_a_run_s_answer_says_which_data_went_to_whom_under_which_contract_and_price(viewer):
    provider = make_provider(name="House", contracted=False)
    contract = make_contract(provider, regions=["eu"], retention_days=30)
    member = make_model(provider=provider, name="m", pinned_version="m-2026-10")
    workflow = make_workflow(name="Support", slug="support", data_class="personal")
    version = make_dataset_version(examples=1)
    experiment = make_experiment([make_panel_version([[member]])], version=version, workflow=workflow)
    busy = replace(failure(FailureKind.RATE_LIMITED), region="us-east", response_id="r-0")
    answered = replace(
        reply(earlier=(busy,)), region="eu-west", served_by="Upstream", provider_model="m-2026-11", response_id="r-1"
    )
    run_of(experiment, ScriptedProviders(answer=lambda _: answered))
    found = lineage(Answer.objects.get())
    first, last = found.calls
    assert [(call.attempt, call.region, call.region_allowed) for call in found.calls] == [
        (1, "us-east", False),
        (2, "eu-west", True),
    ]
    assert (last.reported_model, last.as_pinned, first.as_pinned) == ("m-2026-11", False, None)
    assert last.price is not None
    assert (last.price.number, last.price.in_nanousd_per_mtok) == (member.prices.get().pk, 1_000_000_000)
    (receiver,) = found.receivers
    assert (receiver.provider, receiver.calls, receiver.regions, receiver.strays) == (
        "House",
        2,
        ("eu-west", "us-east"),
        1,
    )
    assert receiver.contract is not None
    assert (receiver.contract.number, receiver.contract.retention_days) == (contract.pk, 30)
    panel = experiment.arms.get().panel_version
    assert (found.panel.content_hash, found.panel.number) == (panel.content_hash, 1)
    assert (found.data.workflow, found.data.data_class, found.data.item_id) == ("Support", "personal", "item-0")
    page = words(viewer.get(f"/answers/{found.answer_id}/lineage/"))
    for told in ("Not as contracted", "Not the pinned version", "pinned: m-2026-10", "by Upstream", "r-1", "Support"):
        assert told in page
    assert panel.content_hash in page
    assert found.audit_head in page


def test_the_json_says_what_the_page_says(viewer):
    run_of(make_experiment([make_panel_version([[make_model()]])]), ScriptedProviders())
    answer = Answer.objects.order_by("pk")[0]
    response = viewer.get(f"/answers/{answer.pk}/lineage.json")
    assert response["Content-Disposition"] == f'attachment; filename="answer-{answer.pk}-lineage.json"'
    told = json.loads(response.content)
    assert told["panel"]["content_hash"] == answer.arm.panel_version.content_hash
    assert told["calls"][0]["request_hash"] == Call.objects.order_by("pk")[0].reply_key
    assert told["calls"][0]["contract"]["valid_until"] == "2999-12-31"
    assert (told["data"]["workflow"], told["data"]["data_class"]) == (None, "internal")
    assert told["approvals"] == []
    assert told["audit_head"].count(":") == 1


def test_the_prompt_s_hash_is_of_the_messages(viewer):
    run_of(make_experiment([make_panel_version([[make_model()]])]), ScriptedProviders())
    answer = Answer.objects.order_by("pk")[0]
    example = answer.place.example
    said_to = [[message.role, message.content] for message in example.messages]
    wanted = hashlib.sha256(json.dumps(said_to, separators=(",", ":")).encode()).hexdigest()
    assert lineage(answer).prompt_sha256 == wanted


def test_a_reused_reply_went_nowhere_now_and_names_where_it_came_from(viewer):
    experiment = make_experiment([make_panel_version([[make_model()]])], version=make_dataset_version(examples=1))
    providers = ScriptedProviders(answer=lambda _: replace(reply(), region="us"))
    for _ in range(2):
        run_of(experiment, providers)
    bought, reused = Answer.objects.order_by("pk")
    found = lineage(reused)
    (call,) = found.calls
    assert (found.receivers, call.source, call.reused_from) == ((), "reused", bought.pk)
    assert (call.region, call.region_allowed, call.request_hash) == ("us", False, bought.calls.get().reply_key)
    assert call.contract is not None
    page = words(viewer.get(f"/answers/{reused.pk}/lineage/"))
    assert "Nobody: every reply was reused or replayed" in page
    assert f"reused from answer {bought.pk}" in page
    assert "Region not as contracted" in words(viewer.get(f"/answers/{reused.pk}/"))


def test_a_replayed_output_was_imported_and_has_no_price_of_its_own(viewer):
    version = make_dataset_version(examples=1)
    recorded = make_model(provider=make_provider(kind=Provider.Kind.RECORDED), price=None)
    make_outputs(version, {recorded: ["A"]})
    experiment = make_experiment([make_panel_version([[recorded]])], version=version, replies="recorded")
    run_of(experiment, ScriptedProviders())
    found = lineage(Answer.objects.get())
    (call,) = found.calls
    assert (call.source, call.price, call.contract, found.receivers) == ("recorded", None, None, ())
    page = words(viewer.get(f"/answers/{found.answer_id}/lineage/"))
    assert "imported with the dataset" in page
    assert "as imported" in page


def test_what_was_never_sent_reached_nobody():
    closed = Failure(kind=FailureKind.BREAKER_OPEN, detail="open")
    run_of(make_experiment([make_panel_version([[make_model()]])]), ScriptedProviders(answer=lambda _: closed))
    assert lineage(Answer.objects.order_by("pk")[0]).receivers == ()


def test_a_live_answer_has_a_lineage_with_its_arbiter_and_its_masking(viewer):
    mail = "ada@example.org"
    desk = make_helpdesk(judge=True, a=model(said("Write to [[EMAIL_1_zz]].")), b="Two.", j=written_synthesis("Both."))
    workflow = make_workflow(name="Sales", data_class="personal")
    answer = desk.put(ask(f"Write to {mail}."), workflow=workflow, masks=True).answer
    found = lineage(answer)
    assert found.is_live
    assert [(call.role, call.seat) for call in found.calls] == [("member", 1), ("member", 2), ("arbiter", 1)]
    assert (found.arbiter_prompt, len(str(found.arbiter_prompt_sha256))) == ("synthesis-1", 64)
    assert found.masking is not None
    assert dict(found.masking.places)
    assert (found.data.workflow, found.data.run_id, found.data.dataset) == ("Sales", None, None)
    response = viewer.get(f"/answers/{answer.pk}/lineage/")
    page = words(response)
    assert "arbiter" in page
    assert mail not in response.content.decode()
    assert mail not in viewer.get(f"/answers/{answer.pk}/lineage.json").content.decode()
    assert f'href="/answers/{answer.pk}/lineage/"' in viewer.get(f"/answers/{answer.pk}/").content.decode()


def test_a_request_that_was_refused_has_a_lineage_without_calls(viewer):
    desk = make_helpdesk(a="One.")
    answer = desk.put(ceiling_nanousd=1).answer
    assert lineage(answer).calls == ()
    assert "No call was made" in words(viewer.get(f"/answers/{answer.pk}/lineage/"))


def test_a_lineage_takes_few_queries(viewer, django_assert_max_num_queries):
    members = [make_model() for _ in range(6)]
    panel = make_panel_version([members], strategy=StrategyName.MAJORITY)
    run_of(make_experiment([panel], version=make_dataset_version(examples=1)), ScriptedProviders())
    answer = Answer.objects.get()
    with django_assert_max_num_queries(8):
        viewer.get(f"/answers/{answer.pk}/lineage/")


def test_a_trace_flags_a_region_that_the_contract_does_not_allow(viewer):
    experiment = make_experiment([make_panel_version([[make_model()]])], version=make_dataset_version(examples=1))
    run_of(experiment, ScriptedProviders(answer=lambda _: replace(reply(), region="us-east")))
    answer = Answer.objects.get()
    page = words(viewer.get(f"/answers/{answer.pk}/"))
    assert "A reply came from a region that the contract with its provider does not allow." in page
    assert "us-east Region not as contracted" in page
    Call.objects.update(region="eu", region_allowed=True)
    assert "Region not as contracted" not in words(viewer.get(f"/answers/{answer.pk}/"))


def test_there_is_no_lineage_of_what_is_not_there(viewer):
    assert viewer.get("/answers/404/lineage/").status_code == 404
    assert viewer.get("/answers/404/lineage.json").status_code == 404


def test_the_pinned_version_is_told_when_it_is_met():
    member = make_model()
    LanguageModel.objects.filter(pk=member.pk).update(pinned_version="m-1")
    experiment = make_experiment([make_panel_version([[member]])], version=make_dataset_version(examples=1))
    run_of(experiment, ScriptedProviders(answer=lambda _: replace(reply(), provider_model="m-1")))
    assert lineage(Answer.objects.get()).calls[0].as_pinned is True
