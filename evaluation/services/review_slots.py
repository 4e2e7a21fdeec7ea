"""Who works on which item: slots are leased to one reviewer each, exactly, on PostgreSQL and on SQLite.

Locks are taken in one order: assignment, slot, item.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, Exists, F, Max, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from evaluation.models import ReviewAssignment, ReviewItem, ReviewSession, ReviewSlot
from evaluation.policies import require_review_gives_items
from evaluation.stats.review_sides import gold_is_due

LEASE = timedelta(minutes=15)
_TRIES = 20


class LeaseLost(Exception):
    """The slot is no longer this reviewer's: the lease ran out and somebody else has taken it, or it was settled."""

    def __init__(self, message: str = "This item has passed to another reviewer. Go on with the next one.") -> None:
        super().__init__(message)


class NotAssigned(Exception):
    """The person has no part in this session as a reviewer."""


@transaction.atomic
def claim_slots(
    *, session: ReviewSession, person: User, now: datetime, wanted: int = 1, screen: UUID | None = None
) -> list[ReviewSlot]:
    """Up to ``wanted`` slots leased to ``person``: those they hold already, then new ones. Fewer when none is left.

    The first one, or that with the token ``screen``, is on the screen and counts as seen; the others are fetched ahead
    and can be given back. Raises NotAssigned and WrongState.
    """
    assignment = _locked_assignment(session, person)
    require_review_gives_items(assignment.session)
    held = _renewed(session, person, now, screen)
    while len(held) < wanted:
        slot = _claim_one(session, assignment, person, now)
        if slot is None:
            break
        held.append(slot)
    if held and held[0].seen_at is None:
        _mark_seen(held[0], now)
    if assignment.paused_at is not None:
        ReviewAssignment.objects.filter(pk=assignment.pk).update(paused_at=None)
    return held[: max(wanted, 1)]


def renew_lease(*, token: UUID, person: User, now: datetime) -> None:
    """The heartbeat of the item on the screen, which counts as seen from then on. Raises LeaseLost."""
    if not _own_leased(token, person).update(lease_until=now + LEASE, seen_at=Coalesce(F("seen_at"), now)):
        raise LeaseLost


@transaction.atomic
def release_slot(*, token: UUID, person: User) -> bool:
    """Gives back a slot that was fetched ahead; False if it was seen or is not this person's: then nothing changes."""
    unseen = _own_leased(token, person).filter(seen_at=None)
    slot = unseen.select_for_update().first()
    if slot is not None and slot.personal:
        # Made for this person alone, so that nobody else could take it up.
        slot.delete()
        return True
    return bool(unseen.update(state=ReviewSlot.State.OPEN, person=None, lease_token=None, lease_until=None))


@transaction.atomic
def pause_reviewer(*, session: ReviewSession, person: User, now: datetime) -> None:
    """The reviewer takes a break: what was fetched ahead is given back, the item on the screen waits for them."""
    ReviewAssignment.objects.filter(session=session, person=person).update(paused_at=now)
    ahead = ReviewSlot.objects.filter(session=session, person=person, state=ReviewSlot.State.LEASED, seen_at=None)
    for token in ahead.values_list("lease_token", flat=True):
        if token is not None:
            release_slot(token=token, person=person)


def expire_leases(*, session: ReviewSession, now: datetime) -> int:
    """Opens every slot whose lease ran out; how many. A claim takes such slots by itself, so this only tidies up."""
    dead = ReviewSlot.objects.filter(
        session=session, state=ReviewSlot.State.LEASED, personal=False, lease_until__lte=now
    )
    return dead.update(state=ReviewSlot.State.OPEN, person=None, lease_token=None, lease_until=None, seen_at=None)


def _own_leased(token: UUID, person: User) -> QuerySet[ReviewSlot]:
    return ReviewSlot.objects.filter(lease_token=token, person=person, state=ReviewSlot.State.LEASED)


def _locked_assignment(session: ReviewSession, person: User) -> ReviewAssignment:
    """One person's claims come one after the other, whatever they have open. With the session as it is now."""
    own = ReviewAssignment.objects.select_for_update(of=("self",)).select_related("session")
    found = own.filter(session=session, person=person, role=ReviewAssignment.Role.REVIEWER).first()
    if found is None:
        raise NotAssigned("You are not a reviewer of this session.")
    return found


