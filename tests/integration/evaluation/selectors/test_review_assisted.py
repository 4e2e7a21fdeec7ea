from __future__ import annotations

import pytest
from django.test import Client

from evaluation.models import ReviewSession
from evaluation.selectors.review_assisted import assisted_hallucination
from evaluation.selectors.review_judged import judged_items
from evaluation.services.review_sessions import SessionPlan, create_review_session
from tests.factories import NOW
from tests.integration.evaluation.finished_runs import make_finished_run
from tests.review_factories import make_person, make_vote

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> ReviewSession:
    """Twelve of twenty items, rated as the scorer judges them, but for one."""
    made = make_finished_run("RW" * 10, "R" * 20)
    plan = SessionPlan(
        title="With help", run=made.run, first_arm=made.baseline, second_arm=made.panel, size=12, overlap=0,
        calibration_count=0, gold_share=0, open_queue=True,
    )  # fmt: skip
    session = create_review_session(plan=plan, by=None, now=NOW)
    for place, item in enumerate(session.items.select_related("first_answer").order_by("position")):
        item.slots.all().delete()
        wrong = item.first_answer.correct is (place == 0)
        make_vote(item, facts_a=3 if wrong else 1, facts_b=1)
    return session


@pytest.fixture
def manager_client() -> Client:
    client = Client()
    client.force_login(make_person("product manager"))
    return client


def test_the_scorers_verdicts_narrow_what_people_say(session):
    first, second = assisted_hallucination(session, judged_items(session))
    assert (first.judged_by_people, first.judged_alone) == (12, 8)
    assert first.trust > 0.3
    width = first.interval.high - first.interval.low
    assert width < first.humans_interval.high - first.humans_interval.low
    assert (second.estimate, second.trust) == (0.0, 0.0)


def test_it_is_only_said_of_a_random_sample(session):
    session.method = ReviewSession.Method.DISAGREEMENT
    assert assisted_hallucination(session, judged_items(session)) == (None, None)


def test_it_is_not_said_of_a_handful(session):
    few = judged_items(session)[:9]
    assert assisted_hallucination(session, few) == (None, None)


def test_the_page_says_why_it_is_not_said(manager_client, session):
    address = f"/review/{session.pk}/results/"
    session.items.filter(position__gte=9).delete()
    assert "too early. It takes 10 settled items" in manager_client.get(address).content.decode()
    ReviewSession.objects.update(method="disagreement")
    assert "only for a random sample" in manager_client.get(address).content.decode()


def test_it_stands_on_the_page(manager_client, session):
    page = manager_client.get(f"/review/{session.pk}/results/").content.decode()
    assert "With the scorer’s help" in page
    assert "Trust in the scorer" in page
