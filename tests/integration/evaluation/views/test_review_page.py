from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client

from evaluation.models import Arm, ReviewAssignment, ReviewItem, ReviewSession, ReviewSlot, ReviewVote, Run
from tests.factories import NOW, make_dataset_version, make_experiment, make_model, make_panel_version, make_provider
from tests.factories import make_run as make_any_run
from tests.review_factories import make_person, make_queue, make_review_item, make_review_session

pytestmark = pytest.mark.django_db
SCRIPT = {"Accept": "application/json"}
ALL_SUPPORTED = {"facts_a": 1, "facts_b": 1, "preference": 3}


@pytest.fixture
def person() -> User:
    return make_person("reviewer")


@pytest.fixture
def reviewer(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def make_part(person: User, **fields: Any) -> ReviewSession:
    session = make_review_session(**fields)
    ReviewAssignment.objects.create(session=session, person=person, created_at=NOW)
    return session


@pytest.fixture
def session(person: User) -> ReviewSession:
    session = make_part(person)
    make_queue(session, items=4, slots=1)
    return session


def soup(response: Any) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


def token_of(response: Any) -> str:
    return str(soup(response).select_one("[data-item]")["data-token"])


def open_page(client: Client, session: ReviewSession) -> str:
    """The token of the item on the screen."""
    return token_of(client.get(f"/review/{session.pk}/"))


def ask(client: Client, session: ReviewSession, what: str, **data: Any) -> Any:
    return client.post(f"/review/{session.pk}/{what}/", data, headers=SCRIPT)


def vote(client: Client, session: ReviewSession, token: str, **answers: Any) -> Any:
    return ask(client, session, "votes", token=token, **(ALL_SUPPORTED | answers))


# Blindness. Names and numbers that occur nowhere by chance.

SECRETS = {
    "provider": "zebrahost",
    "model": "zebra-9b-instruct",
    "panel": "Zebra committee",
    "arm": "Zebra arm",
    "baseline": "Quagga arm",
    "title": "Zebra against quagga",
    "workflow target": "731731",
    "run": "7310001",
    "first arm": "7310002",
    "second arm": "7310003",
    "item": "7310004",
    "example": "zebra-item-17",
    "answer": "7310005",
    "price": "73173",
    "latency": "7317.5",
    "seed": "5e5e5e",
    "stratum": "zebra stratum",
}


def make_telltale(person: User) -> ReviewSession:
    """A session of which everything but the texts would tell a reviewer what they look at."""
    provider = make_provider(slug=SECRETS["provider"], name=SECRETS["provider"])
    model = make_model(provider=provider, name=SECRETS["model"], price=(73173, 73173))
    panel = make_panel_version([[model]])
    panel.panel.__class__.objects.filter(pk=panel.panel.pk).update(name=SECRETS["panel"])
    experiment = make_experiment([panel, panel], version=make_dataset_version(examples=4), title=SECRETS["title"])
    run = make_any_run(experiment, pk=7310001, state=Run.State.FINISHED, finished_at=NOW)
    arms = [
        Arm.objects.create(pk=7310002, experiment=experiment, position=7, name=SECRETS["arm"], panel_version=panel),
        Arm.objects.create(
            pk=7310003, experiment=experiment, position=8, name=SECRETS["baseline"], panel_version=panel
        ),
    ]
    session = make_part(
        person, title=SECRETS["title"], run=run, first_arm=arms[0], second_arm=arms[1], strata_field="group"
    )
    make_review_item(
        session, slots=1, pk=7310004, name=SECRETS["example"], stratum=SECRETS["stratum"], names_found=["zebra"]
    )
    make_queue(session, items=3, slots=1)
    return session


def every_answer(client: Client, session: ReviewSession) -> Iterator[tuple[str, Any]]:
    """Whatever page, fragment and refusal a reviewer can come by."""
    yield "list", client.get("/review/")
    yield "count", client.get("/review/waiting/")
    page = client.get(f"/review/{session.pk}/")
    yield "page", page
    token = token_of(page)
    following = ask(client, session, "next", holding=token)
    yield "next", following
    yield "heartbeat", ask(client, session, "heartbeat", holding=token)
    yield "incomplete", ask(client, session, "votes", token=token, facts_a=1)
    yield "vote", vote(client, session, token, note="fine", flagged="true")
    yield "again", vote(client, session, token, facts_a=2)
    yield "revision", vote(client, session, token, facts_a=2, revision=2)
    yield "skip", ask(client, session, "skip", token=token_of(following), reason="unclear")
    yield "undo", ask(client, session, "undo")
    yield "reveal", ask(client, session, "reveal", holding=token)
    yield "pause", ask(client, session, "pause")
    yield "done", client.get(f"/review/{session.pk}/done/")


def test_no_answer_of_the_page_tells_the_arms_apart(reviewer, person):
    session = make_telltale(person)
    read = 0
    for name, response in every_answer(reviewer, session):
        assert response.status_code < 500, name
        said = response.content.decode() + json.dumps(dict(response.headers)) + str(response.cookies)
        found = {secret for secret, words in SECRETS.items() if words.casefold() in said.casefold()}
        assert found == set(), name
        read += 1
    assert read == 14


def test_a_gold_item_looks_like_any_other(reviewer, person):
    plain, gold = make_part(person), make_part(person, gold_share=0.5)
    make_review_item(plain, slots=1, position=0)
    make_review_item(gold, position=0, kind="gold", expected={"first": [1]})
    ReviewSlot.objects.create(
        session=gold, item=ReviewItem.objects.get(session=gold), number=0, position=0, personal=True, state="leased",
        person=person, lease_token="5a5a5a5a-5a5a-4a5a-8a5a-5a5a5a5a5a5a", lease_until=NOW + timedelta(days=9999),
    )  # fmt: skip

    def skeleton(session: ReviewSession) -> str:
        item = soup(reviewer.get(f"/review/{session.pk}/")).select_one("[data-item]")
        item["data-token"] = ""
        return " ".join(item.prettify().replace("first", "either").replace("second", "either").split())

    assert skeleton(plain) == skeleton(gold)
    token = open_page(reviewer, gold)
    assert vote(reviewer, gold, token).json() == {"saved": 1, "html": ""}


def test_pages_of_the_arms_are_closed_to_who_only_reviews(reviewer, session):
    for path in ("/experiments/", "/datasets/", "/panels/", "/models/", "/runs/1/", "/answers/1/"):
        assert reviewer.get(path).status_code == 403, path
    assert reviewer.get("/").headers["Location"] == "/review/"
    assert b"/experiments/" not in reviewer.get("/review/").content


# Items and votes


def test_the_page_shows_an_item_with_both_answers(reviewer, session):
    page = soup(reviewer.get(f"/review/{session.pk}/"))
    assert page.h1.get_text() == "Question 0?"
    assert {pane.select_one(".prose").get_text().strip() for pane in page.select("[data-pane]")} == {
        "First 0.",
        "Second 0.",
    }
    assert [legend.get_text().split(" keys")[0] for legend in page.select("legend")] == [
        "Facts in A", "Facts in B", "Which is better overall?",
    ]  # fmt: skip
    assert not page.select_one("details") or not page.select_one("details").has_attr("open")


def test_a_reload_shows_the_same_item(reviewer, session):
    assert open_page(reviewer, session) == open_page(reviewer, session)


def test_a_vote_is_stored_once_however_often_it_is_sent(reviewer, session):
    token = open_page(reviewer, session)
    chips = json.dumps([{"side": "a", "sentence": 0, "text": "First 0.", "kind": "wrong_detail"}])
    sent = {"facts_a": 3, "unsure": "true", "flagged": "false", "note": "odd", "chips": chips, "seconds": "12.5"}
    for _ in range(2):
        assert vote(reviewer, session, token, **sent).json()["saved"] == 1
    [stored] = ReviewVote.objects.all()
    assert (stored.facts_a, stored.unsure, stored.flagged, stored.note, stored.seconds) == (3, True, False, "odd", 12.5)
    assert stored.chips[0]["kind"] == "wrong_detail"


def test_a_revision_is_a_further_row(reviewer, session):
    token = open_page(reviewer, session)
    vote(reviewer, session, token)
    assert vote(reviewer, session, token, facts_b=4, revision=2).json()["saved"] == 2
    assert list(ReviewVote.objects.order_by("revision").values_list("facts_b", flat=True)) == [1, 4]


def test_a_revision_whose_first_vote_never_arrived_is_the_first(reviewer, session):
    assert vote(reviewer, session, open_page(reviewer, session), revision=2).json()["saved"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "none"},
        {"facts_a": "7"},
        {"facts_a": ""},
        {"preference": ""},
        {"chips": "[1]"},
        {"chips": "{"},
        {"chips": '[{"side": "a", "sentence": 0, "text": "x", "kind": "unheard_of"}]'},
    ],
)
def test_a_vote_that_cannot_be_stored_says_why(wrong, reviewer, session):
    token = open_page(reviewer, session)
    response = ask(reviewer, session, "votes", **(ALL_SUPPORTED | {"token": token} | wrong))
    assert response.status_code == 422
    assert response.json()["problem"]
    assert not ReviewVote.objects.exists()


