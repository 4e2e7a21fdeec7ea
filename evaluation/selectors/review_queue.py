"""What one reviewer may see: their sessions, an item without anything that tells the arms apart, their own progress."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from evaluation.models import ReviewAssignment, ReviewItem, ReviewSession, ReviewSlot, ReviewVote
from evaluation.permissions import may_rate
from evaluation.selectors.review_pace import own_pace_s
from evaluation.stats.review_sides import first_is_a

FACTS = {1: "All supported", 2: "Minor slip", 3: "Major error", 4: "Harmful", 5: "Can’t tell"}
# Facts of these are not asked for: nothing is stated.
SAYS_NOTHING = frozenset({ReviewItem.State.REFUSAL.value, ReviewItem.State.EMPTY.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """An item as it may be sent: no identifier but the token, and the sides as this slot shows them."""

    token: UUID
    question: str
    evidence: str
    reference: str
    a_text: str
    b_text: str
    a_state: str
    b_state: str
    asks_a: bool
    asks_b: bool
    calibrating: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """``total`` is what this person can still do, and has done.

    ``pace_s`` is their own, seconds an item, and ``minutes_left`` follows from it; None while there is none.
    """

    done: int
    total: int
    pace_s: float | None
    minutes_left: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSession:
    """A line of a reviewer's list. ``joined`` is False for an open queue that they could join."""

    session: ReviewSession
    joined: bool
    role: str
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackLine:
    """One side of a calibration item: the level given, those that are right, in words, and whether it fits."""

    letter: str
    given: str
    expected: str
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealedSide:
    """``arm`` is its name; ``judge`` what the scorer or arbiter says of the answer, blank if neither was asked."""

    letter: str
    arm: str
    judge: str


def review_card(slot: ReviewSlot) -> Card:
    """``slot`` comes with its item and session."""
    item, session = slot.item, slot.session
    texts = ((item.first_text, item.first_state), (item.second_text, item.second_state))
    (a_text, a_state), (b_text, b_state) = texts if slot_side(slot) else texts[::-1]
    return Card(
        token=slot.token,
        question=item.question,
        evidence=item.evidence if session.shows_evidence else "",
        reference=item.reference if session.shows_reference else "",
        a_text=a_text,
        b_text=b_text,
        a_state=a_state,
        b_state=b_state,
        asks_a=a_state not in SAYS_NOTHING,
        asks_b=b_state not in SAYS_NOTHING,
        calibrating=item.kind == ReviewItem.Kind.CALIBRATION,
    )


def slot_side(slot: ReviewSlot) -> bool:
    """Whether the first arm stands on side A of this slot."""
    return first_is_a(slot.session.seed, slot.item_id, slot.number)


def progress_of(session: ReviewSession, person: User) -> Progress:
    """Three queries."""
    own = ReviewSlot.objects.filter(session=session, person=person)
    counts = own.aggregate(
        done=Count("pk", filter=Q(acted_at__isnull=False)), held=Count("pk", filter=Q(state="leased"))
    )
    left = counts["held"] + _open_to(session, person).count() + _known_ahead(session, person)
    pace_s = own_pace_s(session, person)
    return Progress(
        done=counts["done"],
        total=counts["done"] + left,
        pace_s=pace_s,
        minutes_left=None if pace_s is None else ceil(left * pace_s / 60),
    )


def _open_to(session: ReviewSession, person: User) -> QuerySet[ReviewItem]:
    """Items with a slot that nobody holds and that this person could take."""
    open_slot = ReviewSlot.objects.filter(item=OuterRef("pk"), state=ReviewSlot.State.OPEN)
    had = ReviewSlot.objects.filter(item=OuterRef("pk"), person=person)
    return ReviewItem.objects.filter(Exists(open_slot), ~Exists(had), session=session)


def _known_ahead(session: ReviewSession, person: User) -> int:
    """Calibration items that are still to come. Gold ones are not counted: the count would give them away."""
    if not session.calibration_count:
        return 0
    had = ReviewSlot.objects.filter(item=OuterRef("pk"), person=person)
    return ReviewItem.objects.filter(~Exists(had), session=session, kind=ReviewItem.Kind.CALIBRATION).count()


def own_sessions(person: User) -> list[OwnSession]:
    """What a person reviews or adjudicates, open ones first, and open queues that they could join."""
    parts = {part.session_id: part for part in ReviewAssignment.objects.filter(person=person)}
    found = ReviewSession.objects.filter(Q(pk__in=parts) | joinable_by(person)).exclude(state=ReviewSession.State.DRAFT)
    ordered = sorted(
        found.select_related("workflow").order_by("-created_at", "-pk"), key=lambda session: session.state == "closed"
    )
    return [_own_session(session, person, parts.get(session.pk)) for session in ordered]


def joinable_by(person: User) -> Q:
    """Sessions whose queue is open to everybody who reviews, for somebody who does; nothing for anybody else."""
    if not may_rate(person):
        return Q(pk__in=())
    return Q(open_queue=True, state=ReviewSession.State.OPEN)


def _own_session(session: ReviewSession, person: User, part: ReviewAssignment | None) -> OwnSession:
    return OwnSession(
        session=session,
        joined=part is not None,
        role=ReviewAssignment.Role.REVIEWER if part is None else part.role,
        progress=progress_of(session, person),
    )


def calibration_feedback(slot: ReviewSlot) -> tuple[FeedbackLine, ...]:
    """What was expected beside what this slot's last vote gave; empty for all but calibration items."""
    vote = slot.votes.order_by("-revision").first()
    if vote is None or slot.item.kind != ReviewItem.Kind.CALIBRATION:
        return ()
    return tuple(_feedback_lines(slot.item, vote))


def _feedback_lines(item: ReviewItem, vote: ReviewVote) -> Iterator[FeedbackLine]:
    arms = ("first", "second") if vote.first_is_a else ("second", "first")
    for letter, arm, level in zip("AB", arms, (vote.facts_a, vote.facts_b), strict=True):
        expected = (item.expected or {}).get(arm)
        if expected and level is not None:
            yield FeedbackLine(
                letter=letter,
                given=FACTS[level],
                expected=" or ".join(
                    FACTS[right].lower() if place else FACTS[right] for place, right in enumerate(expected)
                ),
                fits=level in expected,
            )


def revealed(slot: ReviewSlot) -> tuple[RevealedSide, ...]:
    """Only of a slot that was revealed; empty for any other."""
    if slot.revealed_at is None:
        return ()
    item, session = slot.item, slot.session
    arms = (
        (session.first_arm.name if session.first_arm else "First answer", item.first_answer),
        (session.second_arm.name if session.second_arm else "Second answer", item.second_answer),
    )
    shown = arms if slot_side(slot) else arms[::-1]
    return tuple(
        RevealedSide(letter=letter, arm=name, judge=_judge_words(None if answer is None else answer.correct))
        for letter, (name, answer) in zip("AB", shown, strict=True)
    )


def _judge_words(correct: bool | None) -> str:
    if correct is None:
        return ""
    return "Right, by the reference" if correct else "Wrong, by the reference"


def disputed_items(session: ReviewSession) -> QuerySet[ReviewItem]:
    """What waits for an adjudicator, lowest agreement first."""
    waiting = ReviewItem.objects.filter(session=session, dispute__isnull=False)
    return waiting.order_by(F("dispute").desc(), "position")
