from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from evaluation.models import Adjudication, ReviewAssignment, ReviewItem, ReviewSession, ReviewVote, RubricVersion
from tests.factories import NOW
from tests.integration.evaluation.finished_runs import FinishedRun, make_finished_run
from tests.review_factories import (
    make_adjudication,
    make_leased_slot,
    make_person,
    make_queue,
    make_review_item,
    make_review_session,
    make_vote,
)

pytestmark = pytest.mark.django_db
PLANNER = {"HX-Request": "true", "HX-Target": "planner"}
ARMS = {"HX-Request": "true", "HX-Target": "arms"}


def soup(response: Any) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def made() -> FinishedRun:
    return make_finished_run("RWRWRWRW", "RRRWWWRR")


def fields(made: FinishedRun, **changes: Any) -> dict[str, Any]:
    known = {
        "begun": "1",
        "title": "Does the panel read better?",
        "run": made.run.pk,
        "first_arm": made.baseline.pk,
        "second_arm": made.panel.pk,
        "method": "random",
        "size": "4",
        "overlap_percent": "0",
        "overlap_votes": "2",
        "calibration_count": "0",
        "gold_percent": "0",
        "shows_evidence": "on",
        "open_queue": "on",
    }
    return {name: value for name, value in (known | changes).items() if value is not None}


def test_a_session_is_made_as_a_draft(manager, made):
    person = make_person("reviewer")
    response = manager.post("/review/new/", fields(made, reviewers=[person.pk], overlap_percent="0", open_queue=None))
    session = ReviewSession.objects.get()
    assert response.headers["Location"] == f"/review/{session.pk}/session/"
    assert session.state == "draft"
    assert session.items.count() == 4
    assert [part.person for part in session.assignments.all()] == [person]
    assert session.created_by is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": ""}, "required"),
        ({"size": "400"}, "Ask for at most"),
        ({"open_queue": None}, "Name reviewers"),
        ({"method": "stratified"}, "stratify"),
        ({"overlap_percent": "120"}, "100"),
        ({"calibration_count": "50"}, "calibration"),
    ],
)
def test_a_form_that_does_not_fit_says_what_to_do(changes, words, manager, made):
    response = manager.post("/review/new/", fields(made, **changes))
    assert response.status_code == 422
    assert any(words in error.get_text() for error in soup(response).select(".errors"))
    assert not ReviewSession.objects.exists()


def test_both_arms_have_to_differ(manager, made):
    response = manager.post("/review/new/", fields(made, second_arm=made.baseline.pk))
    assert "two different arms" in response.content.decode()


def test_the_arms_offered_are_those_of_the_run(manager, made):
    make_finished_run("R", "R")
    fragment = soup(manager.get("/review/new/", {"begun": "1", "run": made.run.pk}, headers=ARMS))
    assert fragment.select_one("#arms")
    assert not fragment.select_one("header")
    offered = {option["value"] for option in fragment.select("select[name=first_arm] option")}
    assert offered == {"", str(made.baseline.pk), str(made.panel.pk)}


def test_the_planner_says_what_the_session_could_show(manager, made):
    fragment = soup(manager.get("/review/new/", fields(made, size="194"), headers=PLANNER))
    words = " ".join(fragment.get_text().split())
    assert "60.0 %" in words
    assert "194" in words
    assert "2.0 hours" in words
    assert "no date yet" in words
    assert "Choose a run" in soup(manager.get("/review/new/", {"begun": "1"}, headers=PLANNER)).get_text()


def test_the_planner_takes_an_open_queue_at_the_pace_of_whoever_rated_lately(manager, made):
    session = make_review_session()
    for minutes in range(1, 5):
        now = timezone.now() - timedelta(minutes=minutes)
        make_vote(make_review_item(session), seconds=60.0, created_at=now)
    ask = fields(made, size="6", calibration_count="3", gold_percent="5")
    words = " ".join(soup(manager.get("/review/new/", ask, headers=PLANNER)).get_text().split())
    assert "at 60 s an item, these reviewers’ own pace" in words
    assert "each of 4" in words
    assert "no date yet" not in words
    assert "this takes 10 items; the run has 8" in words
    ask.pop("open_queue")
    assert "no date yet" in manager.get("/review/new/", ask, headers=PLANNER).content.decode()


