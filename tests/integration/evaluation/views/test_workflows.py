from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from evaluation.models import Workflow
from tests.factories import (
    make_dataset_version,
    make_experiment,
    make_model,
    make_panel_version,
    make_run,
    make_workflow,
)

pytestmark = pytest.mark.django_db
FORM = {"HX-Request": "true", "HX-Target": "workflow"}
FILLED = {
    "data_class": "health",
    "accuracy_percent": "92.5",
    "target_p95_ms": "500",
    "cost_percent": "-25",
    "masks": "on",
    "sensitive_fields": ["patient_name"],
    "other_fields": " case,birth date; \n case",
}


def soup_of(response):
    return BeautifulSoup(response.content, "html.parser")


def words(response, selector: str = "main") -> str:
    return soup_of(response).select_one(selector).get_text(" ", strip=True)


def edit(workflow: Workflow) -> str:
    return f"/workflows/{workflow.slug}/edit/"


def with_fields(workflow: Workflow, *metas: dict, **fields) -> Workflow:
    """The metas of the examples of a dataset of the workflow, in their order."""
    version = make_dataset_version(examples=len(metas), **fields)
    version.dataset.workflow = workflow
    version.dataset.save()
    for example, meta in zip(version.examples.order_by("position"), metas, strict=True):
        example.meta = meta
        example.save()
    return workflow


@pytest.fixture
def workflow() -> Workflow:
    named = {"fields": {"patient_name": "Anna", "case": "AB-1"}, "row": 4}
    return with_fields(make_workflow(), named, {"fields": {"patient_name": "Bo"}}, {}, {"fields": ["no names"]})


def test_a_product_manager_sets_targets_and_masking(manager, workflow):
    response = manager.post(edit(workflow), FILLED)
    assert (response.status_code, response["Location"]) == (302, f"/workflows/{workflow.slug}/")
    workflow.refresh_from_db()
    assert workflow.sensitive_fields == ["patient_name", "case", "birth date"]
    targets = (workflow.target_accuracy, workflow.target_p95_ms, workflow.target_cost_change)
    assert (targets, workflow.data_class, workflow.masks) == ((0.925, 500, -0.25), "health", True)
    assert "Saved." in words(manager.get(f"/workflows/{workflow.slug}/"), "body")


def test_a_product_manager_sets_where_its_data_may_go(manager, workflow):
    where = {"allowed_regions": "EU, us-east-1", "max_retention_days": "30", "forbids_training": "on"}
    manager.post(edit(workflow), FILLED | where)
    workflow.refresh_from_db()
    assert (workflow.allowed_regions, workflow.max_retention_days) == (["eu", "us-east-1"], 30)
    assert workflow.forbids_training
    shown = words(manager.get(f"/workflows/{workflow.slug}/"))
    assert "Health needs a BAA" in shown
    assert "eu, us-east-1" in shown
    assert "30 days" in shown
    manager.post(edit(workflow), FILLED)
    workflow.refresh_from_db()
    assert (workflow.allowed_regions, workflow.max_retention_days) == ([], None)
    assert not workflow.forbids_training


@pytest.mark.parametrize(("field", "value"), [("allowed_regions", "eu, --"), ("max_retention_days", "-1")])
def test_a_policy_that_means_nothing_is_refused_beside_its_field(manager, workflow, field, value):
    response = manager.post(edit(workflow), FILLED | {field: value}, headers=FORM)
    assert response.status_code == 422
    assert soup_of(response).select_one(f"#id_{field}_error") is not None


def test_the_form_comes_back_as_it_was_saved(manager, workflow):
    manager.post(edit(workflow), FILLED)
    page = soup_of(manager.get(edit(workflow)))
    values = {name: page.select_one(f"[name={name}]").get("value") for name in ("accuracy_percent", "cost_percent")}
    assert values == {"accuracy_percent": "92.5", "cost_percent": "-25.0"}
    ticked = [box["value"] for box in page.select("[name=sensitive_fields][checked]")]
    assert (ticked, page.select_one("[name=other_fields]")["value"]) == (["patient_name", "case"], "birth date")
    assert page.select_one("[name=masks]").has_attr("checked")
    assert page.select_one("[name=data_class] [selected]")["value"] == "health"


