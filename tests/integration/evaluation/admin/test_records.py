import pytest
from django.contrib.auth.models import User

from evaluation.models import Dataset
from tests.factories import (
    make_dataset_version,
    make_experiment,
    make_model,
    make_panel_version,
    make_run,
    make_workflow,
)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["workflow", "dataset", "datasetversion", "datasetimport", "experiment", "run"])
def test_records_can_be_read_and_not_written(client, kind):
    client.force_login(User.objects.create_superuser("root"))
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
    assert client.get(address).status_code == 200
    assert client.get(f"{address}{rows[kind]}/change/").status_code == 200
    assert client.post(f"{address}{rows[kind]}/change/", {"name": "x"}).status_code == 403
    assert client.post(f"{address}{rows[kind]}/delete/").status_code == 403
    assert client.get(f"{address}add/").status_code == 403
