from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin

from evaluation.models import Answer, ApiKey, Dataset, Lease, LiveRequest, ReviewSession, ReviewSlot
from panels.models import AuditEntry, ChangeContributor, ChangeDecision, LanguageModel, Provider
from tests.factories import (
    make_dataset_version,
    make_experiment,
    make_model,
    make_panel_version,
    make_run,
    make_user,
    make_workflow,
)

pytestmark = pytest.mark.django_db
# The inventory has forms, in narrow ones; everything else is there to be looked at.
WRITTEN_HERE = {Provider, LanguageModel}
# Decisions are kept from a request's other approvers until all have decided, so only its own page shows them, and who
# took part.
SHOWN_WITH_THEIR_REQUEST = {ChangeContributor, ChangeDecision}
OURS = [
    model
    for app in ("panels", "evaluation")
    for model in apps.get_app_config(app).get_models()
    if model not in SHOWN_WITH_THEIR_REQUEST
]
SECRETS = {
    ApiKey: "secret_hash",
    ReviewSession: "seed",
    ReviewSlot: "lease_token",
    Lease: "token",
    LiveRequest: "vault",
}


@pytest.fixture
def root(client):
    client.force_login(make_user(is_superuser=True, is_staff=True))
    return client


def lists_of(model):
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def test_everything_is_registered_but_what_would_tell_approvers_too_early():
    assert [model.__name__ for model in OURS if not admin.site.is_registered(model)] == []
    assert not any(admin.site.is_registered(model) for model in SHOWN_WITH_THEIR_REQUEST)


@pytest.mark.parametrize("model", [model for model in OURS if model not in WRITTEN_HERE])
def test_nobody_writes_what_is_only_recorded(root, model):
    assert root.get(lists_of(model)).status_code == 200
    assert root.get(f"{lists_of(model)}add/").status_code == 403
    assert "delete_selected" not in root.get(lists_of(model)).content.decode()


def test_its_pages_name_an_icon_that_is_there(root):
    assert 'href="/static/favicon.svg"' in root.get("/admin/").content.decode()


@pytest.mark.parametrize("model", SECRETS)
def test_what_opens_something_is_not_shown(root, model):
    assert SECRETS[model] in {field.name for field in model._meta.fields}
    assert SECRETS[model] in (admin.site.get_model_admin(model).exclude or ())


@pytest.mark.parametrize("kind", ["workflow", "dataset", "datasetversion", "datasetimport", "experiment", "run"])
def test_records_can_be_read_and_not_written(root, kind):
    experiment = make_experiment([make_panel_version([[make_model()]])], version=make_dataset_version())
    rows = {
        "workflow": make_workflow().pk,
        "dataset": experiment.dataset_version.dataset_id,
        "datasetversion": experiment.dataset_version_id,
        "datasetimport": Dataset.objects.get().imports.create(folder="x", created_at=experiment.created_at).pk,
        "experiment": experiment.pk,
        "run": make_run(experiment).pk,
    }
    address = f"/admin/evaluation/{kind}/"
    assert root.get(f"{address}{rows[kind]}/change/").status_code == 200
    assert root.post(f"{address}{rows[kind]}/change/", {"name": "x"}).status_code == 403
    assert root.post(f"{address}{rows[kind]}/delete/").status_code == 403


def test_the_audit_chain_can_be_read_and_not_written(root):
    entry = AuditEntry.objects.get()  # of the sign-in
    address = f"/admin/panels/auditentry/{entry.pk}/"
    assert root.get(f"{address}change/").status_code == 200
    assert root.post(f"{address}change/", {"action": "x"}).status_code == 403
    assert root.post(f"{address}delete/", {"post": "yes"}).status_code == 403


def test_a_long_list_is_not_counted(root, django_assert_max_num_queries):
    make_experiment([make_panel_version([[make_model()]])], version=make_dataset_version())
    assert not admin.site.get_model_admin(Answer).show_full_result_count
    with django_assert_max_num_queries(8):
        root.get("/admin/evaluation/example/")
