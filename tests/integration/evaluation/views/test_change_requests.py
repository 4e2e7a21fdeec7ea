from __future__ import annotations

import pytest

from evaluation.models import RunResult
from panels.models import ChangeRequest
from tests.change_factories import make_author, make_next_version
from tests.factories import make_model, make_panel_version, make_user, make_workflow
from tests.integration.evaluation.finished_runs import make_finished_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def made():
    return make_finished_run("RRRW", "RRWR", workflow=make_workflow(name="Sales", data_class="public"))


@pytest.fixture
def author(client):
    client.force_login(make_author())
    return client


def new(made):
    return f"/panels/{made.panel.panel_version.panel.slug}/v1/make-live/?run={made.run.pk}"


def words(made, **fields):
    return {"summary": "Better.", "run": made.run.pk, "workflow": made.run.experiment.workflow_id} | fields


def test_the_results_of_a_run_lead_to_a_request_with_that_run_as_evidence(author, made):
    page = author.get(f"/runs/{made.run.pk}/").content.decode()
    assert f'href="{new(made)}"' in page
    form = author.get(new(made)).context["form"]
    assert (form.initial["run"], form.initial["workflow"]) == (made.run.pk, made.run.experiment.workflow)
    envelope = {
        "weights_from": "0.5",
        "weights_to": "2",
        "max_cost_nanousd_from": "0.01",
        "max_cost_nanousd_to": "0.02",
    }
    answer = author.post(new(made), words(made, makes_baseline="on", **envelope))
    request = ChangeRequest.objects.get()
    assert answer.url == f"/changes/{request.pk}/"
    assert request.evidence["run"]["id"] == made.run.pk
    assert request.envelope == {"weights": [0.5, 2.0], "max_cost_nanousd": [10_000_000, 20_000_000]}
    assert (request.state, request.makes_baseline, request.policy["data_class"]) == ("draft", True, "public")
    page = author.get(answer.url).content.decode()
    assert "Submit for approval" in page
    assert "$0.01 to $0.02" in page


def test_the_page_of_a_version_leads_there_too(author, made):
    version = made.panel.panel_version
    address = f"/panels/{version.panel.slug}/v1/"
    assert f'href="{address}make-live/"' in author.get(address).content.decode()
    assert author.get(f"{address}make-live/").context["form"].initial["run"] == made.run.pk


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"summary": ""}, "required"),
        ({"weights_from": "1"}, "both ends"),
        ({"stop_at_from": "0.9", "stop_at_to": "0.5"}, "ends before it begins"),
        ({"run": 999}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_in_the_fragment_and_nothing_is_saved(author, made, fields, said):
    answer = author.post(new(made), words(made, **fields), HTTP_HX_REQUEST="true", HTTP_HX_TARGET="editor")
    assert answer.status_code == 422
    assert answer.content.decode().strip().startswith('<form id="editor"')
    assert said in answer.content.decode()
    assert not ChangeRequest.objects.exists()


def test_a_run_whose_result_is_gone_is_refused_by_name(author, made):
    RunResult.objects.all().delete()
    assert "no result yet" in author.post(new(made), words(made)).content.decode()


def test_a_version_that_was_never_measured_can_only_be_a_draft(author):
    version = make_panel_version([[make_model()]])
    address = f"/panels/{version.panel.slug}/v1/make-live/"
    assert "No finished run has this version" in author.get(address).content.decode()
    answer = author.post(address, {"summary": "Later."})
    request = ChangeRequest.objects.get()
    author.post(f"/changes/{request.pk}/submit/")
    assert "There is no evidence" in author.get(answer.url).content.decode()
    request.refresh_from_db()
    assert request.state == "draft"


def test_an_edit_makes_a_new_draft_and_the_second_tab_is_told(author, made):
    author.post(new(made), words(made, weights_from="0.5", weights_to="2"))
    request = ChangeRequest.objects.get()
    address = f"/changes/{request.pk}/edit/"
    form = author.get(address).context["form"]
    assert (form.initial["run"], form.initial["revision"], form.initial["weights_to"]) == (made.run.pk, 1, 2.0)
    assert author.post(address, words(made, summary="Much better.", revision=1)).status_code == 302
    request.refresh_from_db()
    assert (request.summary, request.revision) == ("Much better.", 2)
    late = author.post(address, words(made, summary="Older words.", revision=1))
    assert "just changed this request" in late.content.decode()
    for number in ("x", "9"):
        assert author.get(f"{address}?version={number}").status_code == 404
    other = make_next_version(made.panel.panel_version, weight=0.5)
    assert author.get(f"{address}?version=2").context["candidate"] == other
    # The run of the first version says nothing of the second.
    assert "Select a valid choice" in author.post(f"{address}?version=2", words(made, revision=2)).content.decode()


def test_a_request_is_for_a_version_that_exists(author):
    assert author.get("/panels/none/v1/make-live/").status_code == 404


@pytest.mark.parametrize("group", ["viewer", "approver", "compliance"])
def test_others_open_nothing(client, made, group):
    client.force_login(make_user(group))
    assert client.get(new(made)).status_code == 403
    assert "Make one live" not in client.get(f"/runs/{made.run.pk}/").content.decode()
