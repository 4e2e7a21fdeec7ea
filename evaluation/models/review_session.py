from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from evaluation.models.experiment import Arm
from evaluation.models.rubric_version import RubricVersion
from evaluation.models.run import Run
from evaluation.models.workflow import Workflow


class ReviewSession(models.Model):
    """A labelling session: answers of two arms to the same examples, judged blind and side by side.

    An imported pair file has neither run nor arms. ``seed`` decides the sides and never leaves the server. Of
    ``population`` examples the regular items were drawn, by ``method``; the share ``overlap`` of them wants
    ``overlap_votes`` votes each, the rest one. ``reveals`` allows a reviewer to see the judge's verdict and the arms
    once a vote is given.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        OPEN = "open", "Open"
        PAUSED = "paused", "Paused"
        CLOSED = "closed", "Closed"

    class Method(models.TextChoices):
        RANDOM = "random", "Random"
        STRATIFIED = "stratified", "Stratified by a field"
        DISAGREEMENT = "disagreement", "Disagreement first"
        IMPORTED = "imported", "Imported pair file"

    title = models.CharField(max_length=160)
    workflow = models.ForeignKey(
        Workflow, null=True, blank=True, on_delete=models.SET_NULL, related_name="review_sessions"
    )
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.PROTECT, related_name="review_sessions")
    first_arm = models.ForeignKey(Arm, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    second_arm = models.ForeignKey(Arm, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    seed = models.CharField(max_length=64)
    rubric = models.ForeignKey(RubricVersion, on_delete=models.PROTECT, related_name="review_sessions")
    method = models.CharField(max_length=12, choices=Method)
    strata_field = models.CharField(max_length=80, blank=True)
    population = models.PositiveIntegerField(default=0)
    overlap = models.FloatField(default=0.25)
    overlap_votes = models.PositiveSmallIntegerField(default=2)
    gold_share = models.FloatField(default=0.05)
    calibration_count = models.PositiveSmallIntegerField(default=8)
    shows_evidence = models.BooleanField(default=True)
    shows_reference = models.BooleanField(default=False)
    reveals = models.BooleanField(default=False)
    open_queue = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="review_sessions_created"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="review_session_state_known", condition=Q(state__in=["draft", "open", "paused", "closed"])
            ),
            models.CheckConstraint(
                name="review_session_method_known",
                condition=Q(method__in=["random", "stratified", "disagreement", "imported"]),
            ),
            models.CheckConstraint(name="review_session_title_not_empty", condition=~Q(title="")),
            models.CheckConstraint(name="review_session_has_seed", condition=~Q(seed="")),
            models.CheckConstraint(
                name="review_session_is_of_two_arms_or_imported",
                condition=Q(method="imported", run=None, first_arm=None, second_arm=None)
                | (~Q(method="imported") & Q(run__isnull=False, first_arm__isnull=False, second_arm__isnull=False)),
            ),
            models.CheckConstraint(
                name="review_session_arms_differ", condition=Q(first_arm=None) | ~Q(first_arm=F("second_arm"))
            ),
            models.CheckConstraint(
                name="review_session_stratified_by_something", condition=~Q(method="stratified") | ~Q(strata_field="")
            ),
            models.CheckConstraint(name="review_session_overlap_is_share", condition=Q(overlap__gte=0, overlap__lte=1)),
            models.CheckConstraint(name="review_session_overlap_votes_few", condition=Q(overlap_votes__in=[2, 3])),
            models.CheckConstraint(
                name="review_session_gold_is_share", condition=Q(gold_share__gte=0, gold_share__lte=0.5)
            ),
            models.CheckConstraint(
                name="review_session_closed_has_time",
                condition=Q(state="closed", closed_at__isnull=False) | (~Q(state="closed") & Q(closed_at=None)),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class ReviewAssignment(models.Model):
    """Somebody's part in a session. ``calibrated_at`` is when the calibration items were done."""

    class Role(models.TextChoices):
        REVIEWER = "reviewer", "Reviewer"
        ADJUDICATOR = "adjudicator", "Adjudicator"

    session = models.ForeignKey(ReviewSession, on_delete=models.CASCADE, related_name="assignments")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="review_assignments")
    role = models.CharField(max_length=12, choices=Role, default=Role.REVIEWER)
    created_at = models.DateTimeField()
    calibrated_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="review_assignment_unique", fields=["session", "person"]),
            models.CheckConstraint(
                name="review_assignment_role_known", condition=Q(role__in=["reviewer", "adjudicator"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session_id}:{self.person_id}"
