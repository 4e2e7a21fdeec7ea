from __future__ import annotations

from django.db import models
from django.db.models import Q

from evaluation.models.review_slot import ReviewSlot


class ReviewVote(models.Model):
    """One given judgement, as it was given; a change is a further row. Of phase ``first`` the last revision counts.

    ``facts_a`` and ``facts_b`` are 1 all supported, 2 minor slip, 3 major error, 4 harmful, 5 can't tell, null where
    the side is no answer; ``preference`` is 1 (A much better) to 5 (B much better), 0 both unusable. ``first_is_a``
    says which arm stood on side A. ``chips`` lists marked sentences, ``[{"side": "a", "sentence": 2, "text": "...",
    "kind": "contradicts_evidence"}]``. ``seconds`` is the time the item was on the screen. A vote of phase
    ``revealed`` was given after the reveal and never counts in a rate.
    """

    class Phase(models.TextChoices):
        FIRST = "first", "Blind"
        REVEALED = "revealed", "After the reveal"

    slot = models.ForeignKey(ReviewSlot, on_delete=models.CASCADE, related_name="votes")
    revision = models.PositiveSmallIntegerField()
    phase = models.CharField(max_length=8, choices=Phase, default=Phase.FIRST)
    first_is_a = models.BooleanField()
    facts_a = models.PositiveSmallIntegerField(null=True, blank=True)
    facts_b = models.PositiveSmallIntegerField(null=True, blank=True)
    preference = models.PositiveSmallIntegerField(null=True, blank=True)
    unsure = models.BooleanField(default=False)
    flagged = models.BooleanField(default=False)
    note = models.TextField(blank=True)
    chips = models.JSONField(default=list, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="review_vote_revision_unique", fields=["slot", "revision"]),
            models.CheckConstraint(name="review_vote_revision_from_one", condition=Q(revision__gte=1)),
            models.CheckConstraint(name="review_vote_phase_known", condition=Q(phase__in=["first", "revealed"])),
            models.CheckConstraint(
                name="review_vote_facts_are_levels",
                condition=(Q(facts_a=None) | Q(facts_a__gte=1, facts_a__lte=5))
                & (Q(facts_b=None) | Q(facts_b__gte=1, facts_b__lte=5)),
            ),
            models.CheckConstraint(
                name="review_vote_preference_is_level", condition=Q(preference=None) | Q(preference__lte=5)
            ),
            models.CheckConstraint(
                name="review_vote_says_something",
                condition=Q(facts_a__isnull=False) | Q(facts_b__isnull=False) | Q(preference__isnull=False),
            ),
            models.CheckConstraint(
                name="review_vote_seconds_not_negative", condition=Q(seconds=None) | Q(seconds__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slot_id}:{self.revision}"