def _renewed(session: ReviewSession, person: User, now: datetime, screen: UUID | None) -> list[ReviewSlot]:
    """What the person holds, whether or not the lease has run out: what was on the screen last comes first.

    The rest follows by position, so that calibration items stay ahead of what is rated after them.
    """
    own = ReviewSlot.objects.filter(session=session, person=person, state=ReviewSlot.State.LEASED)
    seen_at = Case(When(lease_token=screen, seen_at=None, then=Value(now)), default=F("seen_at"))
    if not own.update(lease_until=now + LEASE, seen_at=seen_at):
        return []
    return list(own.select_related("item", "session").order_by(F("seen_at").desc(nulls_last=True), "position", "pk"))


def _mark_seen(slot: ReviewSlot, now: datetime) -> None:
    slot.seen_at = now
    ReviewSlot.objects.filter(pk=slot.pk).update(seen_at=now)


def _claim_one(session: ReviewSession, assignment: ReviewAssignment, person: User, now: datetime) -> ReviewSlot | None:
    if assignment.calibrated_at is None:
        known = _own_slot_of_next(session, person, ReviewItem.Kind.CALIBRATION, now)
        if known is not None:
            return known
    if session.gold_share and _gold_is_due(session, person):
        known = _own_slot_of_next(session, person, ReviewItem.Kind.GOLD, now)
        if known is not None:
            return known
    return _claim_open(session, person, now)


def _gold_is_due(session: ReviewSession, person: User) -> bool:
    given = ReviewSlot.objects.filter(session=session, person=person).count()
    return gold_is_due(session.seed, person.pk, given, session.gold_share)


def _own_slot_of_next(session: ReviewSession, person: User, kind: str, now: datetime) -> ReviewSlot | None:
    """A slot of their own on the first known item that this person has not had."""
    had = ReviewSlot.objects.filter(item=OuterRef("pk"), person=person)
    items = ReviewItem.objects.filter(~Exists(had), session=session, kind=kind)
    item = items.order_by("position").first()
    return None if item is None else _make_own_slot(item, person, now)


def _make_own_slot(item: ReviewItem, person: User, now: datetime) -> ReviewSlot:
    ReviewItem.objects.select_for_update().get(pk=item.pk)  # two reviewers would give their slots one number
    latest = item.slots.aggregate(latest=Max("number"))["latest"]
    return ReviewSlot.objects.create(
        session_id=item.session_id,
        item=item,
        number=0 if latest is None else latest + 1,
        position=item.position,
        personal=True,
        state=ReviewSlot.State.LEASED,
        person=person,
        lease_token=uuid4(),
        lease_until=now + LEASE,
    )


def _claim_open(session: ReviewSession, person: User, now: datetime) -> ReviewSlot | None:
    """What somebody left behind comes first, then what nobody has had; each is one walk along an index."""
    left = Q(state=ReviewSlot.State.LEASED, lease_until__lte=now)
    return _claim_where(left, session, person, now) or _claim_where(
        Q(state=ReviewSlot.State.OPEN), session, person, now
    )


def _claim_where(free: Q, session: ReviewSession, person: User, now: datetime) -> ReviewSlot | None:
    had = ReviewSlot.objects.filter(item=OuterRef("item"), person=person)
    waiting = ReviewSlot.objects.filter(free, ~Exists(had), session=session, personal=False)
    ordered = waiting.select_related("item", "session").order_by("position", "number")
    for _ in range(_TRIES):
        slot = ordered.select_for_update(skip_locked=True, of=("self",)).first()
        if slot is None or _take(slot, free, person, now):
            return slot
    return None


def _take(slot: ReviewSlot, free: Q, person: User, now: datetime) -> bool:
    """Only if it is still free: a database without row locks decides here."""
    slot.state, slot.person, slot.seen_at = ReviewSlot.State.LEASED, person, None
    slot.lease_token, slot.lease_until = uuid4(), now + LEASE
    taken = ReviewSlot.objects.filter(free, pk=slot.pk).update(
        state=slot.state,
        person=person,
        lease_token=slot.lease_token,
        lease_until=slot.lease_until,
        seen_at=None,
    )
    return bool(taken)
