from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from panels.models.panel import Panel, PanelVersion


class ChangeRequestQuerySet(models.QuerySet["ChangeRequest"]):
    def open(self) -> ChangeRequestQuerySet:
        """Those that can still become the applied version as they stand."""
        return self.filter(state__in=ChangeRequest.OPEN)


class ChangeRequest(models.Model):
    """A wish to make ``candidate`` the applied version of its panel, in place of ``base`` (null: none was applied).

    ``evidence`` and ``policy`` are frozen values; ``signed_hash`` is of all that an approval stands for, so that an
    edit, which also counts ``revision`` on, leaves the approvals behind. ``envelope`` holds the ranges in which later
    parameters need one approval only. ``makes_baseline``: its approvers agree that people may fall back to it at once.
    ``moves`` counts every step; counting it on is the lock. ``refusal`` says why what was scheduled was not applied.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SUBMITTED = "submitted", "Submitted"
        APPROVED = "approved", "Approved"
        CHANGES_REQUESTED = "changes_requested", "Changes requested"
        REJECTED = "rejected", "Rejected"
        SCHEDULED = "scheduled", "Scheduled"
        APPLIED = "applied", "Applied"
        SUPERSEDED = "superseded", "Superseded"
        ROLLED_BACK = "rolled_back", "Rolled back"
        WITHDRAWN = "withdrawn", "Withdrawn"
        EXPIRED = "expired", "Expired"

    class Tier(models.IntegerChoices):
        FALL_BACK = 0, "0, fall back to the approved baseline"
        PARAMETER = 1, "1, parameter inside the approved envelope"
        CONTENT = 2, "2, member, prompt or setting"
        REACH = 3, "3, new provider, region or data class"

    OPEN = (State.SUBMITTED, State.APPROVED, State.SCHEDULED)

    panel = models.ForeignKey(Panel, on_delete=models.PROTECT, related_name="change_requests")
    candidate = models.ForeignKey(PanelVersion, on_delete=models.PROTECT, related_name="change_requests")
    base = models.ForeignKey(PanelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    summary = models.CharField(max_length=300)
    is_rollback = models.BooleanField(default=False)
    makes_baseline = models.BooleanField(default=False)
    tier = models.PositiveSmallIntegerField(choices=Tier)
    policy = models.JSONField()
    envelope = models.JSONField(default=dict)
    evidence = models.JSONField(default=dict)
    evidence_hash = models.CharField(max_length=64)
    signed_hash = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=20, choices=State, default=State.DRAFT)
    moves = models.PositiveIntegerField(default=0)
    refusal = models.TextField(blank=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="change_requests")
    submitted_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    scheduled_for = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = ChangeRequestQuerySet.as_manager()

    class Meta:
        permissions = [
            ("decide_changerequest", "Can approve, reject and send back change requests"),
            ("decide_as_compliance", "Decides on change requests for compliance"),
            ("apply_changerequest", "Can apply approved change requests and roll back"),
        ]
        constraints = [
            models.CheckConstraint(
                name="change_request_state_known",
                condition=Q(
                    state__in=[
                        "draft",
                        "submitted",
                        "approved",
                        "changes_requested",
                        "rejected",
                        "scheduled",
                        "applied",
                        "superseded",
                        "rolled_back",
                        "withdrawn",
                        "expired",
                    ]
                ),
            ),
            models.CheckConstraint(name="change_request_tier_known", condition=Q(tier__gte=0, tier__lte=3)),
            models.CheckConstraint(name="change_request_has_summary", condition=~Q(summary="")),
            models.CheckConstraint(
                name="change_request_changes_something", condition=Q(base=None) | ~Q(base=F("candidate"))
            ),
            models.CheckConstraint(
                name="change_request_falls_back_by_roll_back",
                condition=~Q(tier=0) | Q(is_rollback=True, makes_baseline=False),
            ),
            models.CheckConstraint(
                name="change_request_submitted_expires",
                condition=~Q(state__in=["submitted", "approved", "scheduled"])
                | Q(submitted_at__isnull=False, expires_at__gt=F("submitted_at")),
            ),
            models.CheckConstraint(
                name="change_request_scheduled_has_time",
                condition=Q(state="scheduled", scheduled_for__isnull=False)
                | (~Q(state="scheduled") & Q(scheduled_for=None)),
            ),
            models.CheckConstraint(name="change_request_revision_from_one", condition=Q(revision__gte=1)),
            models.UniqueConstraint(name="change_request_one_applied", fields=["panel"], condition=Q(state="applied")),
        ]
        indexes = [models.Index(name="change_request_by_state", fields=["state", "expires_at"])]

    def __str__(self) -> str:
        return f"Change request {self.pk}"


class ChangeContributor(models.Model):
    """Somebody who wrote the request or edited it, and therefore never decides on it."""

    request = models.ForeignKey(ChangeRequest, on_delete=models.PROTECT, related_name="contributors")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(name="change_contributor_unique", fields=["request", "person"])]

    def __str__(self) -> str:
        return f"{self.request_id}: {self.person_id}"


class ChangeDecision(models.Model):
    """What one approver said of one revision; counts as long as ``signed_hash`` is the request's."""

    class Verdict(models.TextChoices):
        APPROVED = "approved", "Approved"
        CHANGES_REQUESTED = "changes_requested", "Changes requested"
        REJECTED = "rejected", "Rejected"

    request = models.ForeignKey(ChangeRequest, on_delete=models.PROTECT, related_name="decisions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=20, choices=Verdict)
    as_compliance = models.BooleanField(default=False)
    reason = models.TextField(blank=True)
    signed_hash = models.CharField(max_length=64)
    decided_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="change_decision_once", fields=["request", "signed_hash", "person"]),
            models.CheckConstraint(
                name="change_decision_verdict_known",
                condition=Q(verdict__in=["approved", "changes_requested", "rejected"]),
            ),
            models.CheckConstraint(
                name="change_decision_refusal_has_reason", condition=Q(verdict="approved") | ~Q(reason="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id}: {self.verdict}"


class PanelApplication(models.Model):
    """One time that a version became the live one of its panel. Rows are only added; the highest number is current."""

    panel = models.ForeignKey(Panel, on_delete=models.PROTECT, related_name="applications")
    number = models.PositiveIntegerField()
    version = models.ForeignKey(PanelVersion, on_delete=models.PROTECT, related_name="applications")
    request = models.OneToOneField(ChangeRequest, on_delete=models.PROTECT, related_name="application")
    signed_hash = models.CharField(max_length=64)
    applied_at = models.DateTimeField()
    applied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(name="panel_application_number_unique", fields=["panel", "number"]),
            models.CheckConstraint(name="panel_application_number_from_one", condition=Q(number__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.panel_id}: {self.number}"
