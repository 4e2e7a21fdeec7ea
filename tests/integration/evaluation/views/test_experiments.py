from __future__ import annotations

import json
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup

from evaluation.models import Dataset, Example, Experiment, Run
from panels.fusion.types import StrategyName
from panels.models import LanguageModel, Provider
from tests.factories import (
    NOW,
    make_dataset_version,
    make_experiment,
    make_model,
    make_outputs,
    make_panel_version,
    make_provider,
    make_run,
    make_workflow,
)
from tests.integration.evaluation.finished_runs import make_finished_run

pytestmark = pytest.mark.django_db
NEW = "/experiments/new/"
FORM = {"HX-Request": "true", "HX-Target": "experiment"}


def soup_of(response):
    return BeautifulSoup(response.content, "html.parser")


def titles(client, query: str = "") -> list[str]:
    return [link.get_text() for link in soup_of(client.get(f"/experiments/{query}")).select("#rows tbody th a")]


def make_listed(title: str, *, state: str = Run.State.FINISHED, hours: int = 0, **fields) -> Experiment:
    panels = [make_panel_version([[make_model()]])]
    experiment = make_experiment(panels, title=title, created_at=NOW + timedelta(hours=hours), **fields)
    make_run(experiment, state=state)
    return experiment


# The list


def test_a_new_installation_says_what_an_experiment_is(manager, viewer):
    assert "No experiments yet" in manager.get("/experiments/").content.decode()
    assert soup_of(manager.get("/experiments/")).select_one(f"main .blank a[href='{NEW}']") is not None
    assert soup_of(viewer.get("/experiments/")).select_one(f"main a[href='{NEW}']") is None


def test_the_list_filters_by_state_workflow_and_text(viewer):
    workflow = make_workflow(slug="sales", name="Sales")
    make_listed("Alpha", hours=1, workflow=workflow)
    make_listed("Beta", hours=2, state=Run.State.CAPPED)
    make_listed("Gamma", hours=3)
    assert titles(viewer) == ["Gamma", "Beta", "Alpha"]
    assert titles(viewer, "?state=capped") == ["Beta"]
    assert titles(viewer, "?workflow=sales") == ["Alpha"]
    assert titles(viewer, "?q=gam") == ["Gamma"]
    assert titles(viewer, "?q=arm 0&sort=title") == ["Alpha", "Beta", "Gamma"]
    assert "No experiment matches" in viewer.get("/experiments/?q=nothing").content.decode()


def test_the_state_of_an_experiment_is_that_of_its_latest_run(viewer):
    experiment = make_listed("Alpha", state=Run.State.CANCELLED)
    make_run(experiment, state=Run.State.PAUSED)
    assert titles(viewer, "?state=cancelled") == []
    assert titles(viewer, "?state=paused") == ["Alpha"]