def test_the_fields_that_the_examples_have_are_offered_with_how_many_have_them(manager, workflow):
    shown = words(manager.get(edit(workflow)))
    assert "patient_name, in 2 of 4 examples" in shown
    assert "case, in 1 of 4 examples" in shown
    assert "row, in 1 of 4 examples" in shown
    assert "Names are protected by marked fields only" in shown


def test_the_newest_published_version_of_each_dataset_is_looked_at(manager, workflow):
    first = workflow.datasets.get().versions.get()
    first.pk, first.number = None, 2
    first.content_hash, first.example_count = "1" * 64, 0
    first.save()
    with_fields(workflow, {"fields": {"surname": "Ek"}})
    shown = words(manager.get(edit(workflow)))
    assert "surname, in 1 of 1 examples" in shown
    assert "patient_name" not in shown


def test_without_named_values_the_page_says_how_a_dataset_brings_them(manager):
    assert '"fields": {"customer_name"' in words(manager.get(edit(make_workflow())))


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"accuracy_percent": "101"}, "accuracy_percent", "less than or equal to 100"),
        ({"target_p95_ms": "0"}, "target_p95_ms", "greater than or equal to 1"),
        ({"cost_percent": "-101"}, "cost_percent", "greater than or equal to -100"),
        ({"data_class": "secret"}, "data_class", "not one of the available choices"),
        ({"sensitive_fields": ["nobody knows it"]}, "sensitive_fields", "not one of the available choices"),
        ({"other_fields": "x" * 81}, "other_fields", "81 characters long"),
        ({"other_fields": ",".join(f"f{number}" for number in range(51))}, "other_fields", "mark at most 50"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_saved(manager, workflow, change, field, message):
    response = manager.post(edit(workflow), FILLED | change, headers=FORM)
    assert response.status_code == 422
    form = soup_of(response)
    assert form.find("html") is None
    assert message in form.select_one(f"#id_{field}_error").get_text()
    workflow.refresh_from_db()
    assert (workflow.masks, workflow.data_class) == (False, "internal")


def test_while_a_run_is_open_its_masking_stays(manager, workflow):
    make_run(make_experiment([make_panel_version([[make_model()]])], workflow=workflow, title="Open one"))
    response = manager.post(edit(workflow), FILLED, headers=FORM)
    assert response.status_code == 422
    assert "Run 1 of “Open one” is queued" in soup_of(response).select_one("#id_masks_error").get_text()
    workflow.refresh_from_db()
    assert not workflow.masks


def test_others_read_how_it_is_and_change_nothing(viewer, workflow):
    assert viewer.get(edit(workflow)).status_code == 403
    assert viewer.post(edit(workflow), FILLED).status_code == 403
    page = viewer.get(f"/workflows/{workflow.slug}/")
    assert "Product managers can change targets and masking" in words(page)
    assert soup_of(page).select_one(f"a[href='{edit(workflow)}']") is None


def test_a_manager_is_led_to_the_form(manager, workflow):
    assert soup_of(manager.get(f"/workflows/{workflow.slug}/")).select_one(f"a[href='{edit(workflow)}']") is not None


def test_a_workflow_that_is_not_there_is_not_found(manager):
    assert manager.get("/workflows/nothing/edit/").status_code == 404


def test_the_workflow_says_whether_it_masks_and_what_that_protects(viewer):
    def masking(**fields) -> str:
        return words(viewer.get(f"/workflows/{make_workflow(**fields).slug}/"), "#masking")

    assert masking() == "Masking Prompts leave as they are"
    assert "The data of this workflow is health, and nothing of it is masked." in masking(data_class="health")
    bare = masking(masks=True)
    assert "masked before they leave" in bare
    assert "none marked" in bare
    assert "Names are protected by marked fields only" in bare
    assert "patient_name , case" in masking(masks=True, sensitive_fields=["patient_name", "case"])


def test_the_form_takes_few_queries(manager, workflow, django_assert_max_num_queries):
    for _ in range(3):
        with_fields(workflow, {"fields": {"a": "b"}})
    with django_assert_max_num_queries(12):
        manager.get(edit(workflow))
