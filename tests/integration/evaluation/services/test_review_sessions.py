from __future__ import annotations

import json
from typing import Any

import pytest

from evaluation.models import Answer, Call, Example, ReviewItem, ReviewSession, ReviewSlot, Run
from evaluation.policies import WrongState
from evaluation.services.review_pairs import run_pairs
from evaluation.services.review_sessions import (
    InvalidReviewSession,
    SessionPlan,
    assign_person,
    close_review_session,
    create_review_session,
    join_session,
    pause_review_session,
    start_review_session,
)
from evaluation.services.review_slots import NotAssigned, claim_slots
from evaluation.services.review_texts import NameFinder, frozen_answers, inventory_names
from tests.factories import NOW
from tests.integration.evaluation.finished_runs import FinishedRun, make_finished_run
from tests.review_factories import SEED, make_person

pytestmark = pytest.mark.django_db

BASELINE = "RRWWRRWWRRWWRRWWRRWW"
PANEL = "RRRRRRRRWWRRRRRRRRWW"


@pytest.fixture
def finished() -> FinishedRun:
    return make_finished_run(BASELINE, PANEL)


def plan_of(finished: FinishedRun, **fields: Any) -> SessionPlan:
    defaults: dict[str, Any] = {
        "title": "Panel against baseline",
        "run": finished.run,
        "first_arm": finished.panel,
        "second_arm": finished.baseline,
        "size": 10,
        "calibration_count": 2,
        "gold_share": 0.1,
        "overlap": 0.5,
        "reviewers": (make_person("reviewer"), make_person("reviewer")),
    }
    return SessionPlan(**(defaults | fields))


def create(finished: FinishedRun, **fields: Any) -> ReviewSession:
    return create_review_session(plan=plan_of(finished, **fields), by=None, now=NOW, seed=SEED)


def refused(finished: FinishedRun, **fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidReviewSession) as error:
        create(finished, **fields)
    assert not ReviewSession.objects.exists()
    return dict(error.value.problems)


def test_a_session_has_its_items_slots_and_people(finished):
    session = create(finished)
    kinds = list(session.items.order_by("position").values_list("kind", flat=True))
    assert kinds == ["calibration"] * 2 + ["gold"] + ["regular"] * 10
    assert (session.state, session.population, session.rubric.number) == ("draft", 17, 1)
    assert sorted(session.items.filter(kind="regular").values_list("wanted", flat=True)) == [1] * 5 + [2] * 5
    assert session.slots.count() == 15
    assert not session.slots.exclude(item__kind="regular").exists()
    assert session.assignments.count() == 2
    assert {item.inclusion for item in session.items.filter(kind="regular")} == {10 / 17}


def test_a_field_that_no_item_has_is_no_field_to_stratify_by(finished):
    Example.objects.update(meta={"region": "north"})
    problems = refused(finished, method="stratified", strata_field="colour")
    assert problems == {"strata_field": "No item has a “colour”; the items’ fields are group, region."}


def test_two_sessions_share_the_rubric(finished):
    assert create(finished).rubric == create(finished, title="Again").rubric


def test_texts_are_frozen_on_the_side_of_their_arm(finished):
    session = create(finished, calibration_count=0, gold_share=0.0, size=20)
    Call.objects.update(text="changed")
    Example.objects.update(prompt="[]")
    for item in session.items.select_related("first_answer", "second_answer"):
        assert item.first_answer.arm_id == finished.panel.pk
        assert item.first_text == f"I say {item.first_answer.value}, seat 0"
        assert item.second_text == f"I say {item.second_answer.value}, seat 0"
        assert item.question == f"Question {item.example.position} of dataset {item.example.version.dataset_id}?"
        assert item.reference == "A"


def test_a_reference_says_what_is_expected_of_known_items(finished):
    session = create(finished)
    for item in session.items.exclude(kind="regular").select_related("first_answer", "second_answer"):
        assert item.expected == {
            "first": [1, 2] if item.first_answer.correct else [3, 4],
            "second": [1, 2] if item.second_answer.correct else [3, 4],
        }


def test_the_owner_may_say_what_is_expected(finished):
    expected = {"item-3": {"first": [2]}, "item-5": {"second": [3]}}
    session = create(finished, expected=expected, calibration_count=1, gold_share=0.1)
    known = dict(session.items.exclude(kind="regular").values_list("name", "expected"))
    assert known == expected


