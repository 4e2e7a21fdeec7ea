from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from evaluation.models.answer import Answer
from evaluation.models.example import Example
from evaluation.models.review_session import ReviewSession


class ReviewItem(models.Model):
    """Two answers to one question, with every text frozen as it was when the session was made.

    ``inclusion`` is the probability with which a regular item came into the sample. ``names_found`` are names of
    models, providers and panels that stand in a text, which would tell a reviewer what they look at. ``expected``
    holds, for calibration and gold items, the levels that are right: ``{"first": [1, 2], "second": [3]}``; it may
    leave out a side. ``wanted`` is how many votes the plan asks for, 0 where every reviewer gets a slot of their own.
    ``dispute`` is set while the votes that were wanted are in and leave something to settle: the larger, the further
    apart.
    """

    class Kind(models.TextChoices):
        CALIBRATION = "calibration", "Calibration"
        GOLD = "gold", "Gold"
        REGULAR = "regular", "Regular"

    class State(models.TextChoices):
        ANSWERED = "answered", "Answered"
        REFUSAL = "refusal", "Refusal"
        EMPTY = "empty", "Empty"
        TRUNCATED = "truncated", "Truncated"

    session = models.ForeignKey(ReviewSession, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.REGULAR)
    example = models.ForeignKey(Example, null=True, blank=True, on_delete=models.PROTECT, related_name="review_items")
    first_answer = models.ForeignKey(Answer, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    second_answer = models.ForeignKey(Answer, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(max_length=200, blank=True, help_text="What the data calls it")
    question = models.TextField()
    evidence = models.TextField(blank=True)
    reference = models.TextField(blank=True)
    first_text = models.TextField(blank=True)
    second_text = models.TextField(blank=True)
    first_state = models.CharField(max_length=10, choices=State, default=State.ANSWERED)
    second_state = models.CharField(max_length=10, choices=State, default=State.ANSWERED)
    inclusion = models.FloatField(default=1.0)
    stratum = models.CharField(max_length=200, blank=True)
    names_found = models.JSONField(default=list, blank=True)
    expected = models.JSONField(null=True, blank=True)
    wanted = models.PositiveSmallIntegerField(default=1)
    dispute = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="review_item_position_unique", fields=["session", "position"]),
            models.UniqueConstraint(name="review_item_example_unique", fields=["session", "example"]),
            models.CheckConstraint(
                name="review_item_kind_known", condition=Q(kind__in=["calibration", "gold", "regular"])
            ),
            models.CheckConstraint(
                name="review_item_states_known",
                condition=Q(first_state__in=["answered", "refusal", "empty", "truncated"])
                & Q(second_state__in=["answered", "refusal", "empty", "truncated"]),
            ),
            models.CheckConstraint(
                name="review_item_inclusion_is_probability", condition=Q(inclusion__gt=0, inclusion__lte=1)
            ),
            models.CheckConstraint(name="review_item_question_not_empty", condition=~Q(question="")),
            models.CheckConstraint(
                name="review_item_regular_wants_votes",
                condition=Q(kind="regular", wanted__gte=1) | (~Q(kind="regular") & Q(wanted=0)),
            ),
            models.CheckConstraint(
                name="review_item_known_one_has_expectation",
                condition=Q(kind="regular", expected__isnull=True) | (~Q(kind="regular") & Q(expected__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(name="review_item_disputed", fields=["session"], condition=Q(dispute__isnull=False)),
            models.Index(name="review_item_by_kind", fields=["session", "kind", "position"]),
        ]

    def __str__(self) -> str:
        return f"{self.session_id}:{self.position}"


class Adjudication(models.Model):
    """What settles a disputed item, in terms of the arms: facts 1 to 5, preference 1 (first much) to 5, 0 unusable."""

    item = models.OneToOneField(ReviewItem, on_delete=models.CASCADE, related_name="adjudication")
    first_facts = models.PositiveSmallIntegerField(null=True, blank=True)
    second_facts = models.PositiveSmallIntegerField(null=True, blank=True)
    preference = models.PositiveSmallIntegerField(null=True, blank=True)
    reason = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="adjudications")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="adjudication_facts_are_levels",
                condition=(Q(first_facts=None) | Q(first_facts__gte=1, first_facts__lte=5))
                & (Q(second_facts=None) | Q(second_facts__gte=1, second_facts__lte=5)),
            ),
            models.CheckConstraint(
                name="adjudication_preference_is_level", condition=Q(preference=None) | Q(preference__lte=5)
            ),
            models.CheckConstraint(name="adjudication_has_reason", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return str(self.item_id)
