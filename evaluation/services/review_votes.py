"""Votes are given once, whatever the network does, and changed by further rows; what they settle follows at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef

from evaluation.models import ReviewAssignment, ReviewItem, ReviewSession, ReviewSlot, ReviewVote
from evaluation.policies import require_review_takes_votes
from evaluation.services.review_rounds import follow_up, replace_skipped, withdraw_replacement
from evaluation.services.review_sheets import Sheet, require_valid
from evaluation.services.review_slots import LEASE, LeaseLost
from evaluation.stats.review_sides import first_is_a

UNDO_DEPTH = 10


class VoteStands(Exception):
    """A vote has been given for this slot already, with other answers; it can be revised."""


class NotRevisable(Exception):
    """The vote is too far back, or was given after a look behind the curtain."""


class NothingToUndo(Exception):
    """There is no earlier step within reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """A step taken back: the slot to show again, and the answers that stand, None after a skip."""

    slot: ReviewSlot
    vote: ReviewVote | None


@transaction.atomic
def submit_vote(*, token: UUID, person: User, sheet: Sheet, now: datetime) -> ReviewVote:
    """The vote of a leased slot. Sent twice with the same answers it is one vote.

    A lease that ran out still counts while nobody else took the slot. Raises LeaseLost, VoteStands, InvalidSheet, and
    WrongState for a closed session.
    """
    slot = _locked_slot(token, person)
    if slot.state == ReviewSlot.State.DONE:
        return _same_or_refuse(slot, sheet)
    require_review_takes_votes(slot.session)
    require_valid(sheet, slot.item, first_is_a=_side(slot))
    _settle(slot, now)
    vote = _store(slot, sheet, ReviewVote.Phase.FIRST, now, revision=1)
    _after(slot, person, now)
    return vote


@transaction.atomic
def revise_vote(*, token: UUID, person: User, sheet: Sheet, now: datetime) -> ReviewVote:
    """Other answers for a vote that was given, as its next revision. Raises LeaseLost, NotRevisable, InvalidSheet."""
    slot = _locked_slot(token, person)
    last = _last_vote(slot)
    if slot.state != ReviewSlot.State.DONE or last is None:
        raise LeaseLost
    if sheet.says(last):
        return last
    require_review_takes_votes(slot.session)
    _require_revisable(slot, person)
    require_valid(sheet, slot.item, first_is_a=_side(slot))
    vote = _store(slot, sheet, ReviewVote.Phase.FIRST, now, revision=last.revision + 1)
    follow_up(slot.item)
    return vote


@transaction.atomic
def skip_slot(*, token: UUID, person: User, reason: str, now: datetime) -> None:
    """Leaves the item to somebody else. Raises LeaseLost, and ValueError if ``reason`` is no ``SkipReason``."""
    reason = ReviewSlot.SkipReason(reason).value
    slot = _locked_slot(token, person)
    if slot.state == ReviewSlot.State.SKIPPED:
        return
    require_review_takes_votes(slot.session)
    leased = ReviewSlot.objects.filter(pk=slot.pk, state=ReviewSlot.State.LEASED)
    if not leased.update(state=ReviewSlot.State.SKIPPED, lease_until=None, acted_at=now, skip_reason=reason):
        raise LeaseLost
    if slot.personal:
        _finish_calibration(slot, person, now)
    else:
        replace_skipped(slot)


@transaction.atomic
def undo_step(*, session: ReviewSession, person: User, now: datetime, before: UUID | None = None) -> Undone:
    """The step before the slot ``before``, or the last one: at most ten back.

    A vote stands until it is revised; a skipped slot is leased again, unless its replacement has been taken. Raises
    NothingToUndo.
    """
    require_review_takes_votes(session)
    slot = _step_before(session, person, before)
    if slot.state == ReviewSlot.State.DONE:
        return Undone(slot=slot, vote=_last_vote(slot))
    if not (slot.personal or withdraw_replacement(slot)):
        raise NothingToUndo("Somebody else has taken the item you skipped.")
    ReviewSlot.objects.filter(pk=slot.pk, state=ReviewSlot.State.SKIPPED).update(
        state=ReviewSlot.State.LEASED, skip_reason="", acted_at=None, lease_until=now + LEASE, seen_at=now
    )
    slot.refresh_from_db()
    return Undone(slot=slot, vote=None)


@transaction.atomic
def reveal_slot(*, token: UUID, person: User, now: datetime) -> ReviewSlot:
    """From now on this reviewer may see what stood on which side, and the blind vote is final.

    Raises LeaseLost, and NotRevisable where the session reveals nothing.
    """
    slot = _locked_slot(token, person)
    if not slot.session.reveals:
        raise NotRevisable("This session keeps the arms hidden.")
    if slot.state != ReviewSlot.State.DONE:
        raise LeaseLost
    ReviewSlot.objects.filter(pk=slot.pk, revealed_at=None).update(revealed_at=now)
    slot.refresh_from_db(fields=["revealed_at"])
    return slot