def test_disagreement_first_takes_contested_items_and_stores_how_likely_each_was(finished):
    session = create(finished, method="disagreement", calibration_count=0, gold_share=0.0, size=10)
    contested = {pair.example.pk for pair in run_pairs(finished.run, finished.panel, finished.baseline, {})
                 if pair.contested("choice")}  # fmt: skip
    assert len(contested) == 10
    drawn = list(session.items.all())
    assert sum(item.example_id in contested for item in drawn) == 8
    for item in drawn:
        is_contested = item.example_id in contested
        assert item.stratum == ("contested" if is_contested else "agreed")
        assert item.inclusion == pytest.approx(8 / 10 if is_contested else 2 / 10)


@pytest.mark.parametrize("field", ["group", "topic"])
def test_stratified_takes_of_every_stratum_by_its_share(finished, field):
    for example in finished.run.experiment.dataset_version.examples.all():
        name = "rare" if example.position < 5 else "common"
        Example.objects.filter(pk=example.pk).update(group=name, meta={"topic": name})
    session = create(finished, method="stratified", strata_field=field, calibration_count=0, gold_share=0.0, size=8)
    assert sorted(session.items.values_list("stratum", flat=True)) == ["common"] * 6 + ["rare"] * 2
    assert {item.inclusion for item in session.items.all()} == {6 / 15, 2 / 5}


def test_the_same_seed_draws_the_same_items(finished):
    drawn = [list(create(finished, title=str(n)).items.order_by("position").values_list("example", "wanted"))
             for n in range(2)]  # fmt: skip
    assert drawn[0] == drawn[1]
    other = create_review_session(plan=plan_of(finished), by=None, now=NOW)
    assert len(other.seed) == 64
    assert list(other.items.order_by("position").values_list("example", "wanted")) != drawn[0]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": " "}, "title"),
        ({"method": "imported"}, "method"),
        ({"method": "stratified"}, "strata_field"),
        ({"size": 0}, "size"),
        ({"size": 18}, "size"),
        ({"overlap": 1.5}, "overlap"),
        ({"overlap_votes": 4}, "overlap_votes"),
        ({"gold_share": 0.6}, "gold_share"),
        ({"calibration_count": -1}, "calibration_count"),
        ({"calibration_count": 30}, "calibration_count"),
        ({"reviewers": ()}, "reviewers"),
        ({"expected": {"item-1": {"first": [6]}}}, "expected"),
        ({"expected": {"item-1": {}}}, "expected"),
        ({"expected": {"item-1": {"third": [1]}}}, "expected"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_by_name(finished, fields, field):
    assert field in refused(finished, **fields)


def test_one_reviewer_cannot_give_two_votes_on_one_item(finished):
    assert "2 reviewers" in refused(finished, reviewers=(make_person(),))["reviewers"]
    assert create(finished, reviewers=(make_person(),), overlap=0.0).slots.count() == 10


def test_nobody_reviews_and_adjudicates(finished):
    people = (make_person(), make_person())
    assert "adjudicators" in refused(finished, reviewers=people, adjudicators=people[:1])


def test_arms_are_two_of_the_run_and_the_run_has_ended(finished):
    other = make_finished_run("R", "R")
    assert "first_arm" in refused(finished, first_arm=other.panel)
    assert "second_arm" in refused(finished, second_arm=finished.panel)
    Run.objects.update(state=Run.State.RUNNING)
    finished.run.refresh_from_db()
    assert "run" in refused(finished)


def test_too_few_known_items_says_how_many_there_are():
    unscored = make_finished_run("UUUUUUUUUR", "UUUUUUUUUR")
    told = refused(unscored, size=4, calibration_count=2, gold_share=0.25)["calibration_count"]
    assert "take 3 items" in told
    assert "there are 1" in told


# States of an answer


def state_of(answer: Answer) -> str:
    return frozen_answers([answer])[answer.pk].state


def test_an_answer_that_was_cut_off_or_refused_says_so(finished):
    answer = finished.answers(finished.baseline)[0]
    assert state_of(answer) == "answered"
    for reason, state in (("length", "truncated"), ("max_tokens", "truncated"), ("content_filter", "refusal")):
        Call.objects.filter(answer=answer).update(finish_reason=reason)
        assert state_of(answer) == state
    Call.objects.filter(answer=answer).update(finish_reason="stop", text="  ")
    Answer.objects.filter(pk=answer.pk).update(value=" ")
    answer.refresh_from_db()
    assert state_of(answer) == "empty"


def test_no_answer_is_empty_unless_everybody_refused():
    finished = make_finished_run("AF", "AF")
    abstained, failed = finished.answers(finished.panel)
    assert (state_of(abstained), state_of(failed)) == ("empty", "empty")
    Call.objects.filter(answer=failed, seat__lt=2).update(outcome="refused")
    assert state_of(failed) == "empty"
    Call.objects.filter(answer=failed).update(outcome="refused")
    assert state_of(failed) == "refusal"


def test_what_the_arbiter_wrote_is_the_text(finished):
    answer = finished.answers(finished.panel)[0]
    model = finished.models[0]
    Answer.objects.filter(pk=answer.pk).update(text="Both say A.", winner_seat=None)
    Call.objects.create(
        answer=answer,
        model=model,
        role="arbiter",
        stage=1,
        seat=0,
        outcome="ok",
        finish_reason="length",
        created_at=NOW,
    )
    answer.refresh_from_db()
    frozen = frozen_answers([answer])[answer.pk]
    assert (frozen.text, frozen.state) == ("Both say A.", "truncated")


# Names


def test_a_text_that_names_a_model_is_flagged(finished):
    name = finished.models[0].name
    Call.objects.filter(answer=finished.answers(finished.panel)[0]).update(text=f"As {name.upper()}, I say A")
    session = create(finished, calibration_count=0, gold_share=0.0, size=20)
    flagged = ReviewItem.objects.exclude(names_found=[])
    assert [(item.example.position, item.names_found) for item in flagged] == [(0, [name])]
    assert session.items.count() == 20


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I am GPT 4o, made by OpenAI.", ["gpt-4o", "openai"]),
        ("I am gpt-4o-mini.", ["gpt-4o"]),
        ("An affair of hearts, openaiish.", []),
        ("4o gpt", []),
        ("", []),
    ],
)
def test_names_are_found_token_by_token(text, found):
    assert NameFinder(["gpt-4o", "openai", "fair", "--"]).names_in(text) == found