def test_the_form_names_the_rubric_that_the_session_will_keep(manager, made):
    words = soup(manager.get("/review/new/")).select_one("[aria-labelledby=h-rubric]").get_text()
    assert "Facts and preference v1" in words
    assert "4 Harmful" in words
    assert not RubricVersion.objects.exists()


def test_without_a_finished_run_the_form_leads_to_experiments(manager):
    assert "No run has finished yet" in manager.get("/review/new/").content.decode()


def test_only_product_managers_make_and_change_sessions(viewer, made):
    session = make_review_session()
    assert viewer.get("/review/new/").status_code == 403
    for page in ("session", "settle"):
        assert viewer.get(f"/review/{session.pk}/{page}/").status_code == 403
    for act in ("open", "hold", "close", "people"):
        assert viewer.post(f"/review/{session.pk}/{act}/").status_code == 403
    assert viewer.get("/review/").status_code == 200


def test_a_session_is_opened_paused_and_closed(manager):
    session = make_review_session(state="draft")
    for act, state in (("open", "open"), ("hold", "paused"), ("open", "open"), ("close", "closed")):
        manager.post(f"/review/{session.pk}/{act}/")
        session.refresh_from_db()
        assert session.state == state
    page = soup(manager.post(f"/review/{session.pk}/open/", follow=True))
    assert "closed" in page.select_one(".messages").get_text()


def test_the_session_page_shows_people_remarks_and_names(manager):
    session = make_review_session()
    [item, *_] = make_queue(session, items=3, slots=1)
    ReviewItem.objects.filter(pk=item.pk).update(names_found=["gpt-4o"])
    item.slots.all().delete()
    vote = make_vote(item, flagged=True, note="Names its maker")
    assert vote.slot.person is not None
    ReviewAssignment.objects.create(session=session, person=vote.slot.person, created_at=NOW)
    page = soup(manager.get(f"/review/{session.pk}/session/"))
    assert page.select_one(".tiles dd").find(string=True) == "1 of 3"
    assert page.select_one("tbody tr th").get_text() == str(vote.slot.person)
    assert page.select_one("tbody tr td.n").get_text() == "1"
    assert "Names its maker" in page.select_one(".feed").get_text()
    assert "gpt-4o" in page.get_text()


def test_the_session_page_shows_quality_without_names(manager):
    session, person = make_review_session(), make_person("reviewer", username="the-bad-one")
    for _ in range(5):
        item = make_review_item(session, kind="gold", expected={"first": [1], "second": [1]})
        make_vote(slot=make_leased_slot(item, person=person, personal=True), facts_a=4, facts_b=4)
    make_vote(make_review_item(session))
    [quality] = soup(manager.get(f"/review/{session.pk}/session/")).select("[aria-labelledby=h-quality]")
    words = " ".join(quality.get_text().split())
    assert "0.0 % of 10 levels as expected" in words
    assert "1 of 2 reviewers: often misses known answers" in words
    assert "the-bad-one" not in words


def test_somebody_is_added_to_a_session(manager):
    session, person = make_review_session(), make_person("adjudicator")
    manager.post(f"/review/{session.pk}/people/", {"person": person.pk, "role": "adjudicator"})
    assert ReviewAssignment.objects.get().role == "adjudicator"
    assert manager.post(f"/review/{session.pk}/people/", {"person": "0", "role": "x"}).status_code == 422


def test_the_list_counts_votes_and_disputes(manager, django_assert_max_num_queries):
    session = make_review_session(title="Counted")
    [item, *_] = make_queue(session, items=3, slots=2)
    item.slots.all().delete()
    make_vote(item)
    ReviewItem.objects.filter(pk=item.pk).update(dispute=1.0)
    for _ in range(5):
        make_queue(make_review_session(), items=2, slots=1)
    with django_assert_max_num_queries(12):
        page = soup(manager.get("/review/"))
    row = next(row for row in page.select("#rows tbody tr") if "Counted" in row.get_text())
    assert [cell.get_text() for cell in row.select("td.n")][:2] == ["1 of 5", "1"]


