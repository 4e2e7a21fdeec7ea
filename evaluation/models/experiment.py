from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from evaluation.models.dataset import DatasetVersion
from evaluation.models.workflow import Workflow
from panels.models import PanelVersion


class Experiment(models.Model):
    """A comparison of panel versions on one dataset version."""

    class Replies(models.TextChoices):
        LIVE = "live", "Ask the providers"
        RECORDED = "recorded", "Replay recorded outputs"

    title = models.CharField(max_length=160)
    workflow = models.ForeignKey(Workflow, null=True, blank=True, on_delete=models.SET_NULL, related_name="experiments")
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="experiments")
    replies = models.CharField(max_length=8, choices=Replies)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="experiments_created"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(name="experiment_replies_known", condition=Q(replies__in=["live", "recorded"])),
            models.CheckConstraint(name="experiment_title_not_empty", condition=~Q(title="")),
        ]

    def __str__(self) -> str:
        return self.title


class Arm(models.Model):
    """One panel version in an experiment. Exactly one arm of an experiment is the baseline."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="arms")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=120)
    panel_version = models.ForeignKey(PanelVersion, on_delete=models.PROTECT, related_name="arms")
    is_baseline = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="arm_position_unique", fields=["experiment", "position"]),
            models.UniqueConstraint(name="arm_name_unique", fields=["experiment", "name"]),
            models.UniqueConstraint(name="arm_one_baseline", fields=["experiment"], condition=Q(is_baseline=True)),
            models.CheckConstraint(name="arm_name_not_empty", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name