def test_names_are_those_of_the_inventory(finished):
    names = inventory_names()
    model, panel = finished.models[0], finished.panel.panel_version.panel
    assert {model.name, model.provider.name, model.provider.slug, panel.name, panel.slug} <= set(names)


# States of a session, and its people


def test_a_session_is_opened_paused_opened_and_closed(finished):
    session = create(finished)
    with pytest.raises(WrongState, match="draft"):
        pause_review_session(session=session)
    assert start_review_session(session=session, now=NOW).opened_at == NOW
    with pytest.raises(WrongState):
        start_review_session(session=session, now=NOW)
    assert pause_review_session(session=session).state == "paused"
    assert start_review_session(session=session, now=NOW).state == "open"
    closed = close_review_session(session=session, now=NOW)
    assert (closed.state, closed.closed_at) == ("closed", NOW)
    for act in (
        lambda: start_review_session(session=session, now=NOW),
        lambda: close_review_session(session=session, now=NOW),
    ):
        with pytest.raises(WrongState, match="closed"):
            act()


def test_whoever_is_named_gets_calibration_first(finished):
    session = start_review_session(session=create(finished), now=NOW)
    person = session.assignments.first().person
    kinds = [slot.item.kind for slot in claim_slots(session=session, person=person, now=NOW, wanted=3)]
    assert kinds[:2] == ["calibration", "calibration"]
    assert ReviewSlot.objects.filter(person=person, personal=True).count() >= 2


def test_an_open_queue_is_joined_once_and_a_closed_one_not_at_all(finished):
    session = create(finished, open_queue=True, reviewers=())
    person = make_person("reviewer")
    first = join_session(session=session, person=person, now=NOW)
    assert join_session(session=session, person=person, now=NOW) == first
    named = create(finished, title="Named")
    with pytest.raises(NotAssigned):
        join_session(session=named, person=person, now=NOW)


def test_a_person_has_one_part(finished):
    session = create(finished)
    person = session.assignments.first().person
    assign_person(session=session, person=person, role="adjudicator", now=NOW)
    assert session.assignments.count() == 2
    assert session.assignments.get(person=person).role == "adjudicator"


@pytest.mark.parametrize(
    ("asked", "shows_evidence", "shown"),
    [
        ("The note.\n\nWhich?", True, "Which?"),
        ("The note.\n\nWhich?", False, "The note.\n\nWhich?"),
        ("The note.", True, "The note."),
    ],
)
def test_evidence_in_a_question_stands_once_on_the_page(asked, shows_evidence, shown, finished):
    Example.objects.update(prompt=json.dumps([{"role": "user", "content": asked}]), context="The note.")
    session = create(finished, shows_evidence=shows_evidence)
    assert set(session.items.values_list("question", flat=True)) == {shown}
