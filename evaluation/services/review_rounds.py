"""What follows from the votes on an item: another vote that is wanted, or a dispute to settle."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Max

from evaluation.models import ReviewItem, ReviewSlot, ReviewVote
from evaluation.stats.review_levels import Judgement, dispute_of, judgement, votes_wanted

_STANDING = (ReviewSlot.State.OPEN, ReviewSlot.State.LEASED, ReviewSlot.State.DONE)


def follow_up(item: ReviewItem) -> None:
    """Opens a further slot by rule, withdraws one that is no longer wanted, and marks what is disputed."""
    locked = ReviewItem.objects.select_for_update(of=("self",)).select_related("adjudication").get(pk=item.pk)
    judgements = item_judgements(item.pk)
    _adjust_slots(locked, votes_wanted(locked.wanted, judgements))
    settled = hasattr(locked, "adjudication")
    dispute = None if settled else dispute_of(locked.wanted, judgements)
    if dispute != locked.dispute:
        ReviewItem.objects.filter(pk=item.pk).update(dispute=dispute)


def item_judgements(item_id: int) -> list[Judgement]:
    """The votes on one item that count: of each slot the last blind one."""
    votes = ReviewVote.objects.filter(slot__item=item_id, phase=ReviewVote.Phase.FIRST)
    last = {vote.slot_id: vote for vote in votes.order_by("slot", "revision")}
    return [vote_judgement(vote) for vote in last.values()]


def vote_judgement(vote: ReviewVote) -> Judgement:
    return judgement(
        facts_a=vote.facts_a,
        facts_b=vote.facts_b,
        preference=vote.preference,
        unsure=vote.unsure,
        first_is_a=vote.first_is_a,
    )


def replace_skipped(slot: ReviewSlot) -> None:
    """Somebody else gives the vote that a reviewer skipped, on the same side."""
    item = ReviewItem.objects.select_for_update().get(pk=slot.item_id)
    latest = _latest_number(item)
    # The parity of the number is the side.
    number = latest + (2 if (latest - slot.number) % 2 == 0 else 1)
    _open(item, [number], by_rule=slot.by_rule)


def withdraw_replacement(slot: ReviewSlot) -> bool:
    """Takes back the slot that was opened for a skipped one; False if somebody has it by now."""
    ReviewItem.objects.select_for_update().get(pk=slot.item_id)
    same_side = [number for number in _open_numbers(slot) if number > slot.number and (number - slot.number) % 2 == 0]
    return any(_withdraw(slot.item_id, [number]) for number in same_side[-1:])


def _adjust_slots(item: ReviewItem, wanted: int) -> None:
    slots = ReviewSlot.objects.filter(item=item, state__in=_STANDING)
    standing = slots.count()
    if standing < wanted:
        latest = _latest_number(item)
        _open(item, [latest + step for step in range(1, wanted - standing + 1)], by_rule=True)
    elif standing > wanted:
        spare = slots.filter(state=ReviewSlot.State.OPEN, by_rule=True).order_by("-number")
        _withdraw(item.pk, list(spare.values_list("number", flat=True)[: standing - wanted]))


def _latest_number(item: ReviewItem) -> int:
    latest: int | None = item.slots.aggregate(latest=Max("number"))["latest"]
    return -1 if latest is None else latest


def _open(item: ReviewItem, numbers: Sequence[int], *, by_rule: bool) -> None:
    ReviewSlot.objects.bulk_create(
        ReviewSlot(session_id=item.session_id, item=item, number=number, position=item.position, by_rule=by_rule)
        for number in numbers
    )


def _open_numbers(slot: ReviewSlot) -> list[int]:
    unclaimed = ReviewSlot.objects.filter(item=slot.item_id, state=ReviewSlot.State.OPEN)
    return list(unclaimed.order_by("number").values_list("number", flat=True))


def _withdraw(item_id: int, numbers: Sequence[int]) -> int:
    """Only slots that are open, and that nobody is about to claim; the caller's transaction holds them."""
    unclaimed = ReviewSlot.objects.filter(item=item_id, number__in=numbers, state=ReviewSlot.State.OPEN)
    held = list(unclaimed.select_for_update(skip_locked=True).values_list("pk", flat=True))
    return ReviewSlot.objects.filter(pk__in=held).delete()[0]