def test_the_session_page_takes_few_queries(manager, django_assert_max_num_queries):
    session = make_review_session()
    make_queue(session, items=30, slots=1)
    with django_assert_max_num_queries(24):
        manager.get(f"/review/{session.pk}/session/")


# Disputes


@pytest.fixture
def disputed() -> ReviewItem:
    """The first answer is said to be fine by one and harmful by another; the second is fine."""
    session = make_review_session(title="Panel against baseline")
    item = make_review_item(
        session, dispute=3.0, evidence="Clause 7.", first_text="First text", second_text="Second text"
    )
    make_vote(item, facts_a=1, facts_b=1, preference=2)
    mark = {"side": "b", "sentence": 0, "text": "It is covered.", "kind": "contradicts_evidence"}
    make_vote(item, first_is_a=False, facts_a=1, facts_b=4, preference=2, note="Clause 7 forbids it", chips=[mark])
    return item


def settle(client: Client, item: ReviewItem, **answers: Any) -> Any:
    return client.post(f"/review/{item.session_id}/settle/", {"item": item.pk, **answers})


def first_is_left(page: BeautifulSoup) -> bool:
    return page.select("article .prose")[0].get_text().strip() == "First text"


def test_the_furthest_from_agreement_comes_first(manager, disputed):
    make_review_item(disputed.session, dispute=1.0, question="Hardly disputed?")
    page = soup(manager.get(f"/review/{disputed.session_id}/settle/"))
    assert "Which one?" in page.get_text()
    assert "Clause 7." in page.select_one("details[open]").get_text()
    assert "2 items wait" in " ".join(page.select_one(".meta").get_text().split())


def test_votes_are_shown_for_the_sides_of_this_page(manager, disputed):
    page = soup(manager.get(f"/review/{disputed.session_id}/settle/"))
    rows = [[cell.get_text().strip() for cell in row.select("td")][:3] for row in page.select("tbody tr")]
    marked = " ".join(page.select("tbody tr")[1].select("td")[3].get_text(" ").split())
    side = "Left" if first_is_left(page) else "Right"
    assert marked == f"{side}: “It is covered.” contradicts evidence Clause 7 forbids it"
    if first_is_left(page):
        assert rows == [["All supported", "All supported", "Left a bit"], ["Harmful", "All supported", "Right a bit"]]
    else:
        assert rows == [["All supported", "All supported", "Right a bit"], ["All supported", "Harmful", "Left a bit"]]


def test_what_is_settled_counts_for_the_arms(manager, disputed):
    is_left = first_is_left(soup(manager.get(f"/review/{disputed.session_id}/settle/")))
    levels = {"first_facts": "4", "second_facts": "1"} if is_left else {"first_facts": "1", "second_facts": "4"}
    response = settle(manager, disputed, **levels, preference="5" if is_left else "1", reason="Clause 7")
    assert response.status_code == 302
    settled = Adjudication.objects.get()
    assert (settled.first_facts, settled.second_facts, settled.preference) == (4, 1, 5)
    assert "Nothing waits for you" in manager.get(f"/review/{disputed.session_id}/settle/").content.decode()
    assert settle(manager, disputed, reason="again").status_code == 302
    assert Adjudication.objects.count() == 1


def test_an_incomplete_decision_is_refused(manager, disputed):
    response = settle(manager, disputed, first_facts="1", reason="")
    assert response.status_code == 422
    response = settle(manager, disputed, first_facts="1", reason="because")
    assert response.status_code == 422
    [wrong] = soup(response).select("fieldset[aria-invalid]")
    assert wrong.legend.get_text() == "Facts in the right answer"


def test_nobody_settles_an_item_of_their_own_vote(disputed):
    person = disputed.slots.first().person
    person.groups.clear()
    ReviewAssignment.objects.create(session=disputed.session, person=person, role="adjudicator", created_at=NOW)
    page = client_of(person).get(f"/review/{disputed.session_id}/settle/")
    assert "Nothing waits for you" in page.content.decode()