def test_a_vote_on_somebody_elses_item_is_refused(reviewer, session):
    token = open_page(reviewer, session)
    other = make_person("reviewer")
    ReviewSlot.objects.filter(lease_token=token).update(person=other)
    assert vote(reviewer, session, token).status_code == 409


def test_items_are_fetched_ahead_but_never_all_that_are_left(reviewer, session):
    held = [open_page(reviewer, session)]
    while (response := ask(reviewer, session, "next", holding=held)).status_code == 200:
        held.append(token_of(response))
    assert len(set(held)) == len(held) == 4
    others = make_part(make_person("reviewer"))
    make_queue(others, items=4, slots=1)
    for one in ReviewAssignment.objects.filter(session=session):
        ReviewAssignment.objects.create(session=others, person=one.person, created_at=NOW)
    held = [open_page(reviewer, others)]
    while (response := ask(reviewer, others, "next", holding=held)).status_code == 200:
        held.append(token_of(response))
    assert response.status_code == 202
    assert len(held) == 2


def test_without_items_the_page_leads_to_the_end(reviewer, person):
    session = make_part(person)
    assert reviewer.get(f"/review/{session.pk}/").headers["Location"] == f"/review/{session.pk}/done/"
    assert ask(reviewer, session, "next").status_code == 204