def test_paging_reaches_every_experiment_once(viewer):
    for number in range(53):
        make_listed(f"Experiment number {number:02}", hours=number // 3)
    for sort in ("-created", "created", "title", "-title"):
        first = soup_of(viewer.get(f"/experiments/?sort={sort}"))
        following = first.find("a", rel="next")["href"]
        seen = titles(viewer, f"?sort={sort}") + titles(viewer, following)
        assert len(seen) == len(set(seen)) == 53
        back = soup_of(viewer.get(f"/experiments/{following}")).find("a", rel="prev")["href"]
        assert titles(viewer, back) == titles(viewer, f"?sort={sort}")


def test_a_page_key_that_cannot_be_read_shows_the_first_page(viewer):
    make_listed("Alpha")
    for key in ("x", "~", "2026~y", "%00~1"):
        assert titles(viewer, f"?after={key}") == ["Alpha"]


def test_the_list_exports_what_it_shows(viewer):
    made = make_finished_run("RRW", "RWW", title="Exported")
    make_listed("Other")
    body = b"".join(viewer.get("/experiments/?q=exported&export=jsonl").streaming_content).decode()
    (row,) = [json.loads(line) for line in body.splitlines()]
    assert (row["title"], row["latest_run"], row["state"]) == ("Exported", made.run.pk, "finished")
    assert row["baseline_accuracy"] == pytest.approx(2 / 3)
    assert row["best_accuracy"] == pytest.approx(1 / 3)


def test_a_run_that_has_not_finished_compares_nothing(viewer):
    made = make_finished_run("RRW", "RWW", title="Repeated")
    for experiment in (made.run.experiment, make_listed("Going", state=Run.State.RUNNING)):
        run = make_run(experiment, state=Run.State.RUNNING)
        run.progress.update(scored=2, correct=2)
    body = b"".join(viewer.get("/experiments/?export=jsonl&sort=title").streaming_content).decode()
    going, repeated = [json.loads(line) for line in body.splitlines()]
    assert (going["state"], going["baseline_accuracy"], going["best_arm"]) == ("running", None, None)
    assert (repeated["state"], repeated["baseline_accuracy"]) == ("running", pytest.approx(2 / 3))


def test_the_list_takes_at_most_a_dozen_queries(viewer, django_assert_max_num_queries):
    for number in range(20):
        make_listed(f"Experiment {number}")
    with django_assert_max_num_queries(12):
        viewer.get("/experiments/?q=experiment&state=finished")


def test_the_rows_fragment_is_what_a_reload_shows(viewer):
    make_listed("Alpha")
    fragment = viewer.get("/experiments/?q=al", headers={"HX-Request": "true", "HX-Target": "rows"})
    assert str(soup_of(fragment).find(id="rows")) == str(soup_of(viewer.get("/experiments/?q=al")).find(id="rows"))


# A new one


@pytest.fixture
def fields():
    """What a filled-in form sends: one model against a panel of two, on four examples."""
    model, other = make_model(), make_model()
    baseline, panel = make_panel_version([[model]]), make_panel_version([[model, other]])
    return {
        "begun": "1",
        "title": "A comparison",
        "workflow": "",
        "dataset_version": str(make_dataset_version().pk),
        "replies": "live",
        "baseline": str(baseline.pk),
        "panels": [str(panel.pk)],
        "concurrency": "8",
        "cap": "1.50",
        "reuse": "on",
    }


def test_a_viewer_cannot_start_an_experiment(viewer, fields):
    assert viewer.get(NEW).status_code == 403
    assert viewer.post(NEW, fields).status_code == 403
    assert not Experiment.objects.exists()


def test_a_filled_in_form_starts_a_run(manager, fields):
    response = manager.post(NEW, fields)
    run = Run.objects.get()
    assert response["Location"] == f"/runs/{run.pk}/"
    assert (run.concurrency, run.cap_nanousd, run.reuse_replies, run.state) == (8, 1_500_000_000, True, "queued")
    arms = run.experiment.arms.order_by("position")
    assert [(arm.is_baseline, str(arm.panel_version_id)) for arm in arms] == [
        (True, fields["baseline"]), (False, fields["panels"][0]),
    ]  # fmt: skip
    assert str(run.created_by) == "mara"


def test_htmx_is_sent_to_the_run_as_well(manager, fields):
    response = manager.post(NEW, fields, headers=FORM)
    assert response["HX-Redirect"] == f"/runs/{Run.objects.get().pk}/"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "id_title"),
        ({"dataset_version": ""}, "id_dataset_version"),
        ({"dataset_version": "999"}, "id_dataset_version"),
        ({"baseline": ""}, "id_baseline"),
        ({"panels": []}, "panels"),
        ({"panels": ["999"]}, "panels"),
        ({"concurrency": "0"}, "id_concurrency"),
        ({"concurrency": "many"}, "id_concurrency"),
        ({"cap": "-1"}, "id_cap"),
        ({"cap": "NaN"}, "id_cap"),
    ],
)
@pytest.mark.parametrize("headers", [{}, FORM])
def test_what_is_wrong_is_said_beside_its_field(manager, fields, changes, field, headers):
    response = manager.post(NEW, fields | changes, headers=headers)
    assert response.status_code == 422
    assert soup_of(response).find(id=field)["aria-invalid"] == "true"
    assert (soup_of(response).find("html") is None) is bool(headers)
    assert not Experiment.objects.exists()


