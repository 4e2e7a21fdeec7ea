from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

from evaluation.models import Answer, Experiment, ReviewItem, ReviewSession, Run, RunResult
from evaluation.sample.pilot import LOGINS, PASSWORD
from evaluation.sample.review import offer_review
from evaluation.sample.workflows import WORKFLOWS
from evaluation.services.review_slots import claim_slots
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
        assert_ready_to_review(finished)
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


def assert_ready_to_review(run: Run) -> None:
    """Both reviewers find an item each, on sides that complement each other where they share it."""
    session = ReviewSession.objects.get()
    assert (session.run, session.state, session.first_arm.name) == (run, "open", "Current model")
    people = User.objects.filter(review_assignments__session=session, review_assignments__role="reviewer")
    assert [person.username for person in people.order_by("username")] == ["reviewer", "reviewer-2"]
    for person in people:
        [slot] = claim_slots(session=session, person=person, now=timezone.now())
        assert slot.item.kind == "calibration"
    regular = ReviewItem.objects.filter(session=session, kind="regular")
    assert regular.filter(wanted=2).count() == 5
    assert any(item.first_text != item.second_text for item in regular)


def test_no_session_is_offered_without_a_finished_run() -> None:
    offer_review(now=timezone.now())
    assert not ReviewSession.objects.exists()


def _counts() -> tuple[int, ...]:
    return (
        ReviewSession.objects.count(),
        ReviewItem.objects.count(),
        Experiment.objects.count(),
        Run.objects.count(),
        Answer.objects.count(),
        ChangeRequest.objects.count(),
        LanguageModel.objects.count(),
        Provider.objects.count(),
    )