def test_a_paused_session_says_so_and_still_takes_the_vote_at_hand(reviewer, session):
    token = open_page(reviewer, session)
    ReviewSession.objects.update(state="paused")
    assert "paused" in soup(reviewer.get(f"/review/{session.pk}/")).select_one("[data-stage]").get_text()
    assert ask(reviewer, session, "next").status_code == 409
    assert vote(reviewer, session, token).status_code == 200


def test_what_was_fetched_ahead_is_given_back_at_a_pause(reviewer, session):
    token = open_page(reviewer, session)
    ask(reviewer, session, "next", holding=token)
    assert ReviewSlot.objects.filter(state="leased").count() == 2
    ask(reviewer, session, "pause")
    assert [str(slot.lease_token) for slot in ReviewSlot.objects.filter(state="leased")] == [token]


def test_undo_brings_the_item_back_with_its_answers(reviewer, session):
    token = open_page(reviewer, session)
    vote(reviewer, session, token, facts_a=4)
    item = soup(ask(reviewer, session, "undo")).select_one("[data-item]")
    assert item["data-token"] == token
    assert item["data-revision"] == "2"
    assert json.loads(str(item["data-answers"]))["facts_a"] == 4


def test_a_skipped_item_goes_to_somebody_else_and_can_be_taken_back(reviewer, session):
    token = open_page(reviewer, session)
    assert ask(reviewer, session, "skip", token=token, reason="").status_code == 422
    assert ask(reviewer, session, "skip", token=token, reason="language").status_code == 200
    assert ReviewSlot.objects.get(lease_token=token).skip_reason == "language"
    assert token_of(ask(reviewer, session, "undo")) == token