def test_the_rejected_form_keeps_what_was_entered(manager, fields):
    form = soup_of(manager.post(NEW, fields | {"title": ""}, headers=FORM)).find(id="experiment")
    assert form.select_one(f"input[name=panels][value='{fields['panels'][0]}']").has_attr("checked")
    assert form.find(id="id_cap")["value"] == "1.50"


def test_the_baseline_cannot_be_compared_with_itself(manager, fields):
    response = manager.post(NEW, fields | {"panels": [fields["baseline"]]})
    assert response.status_code == 422
    assert "The baseline is one of the panels" in response.content.decode()


def test_a_cap_needs_known_prices(manager, fields):
    unpriced = make_panel_version([[make_model(price=None)]])
    response = manager.post(NEW, fields | {"panels": [str(unpriced.pk)]})
    assert response.status_code == 422
    assert "a cap cannot hold" in soup_of(response).find(id="id_cap_error").get_text()
    assert not Experiment.objects.exists()


def test_a_missing_key_stops_the_start_and_names_the_variable(manager, fields, monkeypatch):
    monkeypatch.delenv("SOME_KEY", raising=False)
    keyed = make_model(provider=make_provider(kind=Provider.Kind.OPENAI, api_key_env="SOME_KEY"))
    response = manager.post(NEW, fields | {"panels": [str(make_panel_version([[keyed]]).pk)]})
    assert response.status_code == 422
    assert "SOME_KEY" in soup_of(response).find(id="panels-error").get_text()
    assert not Experiment.objects.exists()


def test_the_gate_stops_the_start_and_names_the_member_and_the_rule(manager, fields):
    bare = make_model(name="bare", provider=make_provider(name="Nobody", contracted=False))
    response = manager.post(NEW, fields | {"panels": [str(make_panel_version([[bare]]).pk)]})
    assert response.status_code == 422
    told = soup_of(response).find(id="panels-error").get_text()
    assert "bare (Nobody) fails the rule on contract: no contract is recorded that has begun" in told
    assert not Experiment.objects.exists()


def test_only_panels_that_can_answer_are_offered(manager, fields):
    provider = make_provider(kind=Provider.Kind.RECORDED)
    version = make_dataset_version(recorded_by=provider)
    model = make_model(provider=provider)
    make_outputs(version, {model: ["A", "A", "A", "A"]})
    replayed = make_panel_version([[model]])
    leaving = make_model()
    retired = make_panel_version([[leaving]])
    LanguageModel.objects.filter(pk=leaving.pk).update(status="retired", retired_at=NOW)
    recorded = {"dataset_version": str(version.pk), "replies": "recorded"}
    headers = {"HX-Request": "true", "HX-Target": "choices"}
    live = soup_of(manager.get(NEW, fields, headers=headers))
    asked = {box["value"] for box in live.select("input[name=panels]")}
    assert asked == {fields["baseline"], *fields["panels"]}
    assert str(retired.pk) not in asked
    offered = soup_of(manager.get(NEW, fields | recorded, headers=headers)).select("input[name=panels]")
    assert [box["value"] for box in offered] == [str(replayed.pk)]


def test_the_estimate_follows_the_form_and_starts_nothing(manager, fields):
    response = manager.get(NEW, fields, headers={"HX-Request": "true", "HX-Target": "estimate"})
    text = soup_of(response).find(id="estimate").get_text(" ", strip=True)
    assert "Examples 4" in text
    assert "Calls 12" in text
    assert "about 4 shared between arms" in text
    assert "at most $" in text
    assert soup_of(response).find("html") is None
    assert not Experiment.objects.exists()


def test_a_panel_whose_arbiter_nobody_answers_for_is_not_offered(manager, fields):
    judges = [make_model(name=name) for name in ("sound", "gone", "only recorded")]
    panels = [make_panel_version([[make_model()]], strategy=StrategyName.SYNTHESIS, arbiter=judge) for judge in judges]
    LanguageModel.objects.filter(name="gone").update(status="retired", retired_at=NOW)
    LanguageModel.objects.filter(name="only recorded").update(provider=make_provider(kind=Provider.Kind.RECORDED))
    headers = {"HX-Request": "true", "HX-Target": "choices"}
    page = soup_of(manager.get(NEW, fields, headers=headers))
    offered = {box["value"] for box in page.select("input[name=panels]")}
    assert offered == {fields["baseline"], *fields["panels"], str(panels[0].pk)}
    assert "synthesis of 1" in page.get_text()
    assert "arbiter sound" in page.get_text()