@transaction.atomic
def vote_after_reveal(*, token: UUID, person: User, sheet: Sheet, now: datetime) -> ReviewVote:
    """A second opinion, kept beside the blind vote and never counted in its place. Raises LeaseLost, NotRevisable."""
    slot = _locked_slot(token, person)
    if slot.revealed_at is None:
        raise NotRevisable("Look at the reveal first; until then the blind vote itself can be revised.")
    require_valid(sheet, slot.item, first_is_a=_side(slot))
    last = _last_vote(slot)
    if last is not None and last.phase == ReviewVote.Phase.REVEALED and sheet.says(last):
        return last
    revision = 1 if last is None else last.revision + 1
    return _store(slot, sheet, ReviewVote.Phase.REVEALED, now, revision=revision)


def _locked_slot(token: UUID, person: User) -> ReviewSlot:
    """What one person sends is taken up one after the other, and not while a claim of theirs is under way."""
    part = ReviewAssignment.objects.select_for_update(of=("self",))
    part.filter(session__slots__lease_token=token, person=person).first()
    own = ReviewSlot.objects.select_for_update(of=("self",)).select_related("session", "item")
    slot = own.filter(lease_token=token, person=person).first()
    if slot is None:
        raise LeaseLost
    return slot


def _same_or_refuse(slot: ReviewSlot, sheet: Sheet) -> ReviewVote:
    last = slot.votes.filter(phase=ReviewVote.Phase.FIRST).order_by("-revision").first()
    if last is None or not sheet.says(last):
        raise VoteStands("You have rated this item already, with other answers. Undo to change them.")
    return last


def _side(slot: ReviewSlot) -> bool:
    return first_is_a(slot.session.seed, slot.item_id, slot.number)


def _settle(slot: ReviewSlot, now: datetime) -> None:
    """The compare-and-set that makes it one vote: whoever holds the token settles the slot, once."""
    leased = ReviewSlot.objects.filter(pk=slot.pk, lease_token=slot.lease_token, state=ReviewSlot.State.LEASED)
    if not leased.update(state=ReviewSlot.State.DONE, lease_until=None, acted_at=now):
        raise LeaseLost


def _store(slot: ReviewSlot, sheet: Sheet, phase: str, now: datetime, *, revision: int) -> ReviewVote:
    return ReviewVote.objects.create(
        slot=slot, revision=revision, phase=phase, first_is_a=_side(slot), created_at=now, **sheet.columns()
    )


def _after(slot: ReviewSlot, person: User, now: datetime) -> None:
    if slot.personal:
        _finish_calibration(slot, person, now)
    else:
        follow_up(slot.item)


def _finish_calibration(slot: ReviewSlot, person: User, now: datetime) -> None:
    if slot.item.kind != ReviewItem.Kind.CALIBRATION:
        return
    settled = ReviewSlot.objects.filter(item=OuterRef("pk"), person=person, acted_at__isnull=False)
    rest = ReviewItem.objects.filter(~Exists(settled), session=slot.session_id, kind=ReviewItem.Kind.CALIBRATION)
    if not rest.exists():
        own = ReviewAssignment.objects.filter(session=slot.session_id, person=person, calibrated_at=None)
        own.update(calibrated_at=now)


def _last_vote(slot: ReviewSlot) -> ReviewVote | None:
    return slot.votes.order_by("-revision").first()


def _recent(session_id: int, person: User) -> list[ReviewSlot]:
    """What the person did last, newest first, as far back as an undo reaches."""
    acted = ReviewSlot.objects.filter(session=session_id, person=person, acted_at__isnull=False)
    return list(acted.select_related("session", "item").order_by("-acted_at", "-pk")[:UNDO_DEPTH])


def _require_revisable(slot: ReviewSlot, person: User) -> None:
    if slot.revealed_at is not None:
        raise NotRevisable("You have seen what stood on which side, so the blind vote is final.")
    if slot.pk not in {recent.pk for recent in _recent(slot.session_id, person)}:
        raise NotRevisable(f"Only your last {UNDO_DEPTH} items can be changed.")


def _step_before(session: ReviewSession, person: User, before: UUID | None) -> ReviewSlot:
    recent = [slot for slot in _recent(session.pk, person) if slot.revealed_at is None]
    place = next((number for number, slot in enumerate(recent) if slot.lease_token == before), -1)
    if place + 1 >= len(recent):
        raise NothingToUndo(f"There is nothing to undo. Undo reaches {UNDO_DEPTH} items back.")
    return recent[place + 1]
