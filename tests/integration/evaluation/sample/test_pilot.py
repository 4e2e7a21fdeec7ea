from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command

from evaluation.models import Answer, Experiment, Run, RunResult
from evaluation.sample.pilot import LOGINS, PASSWORD
from evaluation.sample.workflows import WORKFLOWS
from panels.models import ChangeRequest, LanguageModel, Provider
from panels.selectors.change_sides import votes_of
from panels.simulator.answer_key import load_answer_key
from tests.change_factories import make_group
from tests.simulator_server import serve_simulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def groups(transactional_db: None) -> None:
    """The migration's groups: a test with transactions of its own empties the tables behind it."""
    for name in filter(None, LOGINS.values()):
        make_group(name)


def _load(url: str) -> str:
    out = StringIO()
    call_command("load_sample_pilot", simulator=url, stdout=out)
    return out.getvalue()


def test_brings_three_workflows_and_one_finished_experiment_and_keeps_them() -> None:
    with serve_simulator(answer_key=load_answer_key([sample.items for sample in WORKFLOWS])) as server:
        printed = _load(server.base_url)
        finished = Run.objects.get(state=Run.State.FINISHED)
        assert finished.experiment.workflow is not None
        assert finished.experiment.workflow.slug == "sales-assistant"
        assert Answer.objects.filter(run=finished).count() == finished.answers_wanted >= 600
        assert RunResult.objects.filter(run=finished).exists()
        assert Run.objects.filter(state=Run.State.QUEUED).count() == 2
        states = ChangeRequest.objects.order_by("pk").values_list("state", flat=True)
        assert list(states) == ["applied", "rejected", "submitted"]
        waiting = ChangeRequest.objects.get(state="submitted")
        assert len(votes_of(waiting)) == 1
        assert waiting.evidence["differences"]["accuracy"]["n"] >= 200
        before = _counts()
        _load(server.base_url)
        assert _counts() == before
    assert all(authenticate(username=name, password=PASSWORD) for name in LOGINS)
    assert all(f"{name} / {PASSWORD}" in printed for name in LOGINS)


def _counts() -> tuple[int, ...]:
    return (
        Experiment.objects.count(),
        Run.objects.count(),
        Answer.objects.count(),
        ChangeRequest.objects.count(),
        LanguageModel.objects.count(),
        Provider.objects.count(),
    )
