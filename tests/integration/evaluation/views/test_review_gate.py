"""What people who only review can open: every address that there is, tried."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from evaluation.models import ReviewAssignment, ReviewSession
from tests.factories import NOW
from tests.review_factories import make_person, make_queue, make_review_session

pytestmark = pytest.mark.django_db

# Addresses without a session in them that anybody may open.
EVERYBODYS = {"login", "logout", "health", "csp-report"}
# A reviewer's own room; what it shows of a session depends on their part in it.
OWN_LISTS = {"evaluation:reviews", "evaluation:reviews-waiting"}
OWN_PAGES = {"evaluation:review", "evaluation:review-done"}
OWN_ACTS = {f"evaluation:review-{act}" for act in ("next", "votes", "skip", "undo", "reveal", "heartbeat", "pause")}
ADJUDICATORS = {"evaluation:review-settle"}
CLOSED = {403, 404}


def every_route() -> Iterator[tuple[str, str]]:
    """Name and path of each, with numbers and words in place of what it captures."""
    yield from _routes(get_resolver(), "", "")


def _routes(resolver: URLResolver, path: str, space: str) -> Iterator[tuple[str, str]]:
    for entry in resolver.url_patterns:
        here = path + str(entry.pattern)
        if isinstance(entry, URLResolver):
            name = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from _routes(entry, here, name)
        elif isinstance(entry, URLPattern):
            yield f"{space}{entry.name}", here


def filled(path: str, session: ReviewSession) -> str:
    """The path with this session's number in it, and a word where it wants one."""
    numbered = re.sub(r"<(int:|path:)?\w+>", str(session.pk), path.replace("(?P<url>.*)$", "elsewhere"))
    return "/" + re.sub(r"<\w+:\w+>", "votes", numbered)


def logged_in(person: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person)
    return client


def statuses(client: Client, path: str) -> set[int]:
    return {client.get(path).status_code, client.post(path).status_code} - {405}


@pytest.fixture
def others() -> ReviewSession:
    """A session in which the person under test has no part."""
    session = make_review_session(title="Of others")
    make_queue(session, items=2, slots=1)
    ReviewAssignment.objects.create(session=session, person=make_person("reviewer"), created_at=NOW)
    return session


def test_the_walk_finds_the_routes_that_there_are():
    names = {name for name, _ in every_route()}
    assert names >= EVERYBODYS | OWN_LISTS | OWN_PAGES | OWN_ACTS | ADJUDICATORS
    assert {"evaluation:run", "panels:model", "admin:index"} <= names
    assert len(names) > 60


@pytest.mark.parametrize("group", ["reviewer", "adjudicator"])
def test_nothing_is_open_but_the_own_room(group, others):
    client = logged_in(make_person(group))
    opened = {
        name: found
        for name, path in every_route()
        if name not in EVERYBODYS | OWN_LISTS | {"evaluation:overview"}
        and not (found := statuses(client, filled(path, others))) <= CLOSED
    }
    assert opened == {}
    assert client.get("/").headers["Location"] == "/review/"
    assert "Of others" not in client.get("/review/").content.decode()


def test_staff_who_only_review_do_not_get_round_it_by_the_admin():
    client = logged_in(make_person("reviewer", is_staff=True))
    paths = [filled(path, make_review_session()) for name, path in every_route() if name.startswith("admin:")]
    assert len(paths) > 20
    assert {client.get(path).status_code for path in paths} <= CLOSED


def test_a_part_in_a_session_opens_the_page_of_that_part_alone(others):
    reviewer, adjudicator = make_person("reviewer"), make_person("adjudicator")
    for person, role in ((reviewer, "reviewer"), (adjudicator, "adjudicator")):
        ReviewAssignment.objects.create(session=others, person=person, role=role, created_at=NOW)
    assert opened_by(reviewer, others) == OWN_PAGES
    assert opened_by(adjudicator, others) == ADJUDICATORS


def opened_by(person: User, session: ReviewSession) -> set[str]:
    """The pages with a session's number that this person can look at."""
    client = logged_in(person)
    review = ((name, path) for name, path in every_route() if path.startswith("review/<int"))
    return {name for name, path in review if client.get(filled(path, session)).status_code == 200}


def test_an_open_queue_is_open_to_reviewers_while_the_session_is_open():
    session = make_review_session(open_queue=True)
    make_queue(session, items=1, slots=1)
    for group, status in (("viewer", 404), ("product manager", 404), ("reviewer", 200)):
        assert logged_in(make_person(group)).get(f"/review/{session.pk}/").status_code == status, group
    ReviewSession.objects.update(state="draft")
    assert logged_in(make_person("reviewer")).get(f"/review/{session.pk}/").status_code == 404
    assert session.assignments.count() == 1
