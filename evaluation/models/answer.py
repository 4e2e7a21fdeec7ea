from __future__ import annotations

from typing import NamedTuple

from django.db import models
from django.db.models import Q

from evaluation.models.example import Example
from evaluation.models.experiment import Arm
from evaluation.models.run import Run
from panels.fusion.types import AnswerKind
from panels.models import PanelVersion


class Place(NamedTuple):
    """Where an answer stands in a comparison."""

    run: Run
    arm: Arm
    example: Example


class Answer(models.Model):
    """The fused result for one prompt under one panel version: the central record.

    Offline it belongs to an example under one arm of a run. A live one has none of the three; what was asked, and of
    which panel version, stands in its ``live_request``.

    ``value`` is the fused ballot in canonical form (for free text its first 300 characters; the whole text is that
    of the winning seat's call, or ``text`` where no member wrote it). ``cost_nanousd`` is the list cost of all replies
    the example needed, the arbiter's and reused ones included; null if any price is unknown. ``latency_s`` is the sum
    over stages of the slowest member, and the arbiter's time; null where not measured. ``versus`` compares with the
    baseline arm once the run has ended. ``degraded`` lists what was cut short and why. ``strategy`` is the one that
    was applied, ``strategy_reason`` why where the panel left it open. ``analysis`` is what the arbiter found, null
    where it was not asked. ``confidence`` is blank until calibrated. ``masking`` says of a run's answer which fields
    were marked as sensitive and how many places of the prompt were masked, by kind; null where its run masks nothing.
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

    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.CASCADE, related_name="answers")
    arm = models.ForeignKey(Arm, null=True, blank=True, on_delete=models.CASCADE, related_name="answers")
    example = models.ForeignKey(Example, null=True, blank=True, on_delete=models.PROTECT, related_name="answers")
    position = models.PositiveIntegerField(default=0)
    outcome = models.CharField(max_length=10, choices=Outcome)
    value = models.TextField(null=True, blank=True)  # noqa: DJ001 - null is "no fused ballot", "" is an answer
    winner_seat = models.PositiveSmallIntegerField(null=True, blank=True)
    text = models.TextField(blank=True)
    strategy = models.CharField(max_length=12, blank=True)
    strategy_reason = models.CharField(max_length=200, blank=True)
    analysis = models.JSONField(null=True, blank=True)
    confidence = models.FloatField(null=True, blank=True)
    consensus = models.FloatField()
    correct = models.BooleanField(null=True, blank=True)
    score = models.FloatField(null=True, blank=True)
    stages_called = models.PositiveSmallIntegerField()
    settled = models.BooleanField(default=False)
    call_count = models.PositiveSmallIntegerField()
    cost_nanousd = models.BigIntegerField(null=True, blank=True)
    latency_s = models.FloatField(null=True, blank=True)
    degraded = models.JSONField(default=list)
    masking = models.JSONField(null=True, blank=True)
    versus = models.CharField(max_length=8, choices=Versus, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="answer_unique", fields=["run", "arm", "example"]),
            models.CheckConstraint(
                name="answer_is_of_a_run_or_live",
                condition=Q(run__isnull=False, arm__isnull=False, example__isnull=False)
                | Q(run=None, arm=None, example=None),
            ),
            models.CheckConstraint(
                name="answer_outcome_known", condition=Q(outcome__in=["answered", "abstained", "failed"])
            ),
            models.CheckConstraint(
                name="answer_value_only_if_answered",
                condition=Q(outcome="answered", value__isnull=False)
                | (~Q(outcome="answered") & Q(value=None, winner_seat=None, text="")),
            ),
            models.CheckConstraint(
                name="answer_is_somebodys_words", condition=Q(value=None) | Q(winner_seat__isnull=False) | ~Q(text="")
            ),
            models.CheckConstraint(
                name="answer_confidence_is_share",
                condition=Q(confidence=None) | Q(confidence__gte=0, confidence__lte=1),
            ),
            models.CheckConstraint(name="answer_consensus_is_share", condition=Q(consensus__gte=0, consensus__lte=1)),
            models.CheckConstraint(
                name="answer_cost_not_negative", condition=Q(cost_nanousd=None) | Q(cost_nanousd__gte=0)
            ),
        ]
        indexes = [
            models.Index(name="answer_by_arm", fields=["run", "arm", "position"]),
            models.Index(name="answer_by_time", fields=["created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}:{self.arm_id}:{self.example_id}"

    @property
    def place(self) -> Place:
        """Where an answer of a run belongs; load the three with it. ValueError for a live answer."""
        if self.run is None or self.arm is None or self.example is None:
            raise ValueError(f"answer {self.pk} is live: it belongs to no run")
        return Place(run=self.run, arm=self.arm, example=self.example)

    @property
    def panel_version(self) -> PanelVersion:
        """Who was asked, in a run or live."""
        return self.live_request.panel_version if self.arm is None else self.arm.panel_version

    @property
    def answer_kind(self) -> AnswerKind:
        if self.run is None:
            return AnswerKind(self.live_request.answer_kind)
        return AnswerKind(self.run.experiment.dataset_version.answer_kind)

    @property
    def escalated(self) -> bool:
        return self.stages_called > 1
