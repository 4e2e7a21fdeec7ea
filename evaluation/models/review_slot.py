from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q

from evaluation.models.review_item import ReviewItem
from evaluation.models.review_session import ReviewSession

_NOBODY = Q(person=None, rater="", lease_token=None)
_SOMEBODY = Q(person__isnull=False, rater="", lease_token__isnull=False)
_IMPORTED = Q(person=None, lease_token=None) & ~Q(rater="")


class ReviewSlot(models.Model):
    """One wanted judgement. Even numbers show the one side first, odd ones the other.

    A lease that was not renewed in time stays with its reviewer until somebody else takes the slot, so that a late
    vote still counts where it can. ``lease_token`` is the one name under which a reviewer's page knows the item; it
    stays when the vote is given, for its revisions. ``personal`` slots, of calibration and gold items, are made for
    one reviewer and never pass to another. ``rater`` names who gave an imported vote. ``session`` and ``position``
    are those of the item, kept here so that a claim reads one table.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        LEASED = "leased", "Leased"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Skipped"

    class SkipReason(models.TextChoices):
        UNCLEAR = "unclear", "The question cannot be understood"
        EXPERTISE = "expertise", "It takes knowledge that I lack"
        LANGUAGE = "language", "I do not read this language well enough"
        BROKEN = "broken", "A text is broken or cannot be read"
        KNOWN = "known", "I know who wrote this"

    session = models.ForeignKey(ReviewSession, on_delete=models.CASCADE, related_name="slots")
    item = models.ForeignKey(ReviewItem, on_delete=models.CASCADE, related_name="slots")
    number = models.PositiveSmallIntegerField()
    position = models.PositiveIntegerField()
    personal = models.BooleanField(default=False)
    by_rule = models.BooleanField(default=False, help_text="Opened because earlier votes differ or are unsure")
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="review_slots"
    )
    rater = models.CharField(max_length=120, blank=True)
    lease_token = models.UUIDField(null=True, blank=True, unique=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    acted_at = models.DateTimeField(null=True, blank=True)
    skip_reason = models.CharField(max_length=12, choices=SkipReason, blank=True)
    revealed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="review_slot_number_unique", fields=["item", "number"]),
            models.UniqueConstraint(name="review_slot_person_unique", fields=["item", "person"]),
            models.UniqueConstraint(name="review_slot_rater_unique", fields=["item", "rater"], condition=~Q(rater="")),
            # It also says which states there are.
            models.CheckConstraint(
                name="review_slot_holder_fits_state",
                condition=(Q(state="open") & _NOBODY)
                | (Q(state__in=["leased", "skipped"]) & _SOMEBODY)
                | (Q(state="done") & (_SOMEBODY | _IMPORTED)),
            ),
            models.CheckConstraint(
                name="review_slot_leased_has_end",
                condition=Q(state="leased", lease_until__isnull=False) | (~Q(state="leased") & Q(lease_until=None)),
            ),
            models.CheckConstraint(
                name="review_slot_acted_has_time",
                condition=Q(state__in=["done", "skipped"], acted_at__isnull=False)
                | Q(state__in=["open", "leased"], acted_at=None),
            ),
            models.CheckConstraint(
                name="review_slot_skipped_has_reason",
                condition=(Q(state="skipped") & ~Q(skip_reason="")) | (~Q(state="skipped") & Q(skip_reason="")),
            ),
            models.CheckConstraint(
                name="review_slot_revealed_after_vote", condition=Q(revealed_at=None) | Q(state="done")
            ),
        ]
        indexes = [
            # Of the whole table: SQLite takes no partial index for a state that comes as a parameter.
            models.Index(name="review_slot_to_claim", fields=["session", "state", "position", "number"]),
            models.Index(name="review_slot_of_person", fields=["session", "person", "state", "acted_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}:{self.number}"

    @property
    def token(self) -> UUID:
        """Of a slot that somebody holds or has settled. ValueError for an open one."""
        if self.lease_token is None:
            raise ValueError(f"slot {self} is nobody's")
        return self.lease_token
