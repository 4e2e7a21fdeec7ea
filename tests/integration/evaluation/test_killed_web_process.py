"""Twenty people rate at once through two web processes, and one of the two gets kill -9 in the middle."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event, Lock

import httpx
import pytest
from bs4 import BeautifulSoup
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from evaluation.models import ReviewSession, ReviewSlot, ReviewVote
from tests.review_factories import make_queue, make_review_session, make_reviewers
from tests.web_processes import WebProcess, web_processes

REVIEWERS, GONE = 20, 4
ITEMS, OVERLAP = 30, 3
KILLED_AFTER = 30
_PATIENCE_S = 60
_SCRIPT = {"Accept": "application/json"}


class Tally:
    """What the reviewers' pages were told; ``is_due`` once so many votes are saved that a process is to die."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.saved: Counter[str] = Counter()
        self.is_due = Event()
        self.failures = 0

    def note_saved(self, token: str) -> None:
        with self._lock:
            self.saved[token] += 1
            if len(self.saved) >= KILLED_AFTER:
                self.is_due.set()

    def note_failure(self) -> None:
        with self._lock:
            self.failures += 1


class Desk:
    """A reviewer's page: a vote at a time, one item ahead, everything sent again until a server answers."""

    def __init__(self, person: User, session: ReviewSession, origins: Sequence[str], tally: Tally) -> None:
        self.person, self.session, self.tally = person, session, tally
        self.origins = list(origins)
        self.chance = random.Random(person.pk)  # a script, not a secret
        self.client = httpx.Client(timeout=_PATIENCE_S, trust_env=False, cookies=_cookies(person))

    def work(self, *, leaves: Event | None = None) -> None:
        """Until nothing is left, or, of somebody who will not come back, until the other process is killed."""
        with self.client:
            token = self._open()
            while token and not (leaves is not None and leaves.is_set()):
                ahead = _token(self._post("next", holding=[token]))
                self._rate(token)
                token = ahead or self._open()

    def _rate(self, token: str) -> None:
        sheet = {
            "facts_a": "1",
            "facts_b": str(self.chance.choice([1, 2])),
            "preference": str(self.chance.randrange(6)),
        }
        for _ in range(self.chance.choice([1, 1, 2])):
            reply = self._post("votes", token=token, **sheet)
            assert reply.status_code == 200, reply.text
            self.tally.note_saved(token)

    def _open(self) -> str:
        """The item on the screen; blank where nothing is left for this person."""
        reply = self._send("GET", "", {})
        if reply.status_code == 302:
            return ""
        self.client.headers["X-CSRFToken"] = _read(reply, "[data-review]", "data-csrf")
        return _token(reply)

    def _post(self, what: str, **data: object) -> httpx.Response:
        return self._send("POST", f"{what}/", data)

    def _send(self, method: str, what: str, data: dict[str, object]) -> httpx.Response:
        """Through whichever process answers, as behind a load balancer; what a dead one did with it nobody knows."""
        path = f"/review/{self.session.pk}/{what}"
        for origin in self.chance.sample(self.origins, len(self.origins)):
            try:
                reply = self.client.request(method, origin + path, data=data or None, headers=_SCRIPT)
            except httpx.TransportError:
                self.tally.note_failure()
            else:
                assert reply.status_code < 500, reply.text
                return reply
        raise AssertionError("no process answers any more")


def _token(reply: httpx.Response) -> str:
    """Of the item in a page or fragment; blank where there is none."""
    return _read(reply, "[data-item]", "data-token")


def _read(reply: httpx.Response, selector: str, name: str) -> str:
    found = BeautifulSoup(reply.text, "html.parser").select_one(selector)
    return "" if found is None else str(found[name])


def _cookies(person: User) -> dict[str, str]:
    client = Client()
    client.force_login(person)
    return {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_votes_are_exact_though_a_web_process_gets_kill_9(tmp_path: Path) -> None:
    session = make_review_session()
    make_queue(session, items=ITEMS, slots=OVERLAP)
    people = make_reviewers(session, REVIEWERS)
    tally = Tally()
    with web_processes(tmp_path, 2) as (doomed, living):
        wait_until_up([doomed, living])
        origins = [doomed.origin, living.origin]
        desks = [Desk(person, session, origins, tally) for person in people]
        killed = Event()
        leaving = [lambda desk=desk: desk.work(leaves=killed) for desk in desks[:GONE]]
        staying = [desk.work for desk in desks[GONE:]]
        all_at_once([lambda: kill(doomed, tally.is_due, killed), *leaving, *staying])
        votes_before = ReviewVote.objects.count()
        assert_left_behind(session, people[:GONE])
        let_leases_expire(session)
        rest = [Desk(person, session, [living.origin], tally) for person in people[GONE:]]
        all_at_once([desk.work for desk in rest])
        assert living.process.poll() is None, living.log.read_text()
    assert tally.failures > 0
    assert KILLED_AFTER <= votes_before <= ITEMS * OVERLAP
    assert_exact(session, tally)


def wait_until_up(processes: Sequence[WebProcess]) -> None:
    """The sockets listen already: what is asked before they serve waits in the backlog."""
    for web in processes:
        assert httpx.get(f"{web.origin}/healthz", timeout=_PATIENCE_S, trust_env=False).status_code == 200


def kill(doomed: WebProcess, due: Event, killed: Event) -> None:
    assert due.wait(_PATIENCE_S)
    doomed.kill()
    killed.set()


def all_at_once(workers: Sequence[Callable[[], None]]) -> None:
    barrier = Barrier(len(workers))

    def run(worker: Callable[[], None]) -> None:
        barrier.wait(_PATIENCE_S)
        worker()

    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(run, workers))


def assert_left_behind(session: ReviewSession, gone: Sequence[User]) -> None:
    """Each of those who left holds what was on the screen and what was fetched ahead, and nobody else anything."""
    held = Counter(ReviewSlot.objects.filter(session=session, state="leased").values_list("person", flat=True))
    assert set(held) <= {person.pk for person in gone}
    assert sum(held.values()) > 0


def let_leases_expire(session: ReviewSession) -> None:
    """Instead of waiting for a quarter of an hour."""
    ReviewSlot.objects.filter(session=session, state="leased").update(lease_until=timezone.now())


def assert_exact(session: ReviewSession, tally: Tally) -> None:
    slots = ReviewSlot.objects.filter(session=session)
    assert dict(Counter(slots.values_list("state", flat=True))) == {"done": ITEMS * OVERLAP}
    per_item = Counter(slots.values_list("item", flat=True))
    assert len(per_item) == ITEMS
    assert set(per_item.values()) == {OVERLAP}
    # None doubled: a slot has one vote, however often it was sent; nobody had an item twice.
    votes = Counter(ReviewVote.objects.values_list("slot", flat=True))
    assert votes == Counter(slots.values_list("pk", flat=True))
    assert len(set(slots.values_list("item", "person"))) == ITEMS * OVERLAP
    # None lost: whatever a page was told was saved is there, and all that is there some page was told.
    assert set(tally.saved) == {str(token) for token in slots.values_list("lease_token", flat=True)}
