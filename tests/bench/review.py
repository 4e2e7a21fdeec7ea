"""How long the server takes to hand out the next item and to save a vote: 10,000 items, 20 reviewers.

At most 50 ms at P95 are required of both. A quarter of the items wants two votes, 5 % gold items come in between, and
half of all votes is given already, so that every claim has a past to look at. Texts are of 120 and 180 words.

Reviewers first come one after the other, then all at once, each in a thread with a vote every five seconds: three times
as fast as people are. On a machine that does other work, the time of the processor is the figure to trust.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from time import perf_counter, sleep, thread_time
from typing import Any
from uuid import uuid4

from bs4 import BeautifulSoup
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evaluation.models import ReviewAssignment, ReviewItem, ReviewSession, ReviewSlot, ReviewVote
from evaluation.services.rubrics import standard_rubric
from tests.bench.figures import percentile, report
from tests.bench.synthetic import prose

ITEMS, REVIEWERS = 10_000, 20
GOLD = 200
TURNS_ALONE, TURNS_AT_ONCE = 15, 6
PACE_S = 5.0
AHEAD = 3
_ROWS_AT_ONCE = 500
_SCRIPT = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: seconds on the clock, seconds of the processor."""

    seconds: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Every request of a kind."""

    page: list[Asked] = field(default_factory=list)
    next: list[Asked] = field(default_factory=list)
    save: list[Asked] = field(default_factory=list)


def main(folder: Path) -> None:
    del folder  # the database is all it needs
    session = make_session()
    people = make_people(session)
    give_half(session, people)
    reviewers = [Reviewer(session, person) for person in people]
    _report("review, one at a time", work_in_turn(reviewers))
    _report("review, 20 at once", work_at_once(reviewers))


def _report(name: str, timed: Timed) -> None:
    for what, asked in (("next", timed.next), ("save", timed.save), ("page", timed.page)):
        middle, slow = (percentile([each.seconds for each in asked], share) * 1000 for share in (0.5, 0.95))
        used = percentile([each.cpu_s for each in asked], 0.95) * 1000
        figures = f"P50 {middle:.0f} ms, P95 {slow:.0f} ms, of the processor P95 {used:.0f} ms"
        report(f"{name}, {what}", figures, f"n {len(asked):,}")


def make_session() -> ReviewSession:
    """Open, of an imported pair file: for the page it is all the same where the texts came from."""
    now = timezone.now()
    session = ReviewSession.objects.create(
        title="Ten thousand", state=ReviewSession.State.OPEN, method=ReviewSession.Method.IMPORTED, seed="5e" * 32,
        rubric=standard_rubric(now=now), calibration_count=0, gold_share=0.05, created_at=now,
    )  # fmt: skip
    items = ReviewItem.objects.bulk_create(_items(session), batch_size=_ROWS_AT_ONCE)
    ReviewSlot.objects.bulk_create(
        (
            ReviewSlot(session=session, item=item, number=number, position=item.position)
            for item in items
            for number in range(item.wanted)
        ),
        batch_size=_ROWS_AT_ONCE,
    )
    return session


def _items(session: ReviewSession) -> Iterator[ReviewItem]:
    chance = random.Random(7)
    for position in range(GOLD + ITEMS):
        is_gold = position < GOLD
        yield ReviewItem(
            session=session,
            position=position,
            kind=ReviewItem.Kind.GOLD if is_gold else ReviewItem.Kind.REGULAR,
            question=prose(chance, 25),
            evidence=prose(chance, 150),
            first_text=prose(chance, 120),
            second_text=prose(chance, 180),
            expected={"first": [1]} if is_gold else None,
            wanted=0 if is_gold else 2 if position % 4 == 0 else 1,
        )


def make_people(session: ReviewSession) -> list[User]:
    now = timezone.now()
    people = [User.objects.create_user(f"reviewer-{number}") for number in range(REVIEWERS)]
    for person in people:
        person.groups.add(Group.objects.get(name="reviewer"))
        ReviewAssignment.objects.create(session=session, person=person, created_at=now)
    return people


def give_half(session: ReviewSession, people: Sequence[User]) -> None:
    """The votes of the first half of the items, two of one item never by one person."""
    now = timezone.now()
    slots = list(
        ReviewSlot.objects.filter(session=session, position__lt=GOLD + ITEMS // 2).order_by("position", "number")
    )
    for place, slot in enumerate(slots):
        slot.state, slot.person, slot.lease_token = ReviewSlot.State.DONE, people[place % REVIEWERS], uuid4()
        slot.acted_at = now - timedelta(seconds=len(slots) - place)
    ReviewSlot.objects.bulk_update(slots, ["state", "person", "lease_token", "acted_at"], batch_size=_ROWS_AT_ONCE)
    ReviewVote.objects.bulk_create(
        (
            ReviewVote(
                slot=slot, revision=1, first_is_a=True, facts_a=1, facts_b=2, preference=2, seconds=17, created_at=now
            )
            for slot in slots
        ),
        batch_size=_ROWS_AT_ONCE,
    )


class Reviewer:
    """Does what the page does: an item on the screen, some ahead, each vote saved and then one more fetched."""

    def __init__(self, session: ReviewSession, person: User) -> None:
        self.client = Client(SERVER_NAME="localhost")
        self.client.force_login(person)
        self.pk = session.pk
        self.chance = random.Random(person.pk)
        self.held: list[str] = []

    def begin(self, timed: Timed) -> None:
        response = _clocked(timed.page, lambda: self.client.get(reverse("evaluation:review", args=[self.pk])))
        self.held = [_token(response)]
        for _ in range(AHEAD):
            self._fetch(timed)

    def take_turn(self, timed: Timed) -> None:
        sheet = {
            "token": self.held.pop(0),
            "facts_a": self.chance.choice([1, 1, 2, 3]),
            "facts_b": self.chance.choice([1, 2, 4]),
            "preference": self.chance.randrange(6),
            "seconds": "17",
        }
        response = _clocked(timed.save, lambda: self._post("votes", sheet))
        if response.status_code != 200:
            raise SystemExit(f"A vote was answered with status {response.status_code}: {response.content!r}")
        self._fetch(timed)

    def _fetch(self, timed: Timed) -> None:
        response = _clocked(timed.next, lambda: self._post("next", {"holding": self.held}))
        if response.status_code != 200:
            raise SystemExit(f"The next item was answered with status {response.status_code}.")
        self.held.append(_token(response))

    def _post(self, what: str, data: dict[str, Any]) -> Any:
        return self.client.post(reverse(f"evaluation:review-{what}", args=[self.pk]), data, headers=_SCRIPT)


def _clocked(asked: list[Asked], ask: Callable[[], Any]) -> Any:
    started, used = perf_counter(), thread_time()
    response = ask()
    asked.append(Asked(seconds=perf_counter() - started, cpu_s=thread_time() - used))
    return response


def _token(response: Any) -> str:
    item = BeautifulSoup(response.content, "html.parser").select_one("[data-item]")
    if item is None:
        raise SystemExit("A page came without an item.")
    return str(item["data-token"])


def work_in_turn(reviewers: Sequence[Reviewer]) -> Timed:
    timed = Timed()
    for reviewer in reviewers:
        reviewer.begin(Timed() if reviewer is reviewers[0] else timed)  # the first one warms up
    for _ in range(TURNS_ALONE):
        for reviewer in reviewers:
            reviewer.take_turn(timed)
    return timed


def work_at_once(reviewers: Sequence[Reviewer]) -> Timed:
    barrier = Barrier(len(reviewers))
    with ThreadPoolExecutor(len(reviewers)) as pool:
        parts = list(pool.map(lambda reviewer: _work_paced(reviewer, barrier), reviewers))
    return Timed(
        page=[each for part in parts for each in part.page],
        next=[each for part in parts for each in part.next],
        save=[each for part in parts for each in part.save],
    )


def _work_paced(reviewer: Reviewer, barrier: Barrier) -> Timed:
    timed = Timed()
    barrier.wait()
    try:
        sleep(reviewer.chance.random() * PACE_S)
        reviewer.begin(timed)
        for _ in range(TURNS_AT_ONCE):
            started = perf_counter()
            reviewer.take_turn(timed)
            sleep(max(0.0, PACE_S * (0.5 + reviewer.chance.random()) - (perf_counter() - started)))
    finally:
        connection.close()
    return timed