def test_an_adjudicator_sees_no_arm(disputed):
    person = make_person("adjudicator")
    ReviewAssignment.objects.create(session=disputed.session, person=person, role="adjudicator", created_at=NOW)
    client = client_of(person)
    page = client.get(f"/review/{disputed.session_id}/settle/").content.decode()
    assert disputed.session.title not in page
    assert disputed.session.seed not in page
    assert client.get(f"/review/{disputed.session_id}/session/").status_code == 403
    assert client.get("/review/").status_code == 200


# Results


def test_the_results_name_their_denominators(manager, disputed):
    page = soup(manager.get(f"/review/{disputed.session_id}/results/"))
    assert page.select_one(".verdict").get_text().strip() == "Label 194 more (150 minutes)"
    [first, second] = page.select("#main section table")[0].select("tbody tr")
    assert "no data" in first.select_one("td").get_text()
    assert "n 1" in second.select_one("td").get_text()
    assert "Two reviewers agree on" in page.get_text()
    assert "Which one?" in page.select("table")[-1].get_text()


def test_a_side_that_wins_too_often_is_an_alarm(manager):
    session = make_review_session()
    for number in range(20):
        make_vote(make_review_item(session), preference=1, first_is_a=bool(number % 2))
    words = soup(manager.get(f"/review/{session.pk}/results/")).select_one("#main").get_text()
    assert "A was found better in 100.0 % of 20 votes" in words
    assert "More than chance: ask the reviewers" in words


def test_without_a_vote_there_is_no_result(manager):
    session = make_review_session()
    assert "Nobody has rated an item yet" in manager.get(f"/review/{session.pk}/results/").content.decode()
    assert "Results" not in soup(manager.get(f"/review/{session.pk}/session/")).select_one(".actions").get_text()


def test_results_are_closed_to_everybody_but_the_owner(viewer, disputed):
    assert viewer.get(f"/review/{disputed.session_id}/results/").status_code == 403
    assert client_of(disputed.slots.first().person).get(f"/review/{disputed.session_id}/results/").status_code == 403


def lines(response: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.getvalue().decode().splitlines()]


def test_votes_are_exported_in_terms_of_the_arms(manager, disputed):
    rows = lines(manager.get(f"/review/{disputed.session_id}/export/votes.jsonl"))
    assert [(row["facts_first"], row["facts_second"], row["preference"]) for row in rows] == [(1, 1, 2), (4, 1, 4)]
    assert [row["counts"] for row in rows] == [True, True]
    assert rows[1]["note"] == "Clause 7 forbids it"
    text = manager.get(f"/review/{disputed.session_id}/export/votes.csv").getvalue().decode()
    assert text.splitlines()[0].startswith("item,kind,reviewer,revision")


def test_marks_slots_items_and_the_rubric_are_exported(manager, disputed):
    ReviewVote.objects.filter(first_is_a=False).update(
        chips=[{"side": "b", "sentence": 0, "text": "Fine.", "kind": "outdated"}]
    )
    session = disputed.session
    session.rubric.questions = [{"key": "facts", "title": "Facts", "levels": [{"value": 1, "label": "Fine"}]}]
    session.rubric.save()
    base = f"/review/{session.pk}/export"
    [mark] = lines(manager.get(f"{base}/marks.jsonl"))
    assert (mark["arm"], mark["error"]) == ("first", "outdated")
    assert [slot["state"] for slot in lines(manager.get(f"{base}/slots.jsonl"))] == ["done", "done"]
    assert lines(manager.get(f"{base}/items.jsonl"))[0]["first_text"] == "First text"
    assert lines(manager.get(f"{base}/rubric.jsonl"))[0]["label"] == "Fine"
    assert manager.get(f"{base}/secrets.csv").status_code == 404
    assert manager.get(f"{base}/votes.xml").status_code == 404


def test_what_was_settled_is_exported(manager, disputed):
    make_adjudication(disputed, first_facts=4, second_facts=1, preference=5, reason="Clause 7")
    [row] = lines(manager.get(f"/review/{disputed.session_id}/export/settled.jsonl"))
    assert (row["facts_first"], row["facts_second"], row["preference"], row["reason"]) == (4, 1, 5, "Clause 7")


def test_exports_are_the_owners(viewer, disputed):
    assert viewer.get(f"/review/{disputed.session_id}/export/votes.csv").status_code == 403
