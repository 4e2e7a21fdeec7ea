from __future__ import annotations

from typing import Any

import pytest

from evaluation.models import Answer, Call, ReviewSession
from evaluation.selectors.review_judged import judged_items
from evaluation.selectors.review_members import bad_claim_members
from evaluation.services.review_sessions import SessionPlan, create_review_session
from tests.factories import NOW
from tests.integration.evaluation.finished_runs import FinishedRun, make_finished_run
from tests.review_factories import make_vote

pytestmark = pytest.mark.django_db


@pytest.fixture
def made() -> FinishedRun:
    """Two answers of the panel are wrong, by two votes to one; the third member dissents."""
    return make_finished_run("RRRR", "RRWW")


@pytest.fixture
def session(made: FinishedRun) -> ReviewSession:
    plan = SessionPlan(
        title="Who said it", run=made.run, first_arm=made.baseline, second_arm=made.panel, size=4, overlap=0,
        calibration_count=0, gold_share=0, open_queue=True,
    )  # fmt: skip
    return create_review_session(plan=plan, by=None, now=NOW)


def rate(session: ReviewSession, *, marks: tuple[str, ...] = (), **fields: Any) -> None:
    """The panel's answers on side B, as the scorer has them; what failed is marked."""
    for item in session.items.select_related("second_answer"):
        item.slots.all().delete()
        wrong = not item.second_answer.correct
        chips = [{"side": "b", "sentence": n, "text": text, "kind": "outdated"} for n, text in enumerate(marks)]
        make_vote(item, facts_a=1, facts_b=3 if wrong else 1, chips=chips if wrong else [], **fields)


def test_members_behind_what_failed_are_counted_against_what_passed(session):
    rate(session)
    [panel] = bad_claim_members(session, judged_items(session))
    assert panel.arm == session.second_arm.name
    assert [(one.behind_failed, one.failed, one.behind_passed, one.passed) for one in panel.members] == [
        (2, 2, 2, 2), (2, 2, 2, 2), (0, 2, 2, 2),
    ]  # fmt: skip


def test_a_marked_sentence_is_laid_to_whoever_said_it(session):
    Call.objects.filter(answer__correct=False, seat=1).update(text="Rates fell. The bank closed nine branches in May.")
    rate(session, marks=("The bank closed nine branches in May.", "Nobody has said that anywhere."))
    [panel] = bad_claim_members(session, judged_items(session))
    assert [(one.said, one.marked) for one in panel.members] == [(0, 4), (2, 4), (0, 4)]
    assert (panel.unsaid, panel.marked) == (2, 4)


def test_behind_a_text_that_the_arbiter_wrote_stands_nobody_that_is_known(session):
    Answer.objects.filter(correct=False).update(winner_seat=None, text="Written anew")
    rate(session)
    [panel] = bad_claim_members(session, judged_items(session))
    assert {one.failed for one in panel.members} == {0}


def test_equal_seats_are_told_apart_and_the_last_attempt_counts(made, session):
    Call.objects.filter(answer__arm=made.panel, seat=2).update(model=made.models[1])
    retried = Call.objects.get(answer__arm=made.panel, answer__position=2, seat=0)
    retried.pk, retried.attempt, retried.group = None, 2, None
    retried.save()
    rate(session)
    [panel] = bad_claim_members(session, judged_items(session))
    assert [one.name for one in panel.members] == [
        made.models[0].name, f"{made.models[1].name}, seat 2", f"{made.models[1].name}, seat 3",
    ]  # fmt: skip
    assert panel.members[0].failed == 1


def test_it_takes_two_queries_an_arm(session, django_assert_num_queries):
    rate(session)
    judged = judged_items(session)
    with django_assert_num_queries(4):
        bad_claim_members(session, judged)
