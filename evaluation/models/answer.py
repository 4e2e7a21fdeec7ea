from __future__ import annotations

from django.db import models
from django.db.models import Q

from evaluation.models.example import Example
from evaluation.models.experiment import Arm
from evaluation.models.run import Run


class Answer(models.Model):
    """The fused result for one example under one arm of a run: the central record.

    ``value`` is the fused ballot in canonical form (for free text its first 300 characters; the whole text is that
    of the winning seat's call). ``cost_nanousd`` is the list cost of all replies the example needed, reused ones
    included; null if any price is unknown. ``latency_s`` is the sum over stages of the slowest member, null where
    not measured. ``versus`` compares with the baseline arm once the run has ended. ``degraded`` lists what was cut
    short and why.
    """

    class Outcome(models.TextChoices):
        ANSWERED = "answered", "Answered"
        ABSTAINED = "abstained", "Abstained"
        FAILED = "failed", "Failed"

    class Versus(models.TextChoices):
        BOTH = "both", "Both right"
        WON = "won", "Won"
        LOST = "lost", "Lost"
        NEITHER = "neither", "Neither right"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="answers")
    arm = models.ForeignKey(Arm, on_delete=models.CASCADE, related_name="answers")
    example = models.ForeignKey(Example, on_delete=models.PROTECT, related_name="answers")
    position = models.PositiveIntegerField()
    outcome = models.CharField(max_length=10, choices=Outcome)
    value = models.TextField(null=True, blank=True)  # noqa: DJ001 - null is "no fused ballot", "" is an answer
    winner_seat = models.PositiveSmallIntegerField(null=True, blank=True)
    consensus = models.FloatField()
    correct = models.BooleanField(null=True, blank=True)
    score = models.FloatField(null=True, blank=True)
    stages_called = models.PositiveSmallIntegerField()
    settled = models.BooleanField(default=False)
    call_count = models.PositiveSmallIntegerField()
    cost_nanousd = models.BigIntegerField(null=True, blank=True)
    latency_s = models.FloatField(null=True, blank=True)
    degraded = models.JSONField(default=list)
    versus = models.CharField(max_length=8, choices=Versus, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="answer_unique", fields=["run", "arm", "example"]),
            models.CheckConstraint(
                name="answer_outcome_known", condition=Q(outcome__in=["answered", "abstained", "failed"])
            ),
            models.CheckConstraint(
                name="answer_value_only_if_answered",
                condition=Q(outcome="answered", value__isnull=False, winner_seat__isnull=False)
                | (~Q(outcome="answered") & Q(value=None, winner_seat=None)),
            ),
            models.CheckConstraint(name="answer_consensus_is_share", condition=Q(consensus__gte=0, consensus__lte=1)),
            models.CheckConstraint(
                name="answer_cost_not_negative", condition=Q(cost_nanousd=None) | Q(cost_nanousd__gte=0)
            ),
        ]
        indexes = [models.Index(name="answer_by_arm", fields=["run", "arm", "position"])]

    def __str__(self) -> str:
        return f"{self.run_id}:{self.arm_id}:{self.example_id}"

    @property
    def escalated(self) -> bool:
        return self.stages_called > 1
