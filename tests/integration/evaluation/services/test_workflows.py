from __future__ import annotations

import pytest

from evaluation.models import Run
from evaluation.policies import WrongState, require_masking_changeable
from evaluation.services.workflows import InvalidWorkflow, WorkflowSettings, change_workflow
from panels.models import AuditEntry
from tests.factories import NOW, make_experiment, make_model, make_panel_version, make_run, make_user, make_workflow

pytestmark = pytest.mark.django_db


def settings(**fields) -> WorkflowSettings:
    return WorkflowSettings(**({"data_class": "personal"} | fields))


def open_run(state: str, **fields) -> Run:
    experiment = make_experiment([make_panel_version([[make_model()]])], title="Open one", **fields)
    return make_run(experiment, state=state)


def test_everything_that_was_set_is_stored():
    wanted = settings(
        target_accuracy=0.9,
        target_p95_ms=500,
        target_cost_change=-0.25,
        masks=True,
        sensitive_fields=("name", "birth date"),
    )
    workflow = make_workflow(target_accuracy=0.1)
    change_workflow(workflow=workflow, settings=wanted, by=None, now=NOW)
    workflow.refresh_from_db()
    assert workflow.sensitive_fields == ["name", "birth date"]
    stored = (workflow.data_class, workflow.target_accuracy, workflow.target_p95_ms, workflow.target_cost_change)
    assert stored == ("personal", 0.9, 500, -0.25)
    assert workflow.masks


def test_a_target_that_is_taken_away_is_not_set():
    workflow = make_workflow(target_accuracy=0.9, target_p95_ms=5, target_cost_change=0.1)
    changed = change_workflow(workflow=workflow, settings=settings(), by=None, now=NOW)
    assert (changed.target_accuracy, changed.target_p95_ms, changed.target_cost_change) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"data_class": "secret"}, "data_class"),
        ({"allowed_regions": ("eu", "-")}, "allowed_regions"),
        ({"max_retention_days": -1}, "max_retention_days"),
        ({"max_retention_days": 36_501}, "max_retention_days"),
        ({"target_accuracy": 1.1}, "target_accuracy"),
        ({"target_accuracy": -0.1}, "target_accuracy"),
        ({"target_p95_ms": 0}, "target_p95_ms"),
        ({"target_cost_change": -1.1}, "target_cost_change"),
        ({"sensitive_fields": ("a", "a")}, "sensitive_fields"),
        ({"sensitive_fields": (" a",)}, "sensitive_fields"),
        ({"sensitive_fields": ("",)}, "sensitive_fields"),
        ({"sensitive_fields": ("x" * 81,)}, "sensitive_fields"),
        ({"sensitive_fields": tuple(f"field {number}" for number in range(51))}, "sensitive_fields"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_stored(fields, field):
    workflow = make_workflow(data_class="internal")
    with pytest.raises(InvalidWorkflow) as refusal:
        change_workflow(workflow=workflow, settings=settings(**fields), by=None, now=NOW)
    assert [name for name, _ in refusal.value.problems] == [field]
    assert str(refusal.value)
    workflow.refresh_from_db()
    assert workflow.data_class == "internal"


@pytest.mark.parametrize("state", ["queued", "running", "paused", "capped"])
def test_masking_does_not_change_under_an_open_run_but_all_else_does(state):
    workflow = make_workflow(masks=True, sensitive_fields=["name"])
    open_run(state, workflow=workflow)
    kept = {"masks": True, "sensitive_fields": ("name",)}
    change_workflow(workflow=workflow, settings=settings(target_accuracy=0.5, **kept), by=None, now=NOW)
    for change in ({"masks": False}, {"sensitive_fields": ("name", "case")}):
        with pytest.raises(WrongState, match="Run 1 of “Open one”"):
            change_workflow(workflow=workflow, settings=settings(**(kept | change)), by=None, now=NOW)
    workflow.refresh_from_db()
    assert (workflow.masks, workflow.sensitive_fields, workflow.target_accuracy) == (True, ["name"], 0.5)


@pytest.mark.parametrize("state", ["finished", "cancelled"])
def test_a_run_that_has_ended_is_in_nobodys_way(state):
    require_masking_changeable(Run(state=state))


def test_an_open_run_on_a_dataset_of_the_workflow_counts_as_well():
    workflow = make_workflow()
    run = open_run("running", workflow=None)
    dataset = run.experiment.dataset_version.dataset
    dataset.workflow = workflow
    dataset.save()
    with pytest.raises(WrongState, match="Run 1 of “Open one”"):
        change_workflow(workflow=workflow, settings=settings(masks=True), by=None, now=NOW)


@pytest.mark.parametrize("state", ["finished", "cancelled"])
def test_runs_that_have_ended_and_those_of_others_do_not_hold_it_up(state):
    workflow = make_workflow()
    open_run(state, workflow=workflow)
    open_run("running", workflow=make_workflow())
    assert change_workflow(workflow=workflow, settings=settings(masks=True), by=None, now=NOW).masks


def test_where_data_may_go_is_stored_as_codes_and_the_change_is_in_the_audit_chain():
    workflow, person = make_workflow(data_class="health"), make_user()
    wanted = settings(
        data_class="internal", allowed_regions=("US East", "EU", "eu"), max_retention_days=0, forbids_training=False
    )
    changed = change_workflow(workflow=workflow, settings=wanted, by=person, now=NOW)
    assert (changed.allowed_regions, changed.max_retention_days) == (["eu", "us-east"], 0)
    assert not changed.forbids_training
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.actor) == ("workflow.changed", f"workflow:{workflow.slug}", person)
    assert entry.detail["data_class"] == {"from": "health", "to": "internal"}
    assert entry.detail["forbids_training"] == {"from": True, "to": False}
    change_workflow(workflow=workflow, settings=wanted, by=person, now=NOW)
    assert AuditEntry.objects.count() == 1