def test_the_estimate_names_what_the_arbiter_may_be_asked(manager, fields):
    panel = make_panel_version([[make_model()]], strategy=StrategyName.SYNTHESIS, arbiter=make_model(price=None))
    headers = {"HX-Request": "true", "HX-Target": "estimate"}
    asked = manager.get(NEW, fields | {"panels": [str(panel.pk)]}, headers=headers)
    text = soup_of(asked).find(id="estimate").get_text(" ", strip=True)
    assert "Arbiter 0 to 8 calls about 4 expected" in text
    assert "the most is unknown" in text
    assert f"No price is known for {panel.arbiter_model.name}" in text


def test_an_unfinished_form_is_not_blamed(manager, fields):
    begun = {"begun": "1", "dataset_version": fields["dataset_version"], "replies": "live"}
    response = manager.get(NEW, begun, headers={"HX-Request": "true", "HX-Target": "choices"})
    assert response.status_code == 200
    assert soup_of(response).find(attrs={"aria-invalid": True}) is None
    assert not soup_of(response).find(id="id_reuse").has_attr("checked")
    fresh = soup_of(manager.get(f"{NEW}?dataset_version={fields['dataset_version']}"))
    assert fresh.select_one("#id_dataset_version option[selected]")["value"] == fields["dataset_version"]
    assert fresh.find(id="id_reuse").has_attr("checked")
    assert "Choose a dataset and at least one panel" in fresh.find(id="estimate").get_text()


def test_the_form_takes_at_most_a_dozen_queries_and_the_estimate_few_more(
    manager, fields, django_assert_max_num_queries
):
    for _ in range(10):
        make_panel_version([[make_model()]])
    with django_assert_max_num_queries(12):
        manager.get(NEW)
    with django_assert_max_num_queries(22):
        manager.get(NEW, fields, headers={"HX-Request": "true", "HX-Target": "estimate"})


def test_the_form_says_what_a_run_of_the_workflow_masks(manager, fields):
    def leaves(**asked) -> str:
        response = manager.get(NEW, fields | asked, headers={"HX-Request": "true", "HX-Target": "estimate"})
        return soup_of(response).find(id="estimate").get_text(" ", strip=True).partition("What leaves ")[2]

    assert leaves(workflow="").startswith("Nothing is masked: prompts leave as they are.")
    assert leaves(workflow=str(make_workflow().pk)).startswith("Nothing is masked")
    example = Example.objects.filter(version=fields["dataset_version"], position=0)
    example.update(meta={"fields": {"patient_name": "Anna"}, "case": "AB-1"})
    workflow = make_workflow(name="Wards", masks=True, sensitive_fields=["patient_name", "case", "surname"])
    shown = leaves(workflow=str(workflow.pk))
    assert "This run masks, because Wards does." in shown
    assert "patient_name (in 1 of 4 examples), case (in 1 of 4 examples), surname (in 0 of 4 examples) and" in shown
    assert "No example of this dataset has surname : such a field protects nobody here." in shown
    undecided = leaves(workflow=str(workflow.pk), dataset_version="")
    assert "patient_name, case, surname and what patterns find" in undecided.replace(" ,", ",")
    assert "protects nobody" not in undecided
    bare = make_workflow(masks=True)
    assert "Before anything is sent, what patterns find become placeholders." in leaves(workflow=str(bare.pk))
    Dataset.objects.update(workflow=workflow)
    both = leaves(workflow=str(make_workflow(name="Desk", masks=True, sensitive_fields=["case"]).pk))
    assert "because Desk and Wards do." in both
    assert "case (in 1 of 4 examples), patient_name (in 1 of 4 examples), surname" in both


def test_the_form_says_nothing_of_masking_before_it_is_begun(manager):
    assert "What leaves" not in manager.get(NEW).content.decode()
