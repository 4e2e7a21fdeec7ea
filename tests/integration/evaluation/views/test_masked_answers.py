"""What the trace and the results say of a run that masks. Prompts hold names here only where the dataset has them."""

from __future__ import annotations

import json

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client

from evaluation.models import Answer, Experiment, Run
from panels.fusion.types import ModelRequest, Reply
from panels.models import Provider
from tests.factories import make_model, make_outputs, make_provider
from tests.integration.evaluation.arbitrated_runs import work
from tests.integration.evaluation.execution.scripted_clients import ScriptedProviders, reply
from tests.integration.evaluation.masked_runs import (
    FIELD,
    MASKED_NAME,
    MASKED_PROMPT,
    NAME,
    masked_run,
    masking_workflow,
    people_version,
    seated,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def viewer(transactional_db: None) -> Client:
    """Whoever is logged in may look; the groups of the migration are gone where tests have their own transactions."""
    client = Client()
    client.force_login(User.objects.create_user("vito"))
    return client


def soup_of(client, path: str) -> BeautifulSoup:
    response = client.get(path)
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def words(page, selector: str) -> str:
    return page.select_one(selector).get_text(" ", strip=True)


def answer_of(run: Run) -> Answer:
    return run.answers.get()


def worked(*panels, says=lambda _: reply(MASKED_NAME), **fields) -> Run:
    run = masked_run(*panels, **fields)
    work(run, ScriptedProviders(answer=says))
    return run


def test_the_trace_shows_what_was_masked_and_the_prompt_as_it_was_sent(viewer):
    own, outside = make_model(name="ours"), make_model(name="theirs")
    run = worked(seated(own, outside, own=[own]))
    page = soup_of(viewer, f"/answers/{answer_of(run).pk}/")
    shown = words(page, "#masking")
    assert "Masked before anything was sent: CUSTOMERNAME 1 time, EMAIL 1 time." in shown
    assert f"Marked as sensitive: {FIELD}" in shown
    assert words(page, "#sent .pre") == MASKED_PROMPT
    assert "In-house and shown the prompt as it is: ours" in shown
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in page.select("#masking tbody tr")]
    assert rows == [["ours", "1", "shown none"], ["theirs", "1", "0"]]


def test_a_placeholder_that_was_lost_is_counted_on_the_trace(viewer):
    run = worked(seated(make_model()), says=lambda _: reply("[[CUSTOMERNAME_1_xx]]"))
    page = soup_of(viewer, f"/answers/{answer_of(run).pk}/")
    assert [cell.get_text() for cell in page.select("#masking tbody td")] == ["1", "1"]


def test_where_nothing_was_found_and_no_field_is_marked_the_trace_says_so(viewer):
    version = people_version([{"prompt": "Who is it?", "reference": "A"}])
    run = worked(seated(make_model()), version=version, workflow=masking_workflow(sensitive_fields=[]))
    shown = words(soup_of(viewer, f"/answers/{answer_of(run).pk}/"), "#masking")
    assert "Nothing was found to mask. No field was marked as sensitive." in shown


def test_an_answer_that_could_not_be_masked_says_so_and_why(viewer):
    run = worked(seated(make_model()), version=people_version([{"meta": {"fields": {FIELD: "A"}}}]))
    page = soup_of(viewer, f"/answers/{answer_of(run).pk}/")
    assert "Nothing was sent." in words(page, "#masking")
    assert "The prompt could not be masked" in words(page, "#masking")
    assert page.select_one("#sent") is None
    assert "'customer_name' holds a single character" in page.get_text()
    assert "not sent: not fully masked" in page.get_text().lower()


def test_a_prompt_that_was_masked_by_other_rules_is_not_made_up(viewer):
    run = worked(seated(make_model()))
    answer = answer_of(run)
    answer.masking["version"] = 0
    answer.save()
    page = soup_of(viewer, f"/answers/{answer.pk}/")
    assert "Texts are masked in another way today" in words(page, "#masking")
    assert page.select_one("#sent") is None


def test_a_replay_says_that_outputs_were_masked_alike(viewer):
    model = make_model(provider=make_provider(kind=Provider.Kind.RECORDED), price=None)
    version = people_version()
    make_outputs(version, {model: [NAME]})
    run = worked(seated(model), version=version, replies=Experiment.Replies.RECORDED)
    page = soup_of(viewer, f"/answers/{answer_of(run).pk}/")
    assert "No member was asked: the recorded outputs were masked" in words(page, "#masking")
    assert [cell.get_text() for cell in page.select("#masking tbody td")] == ["1", "shown none"]


def test_fields_of_a_json_answer_are_compared_with_a_reference_masked_alike(viewer):
    reference = json.dumps({"who": NAME.upper()})

    def says(request: ModelRequest) -> Reply:
        return reply(json.dumps({"who": request.messages[0].content.split(" of ")[0]}))

    version = people_version([{"reference": reference}], kind="json")
    run = worked(seated(make_model(), make_model()), version=version, says=says)
    answer = answer_of(run)
    assert answer.correct
    assert "[[CUSTOMERNAME" in words(soup_of(viewer, f"/answers/{answer.pk}/"), "#fields")
    assert NAME.upper() not in words(soup_of(viewer, f"/answers/{answer.pk}/"), "#fields")


def test_without_masking_the_trace_is_silent_about_it(viewer):
    run = worked(seated(make_model()), workflow=masking_workflow(masks=False))
    assert soup_of(viewer, f"/answers/{answer_of(run).pk}/").select_one("#masking") is None


def test_a_masked_trace_takes_no_more_queries(viewer, django_assert_max_num_queries):
    answer = answer_of(worked(seated(make_model(), make_model())))
    with django_assert_max_num_queries(12):
        viewer.get(f"/answers/{answer.pk}/")


def test_the_results_count_the_placeholders_that_each_model_lost(viewer):
    careful, careless, own = (make_model(name=name) for name in ("careful", "careless", "ours"))
    run = worked(
        seated(careful),
        seated(careless, own, own=[own]),
        says=lambda asked: reply("[[CUSTOMERNAME_9_ab]]" if asked.model == str(careless.pk) else MASKED_NAME),
    )
    page = soup_of(viewer, f"/runs/{run.pk}/")
    table = page.select_one("#members table")
    column = [head.get_text() for head in table.select("thead th")].index("Placeholders lostof those in its replies")
    counts = {
        row.select_one("th").get_text(): row.find_all(["th", "td"])[column].get_text(" ")
        for row in table.select("tbody tr")
        if row.select("td")
    }
    assert counts == {"careful": "0 of 1", "careless": "1 of 1", "ours": "shown none"}
    assert "Prompts were masked" in words(page, "#members")


def test_a_run_of_single_models_shows_the_count_too_and_one_that_masks_nothing_has_no_column(viewer):
    run = worked(seated(make_model()), seated(make_model()))
    assert "Placeholders lost" in words(soup_of(viewer, f"/runs/{run.pk}/"), "#members")
    plain = worked(seated(make_model(), make_model()), workflow=masking_workflow(masks=False))
    assert "Placeholders lost" not in words(soup_of(viewer, f"/runs/{plain.pk}/"), "#members")


def test_a_run_under_way_says_that_it_masks(viewer):
    run = masked_run(seated(make_model()))
    assert "masks prompts" in soup_of(viewer, f"/runs/{run.pk}/").get_text()
    plain = masked_run(seated(make_model()), workflow=masking_workflow(masks=False))
    assert "masks prompts" not in soup_of(viewer, f"/runs/{plain.pk}/").get_text()