def test_a_calibration_item_teaches_and_waits(reviewer, person):
    session = make_part(person, calibration_count=1)
    make_review_item(session, kind="calibration", position=0, expected={"first": [1], "second": [3]})
    page = reviewer.get(f"/review/{session.pk}/")
    assert soup(page).select_one("[data-item]").has_attr("data-waits")
    html = vote(reviewer, session, token_of(page)).json()["html"]
    assert "Major error" in html


def test_the_reveal_comes_only_after_the_vote_and_only_where_allowed(reviewer, person, session):
    token = open_page(reviewer, session)
    assert ask(reviewer, session, "reveal", holding=token).status_code == 409
    vote(reviewer, session, token)
    assert ask(reviewer, session, "reveal", holding=token).status_code == 409
    ReviewSession.objects.update(reveals=True)
    assert "What stood where" in ask(reviewer, session, "reveal", holding=token).content.decode()
    assert vote(reviewer, session, token, facts_a=2, revision=2).status_code == 409
    assert vote(reviewer, session, token, facts_a=2, revision=2, revealed="true").json()["saved"] == 2
    assert list(ReviewVote.objects.order_by("revision").values_list("phase", "facts_a")) == [
        ("first", 1),
        ("revealed", 2),
    ]


def test_the_page_works_without_its_script(reviewer, session):
    token = open_page(reviewer, session)
    response = reviewer.post(f"/review/{session.pk}/votes/", ALL_SUPPORTED | {"token": token})
    assert response.headers["Location"] == f"/review/{session.pk}/"
    assert open_page(reviewer, session) != token
    response = reviewer.post(f"/review/{session.pk}/votes/", {"token": open_page(reviewer, session)}, follow=True)
    assert "Rate the facts in A" in soup(response).select_one("[data-notes]").get_text()
    assert token_of(reviewer.post(f"/review/{session.pk}/undo/")) == token


def test_a_session_of_others_does_not_exist(session):
    client = Client()
    client.force_login(make_person("reviewer"))
    assert client.get(f"/review/{session.pk}/").status_code == 404
    assert ask(client, session, "votes").status_code == 404
    assert client.get("/review/waiting/").json() == {"waiting": 0}


def test_the_count_is_of_what_is_left(reviewer, session):
    assert reviewer.get("/review/waiting/").json() == {"waiting": 4}
    vote(reviewer, session, open_page(reviewer, session))
    assert reviewer.get("/review/waiting/").json() == {"waiting": 3}


def test_an_open_queue_is_joined_by_its_first_visit(person, reviewer):
    session = make_review_session(open_queue=True)
    make_queue(session, items=1, slots=1)
    assert open_page(reviewer, session)
    assert ReviewAssignment.objects.get(session=session).person == person


def test_the_end_counts_what_was_done(reviewer, session):
    vote(reviewer, session, open_page(reviewer, session), unsure="true", seconds="30")
    tiles = soup(reviewer.get(f"/review/{session.pk}/done/")).select(".tiles dd")
    assert [tile.find(string=True).strip() for tile in tiles] == ["1 of 4", "30 s", "1", "0"]


def test_an_item_takes_few_queries(reviewer, session, django_assert_max_num_queries):
    token = open_page(reviewer, session)
    with django_assert_max_num_queries(20):
        ask(reviewer, session, "next", holding=token)
    with django_assert_max_num_queries(24):
        vote(reviewer, session, token)
    with django_assert_max_num_queries(18):
        reviewer.get(f"/review/{session.pk}/")


def test_the_end_tells_reviewers_about_themselves(reviewer, person):
    session = make_part(person, calibration_count=4)
    for number in range(4):
        make_review_item(session, kind="calibration", position=number, expected={"first": [1, 2], "second": [3, 4]})
    for _ in range(4):
        vote(reviewer, session, open_page(reviewer, session), preference=1)
    words = [line.get_text() for line in soup(reviewer.get(f"/review/{session.pk}/done/")).select(".kv dd")]
    assert words[0] == "too early"
    assert words[1].startswith("4 of 8 levels")
    assert words[2].startswith("A found better in 100.0 % of 4")
    assert words[3] == "0 of 4 found the same"
