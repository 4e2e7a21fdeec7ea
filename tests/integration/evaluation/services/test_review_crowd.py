"""Twenty reviewers at once, one process killed in the middle: every item gets its votes, once each."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from evaluation.models import ReviewItem, ReviewSession, ReviewSlot, ReviewVote
from evaluation.services.review_rounds import item_judgements
from evaluation.services.review_sheets import Sheet
from evaluation.services.review_slots import LEASE, LeaseLost, claim_slots, release_slot
from evaluation.services.review_votes import skip_slot, submit_vote
from evaluation.stats.review_levels import votes_wanted
from tests.factories import NOW
from tests.integration.evaluation.services.review_sheets import fine
from tests.review_factories import make_queue, make_review_item, make_review_session, make_reviewers

pytestmark = pytest.mark.django_db(transaction=True)

REVIEWERS, KILLED, ITEMS = 20, 7, 30
LATER = NOW + LEASE + timedelta(seconds=1)


class Killed(BaseException):
    """Stands for the end of the process: nothing that would tidy up may run."""


def sheet_of(chance: random.Random) -> Sheet:
    return fine(facts_a=chance.choice([1, 1, 2, 3, 5]), facts_b=chance.choice([1, 2, 4]), unsure=chance.random() < 0.1)


class Reviewer:
    """Works as the page does: fetches ahead, sends some votes twice, skips now and then."""

    def __init__(self, session: ReviewSession, person: User, *, dies_after: int | None = None) -> None:
        self.session, self.person = session, person
        self.chance = random.Random(person.pk)  # a script, not a secret
        self.dies_after = dies_after
        self.saved: list[int] = []  # votes that the server said it has

    def work(self, now: datetime = NOW) -> None:
        while slots := claim_slots(session=self.session, person=self.person, now=now, wanted=2):
            self._deal_with(slots[0], now)

    def _deal_with(self, slot: ReviewSlot, now: datetime) -> None:
        if self.chance.random() < 0.05:
            skip_slot(token=slot.token, person=self.person, reason="unclear", now=now)
            return
        sheet = sheet_of(self.chance)
        for _ in range(self.chance.choice([1, 1, 2])):
            self.saved.append(self._send(slot, sheet, now))

    def _send(self, slot: ReviewSlot, sheet: Sheet, now: datetime) -> int:
        with transaction.atomic():
            vote = submit_vote(token=slot.token, person=self.person, sheet=sheet, now=now)
            if self.dies_after is not None and len(self.saved) >= self.dies_after:
                raise Killed
        return vote.pk


def all_at_once(workers: Sequence[Callable[[], None]]) -> None:
    barrier = Barrier(len(workers))

    def run(worker: Callable[[], None]) -> None:
        try:
            barrier.wait(timeout=30)
            worker()
        except Killed:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(run, workers))


def drain(reviewers: Sequence[Reviewer], now: datetime) -> None:
    """One after the other, until nobody gets anything."""
    for reviewer in [*reviewers, *reviewers]:
        reviewer.work(now)


def assert_exact(session: ReviewSession, reviewers: Sequence[Reviewer]) -> None:
    slots = ReviewSlot.objects.filter(session=session)
    assert not slots.filter(state__in=["open", "leased"]).exists()
    assert not ReviewVote.objects.exclude(revision=1).exists()
    done = Counter(slots.filter(state="done").values_list("item", flat=True))
    for item in ReviewItem.objects.filter(session=session, kind="regular"):
        assert done[item.pk] == votes_wanted(item.wanted, item_judgements(item.pk)), item
    assert slots.filter(state="done").count() == ReviewVote.objects.count()
    pairs = list(slots.values_list("item", "person"))
    assert len(pairs) == len(set(pairs))
    saved = {pk for reviewer in reviewers for pk in reviewer.saved}
    assert saved <= set(ReviewVote.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("wanted", [3, 2])
def test_every_item_gets_exactly_its_votes_though_a_process_dies(wanted):
    session = make_review_session()
    make_queue(session, items=ITEMS, slots=wanted)
    people = make_reviewers(session, REVIEWERS)
    doomed = [Reviewer(session, person, dies_after=number % 3) for number, person in enumerate(people[:KILLED])]
    living = [Reviewer(session, person) for person in people[KILLED:]]
    for person in people[:KILLED]:
        claim_slots(session=session, person=person, now=NOW, wanted=2)  # that all of them have something to lose
    all_at_once([reviewer.work for reviewer in [*doomed, *living]])
    left_behind = ReviewSlot.objects.filter(session=session, state="leased", person__in=people[:KILLED])
    assert left_behind.exists()
    again = [Reviewer(session, reviewer.person) for reviewer in doomed]
    all_at_once([partial(reviewer.work, LATER) for reviewer in [*again, *living]])
    drain([*again, *living], LATER + LEASE)
    assert_exact(session, [*doomed, *living, *again])


def test_two_windows_of_one_reviewer_never_get_an_item_twice():
    session = make_review_session()
    make_queue(session, items=12, slots=2)
    (person,) = make_reviewers(session)

    def work() -> None:
        while slots := claim_slots(session=session, person=person, now=NOW, wanted=2):
            try:
                submit_vote(token=slots[0].token, person=person, sheet=fine(), now=NOW)
            except LeaseLost:
                continue

    all_at_once([work] * 4)
    assert ReviewVote.objects.count() == 12
    assert set(Counter(ReviewSlot.objects.filter(person=person).values_list("item", flat=True)).values()) == {1}


def test_one_vote_sent_by_many_requests_at_once_is_one_vote():
    session = make_review_session()
    make_queue(session, items=1, slots=1)
    (person,) = make_reviewers(session)
    (slot,) = claim_slots(session=session, person=person, now=NOW)
    found: list[int] = []

    def send() -> None:
        found.append(submit_vote(token=slot.token, person=person, sheet=fine(), now=NOW).pk)

    all_at_once([send] * 8)
    assert len(found) == 8
    assert len(set(found)) == ReviewVote.objects.count() == 1


def test_a_slot_that_ran_out_goes_to_one_of_those_who_want_it_or_stays():
    session = make_review_session()
    make_queue(session, items=1, slots=1)
    people = make_reviewers(session, 8)
    (slot,) = claim_slots(session=session, person=people[0], now=NOW)
    outcomes: list[str] = []

    def late() -> None:
        try:
            submit_vote(token=slot.token, person=people[0], sheet=fine(), now=LATER)
            outcomes.append("late")
        except LeaseLost:
            outcomes.append("lost")

    def take(person: User) -> None:
        if claim_slots(session=session, person=person, now=LATER):
            outcomes.append("taken")

    all_at_once([late, *(partial(take, person) for person in people[1:])])
    assert sorted(outcomes) in (["late"], ["lost", "taken"])
    assert ReviewVote.objects.count() == outcomes.count("late")


def test_calibration_items_taken_up_by_all_at_once_have_a_slot_each():
    session = make_review_session()
    for position in range(3):
        make_review_item(session, position=position, kind="calibration", expected={"first": [1]})
    people = make_reviewers(session, 12, calibrated_at=None)
    all_at_once([Reviewer(session, person).work for person in people])
    assert not session.assignments.filter(calibrated_at=None).exists()
    numbers = ReviewSlot.objects.filter(item__position=0).order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(12))


def test_giving_back_and_claiming_at_once_leaves_every_slot_with_one_holder():
    session = make_review_session()
    make_queue(session, items=10, slots=2)
    people = make_reviewers(session, 10)

    def flit(person: User) -> None:
        for _ in range(6):
            slots = claim_slots(session=session, person=person, now=NOW, wanted=3)
            for slot in slots[1:]:
                release_slot(token=slot.token, person=person)

    all_at_once([partial(flit, person) for person in people])
    leased = ReviewSlot.objects.filter(session=session, state="leased")
    assert Counter(leased.values_list("person", flat=True)) == Counter(person.pk for person in people)
