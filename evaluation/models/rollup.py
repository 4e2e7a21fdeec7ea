"""What monitoring reads instead of calls: counts, sums and latency histograms by hour and by day (UTC)."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from evaluation.models.experiment import Arm
from evaluation.models.workflow import Workflow
from panels.models import LanguageModel, PanelVersion


class Grain(models.TextChoices):
    HOUR = "hour", "Hour"
    DAY = "day", "Day"


class RollupDue(models.Model):
    """Something was written into this hour (its beginning) since it was last rolled up.

    A writer adds a row in the transaction of what it writes, and a rollup deletes the rows that it saw: so no hour is
    forgotten, and writers never wait for each other.
    """

    hour = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.hour)


class RollupState(models.Model):
    """The one row that a rollup locks; ``swept_at`` is when all that was due had been rolled up last."""

    ONLY = 1

    swept_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(name="rollup_state_is_one_row", condition=Q(pk=1))]

    def __str__(self) -> str:
        return f"swept at {self.swept_at}"


def _known(grain_field: str = "grain") -> Q:
    return Q(**{f"{grain_field}__in": [grain.value for grain in Grain]})


def _key(*more: str) -> list[Any]:
    """The key of a row: a null workflow or arm is a value of it like any other."""
    either = [Coalesce(F(name), Value(0)) for name in ("workflow", "arm")]
    return [F("grain"), F("starts_at"), *either, *(F(name) for name in ("panel_version", *more))]


class CallRollup(models.Model):
    """The calls of one model in one role. A live answer's have no arm, and a workflow where it was asked for one.

    ``calls`` are rows, every attempt of its own; of them ``reused`` and ``replayed`` asked nobody. ``outcomes`` counts
    them all by outcome. Sums of tokens and money (nano-dollars) leave out what is unknown, ``cost_unknown`` and
    ``spent_unknown`` count it. ``latency`` and ``first_token`` are packed histograms of seconds, of calls that were
    asked and brought a reply.
    """

    grain = models.CharField(max_length=4, choices=Grain)
    starts_at = models.DateTimeField()
    workflow = models.ForeignKey(Workflow, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    panel_version = models.ForeignKey(PanelVersion, on_delete=models.CASCADE, related_name="+")
    arm = models.ForeignKey(Arm, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    model = models.ForeignKey(LanguageModel, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(max_length=8)
    calls = models.PositiveIntegerField()
    reused = models.PositiveIntegerField(default=0)
    replayed = models.PositiveIntegerField(default=0)
    outcomes = models.JSONField(default=dict)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    cost_nanousd = models.BigIntegerField(default=0)
    cost_unknown = models.PositiveIntegerField(default=0)
    spent_nanousd = models.BigIntegerField(default=0)
    spent_unknown = models.PositiveIntegerField(default=0)
    latency = models.BinaryField(default=bytes)
    first_token = models.BinaryField(default=bytes)

    class Meta:
        constraints = [
            models.UniqueConstraint(*_key("model", "role"), name="call_rollup_unique"),
            models.CheckConstraint(name="call_rollup_grain_known", condition=_known()),
            models.CheckConstraint(
                name="call_rollup_money_not_negative", condition=Q(cost_nanousd__gte=0, spent_nanousd__gte=0)
            ),
        ]
        indexes = [models.Index(name="call_rollup_by_time", fields=["grain", "starts_at"])]

    def __str__(self) -> str:
        return f"{self.grain} {self.starts_at}: {self.panel_version_id} {self.model_id}"


class AnswerRollup(models.Model):
    """The answers of one panel version.

    ``escalated`` answers reached a second stage, ``stopped_early`` ones ended before the panel's last. Of the
    ``arbitrated``, those are ``overturned`` whose answer is not that of the leading group. ``reasons`` counts by kind
    what was cut short, ``degraded`` the answers where something was. ``consensus`` and ``confidence`` count answers in
    20 bins of 0.05 from 0 to 1, the last one closed; without a confidence an answer stands in no bin. Money in
    nano-dollars, without the ``cost_unknown`` answers. ``latency`` is a packed histogram of seconds.
    """

    BINS = 20

    grain = models.CharField(max_length=4, choices=Grain)
    starts_at = models.DateTimeField()
    workflow = models.ForeignKey(Workflow, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    panel_version = models.ForeignKey(PanelVersion, on_delete=models.CASCADE, related_name="+")
    arm = models.ForeignKey(Arm, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    answers = models.PositiveIntegerField()
    answered = models.PositiveIntegerField(default=0)
    abstained = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    scored = models.PositiveIntegerField(default=0)
    correct = models.PositiveIntegerField(default=0)
    escalated = models.PositiveIntegerField(default=0)
    stopped_early = models.PositiveIntegerField(default=0)
    settled = models.PositiveIntegerField(default=0)
    arbitrated = models.PositiveIntegerField(default=0)
    overturned = models.PositiveIntegerField(default=0)
    degraded = models.PositiveIntegerField(default=0)
    reasons = models.JSONField(default=dict)
    consensus = models.JSONField(default=list)
    confidence = models.JSONField(default=list)
    cost_nanousd = models.BigIntegerField(default=0)
    cost_unknown = models.PositiveIntegerField(default=0)
    latency = models.BinaryField(default=bytes)

    class Meta:
        constraints = [
            models.UniqueConstraint(*_key(), name="answer_rollup_unique"),
            models.CheckConstraint(name="answer_rollup_grain_known", condition=_known()),
            models.CheckConstraint(
                name="answer_rollup_outcomes_add_up",
                condition=Q(answers=F("answered") + F("abstained") + F("failed")),
            ),
            models.CheckConstraint(
                name="answer_rollup_parts_within",
                condition=Q(
                    scored__lte=F("answers"),
                    correct__lte=F("scored"),
                    arbitrated__lte=F("answers"),
                    overturned__lte=F("arbitrated"),
                    degraded__lte=F("answers"),
                ),
            ),
        ]
        indexes = [models.Index(name="answer_rollup_by_time", fields=["grain", "starts_at"])]

    def __str__(self) -> str:
        return f"{self.grain} {self.starts_at}: {self.panel_version_id}"
