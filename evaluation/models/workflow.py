from __future__ import annotations

from django.db import models
from django.db.models import Q

from panels.models import DataClass


class Workflow(models.Model):
    """A product use, with the targets its panel has to meet. A target that is null has not been set.

    ``allowed_regions`` are the codes of where its data may be processed (none named: anywhere), ``max_retention_days``
    is how long a provider may keep it (null: as long as it likes). Where it ``masks``, personal data in a prompt is
    replaced by placeholders before it leaves: first the values of the examples' ``sensitive_fields`` (names), then
    what patterns find. All of it holds for its experiments and its datasets.
    """

    DataClass = DataClass

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    data_class = models.CharField(max_length=10, choices=DataClass, default=DataClass.INTERNAL)
    allowed_regions = models.JSONField(default=list, blank=True)
    max_retention_days = models.PositiveIntegerField(null=True, blank=True)
    forbids_training = models.BooleanField(default=True)
    target_accuracy = models.FloatField(null=True, blank=True, help_text="Share in [0, 1]")
    target_p95_ms = models.PositiveIntegerField(null=True, blank=True)
    target_cost_change = models.FloatField(null=True, blank=True, help_text="Relative to the baseline; -0.25 is −25 %")
    masks = models.BooleanField(default=False)
    sensitive_fields = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="workflow_data_class_known",
                condition=Q(data_class__in=["public", "internal", "personal", "health"]),
            ),
            models.CheckConstraint(
                name="workflow_target_accuracy_is_share",
                condition=Q(target_accuracy=None) | Q(target_accuracy__gte=0, target_accuracy__lte=1),
            ),
            models.CheckConstraint(
                name="workflow_target_p95_positive", condition=Q(target_p95_ms=None) | Q(target_p95_ms__gt=0)
            ),
            models.CheckConstraint(
                name="workflow_target_cost_saves_at_most_all",
                condition=Q(target_cost_change=None) | Q(target_cost_change__gte=-1),
            ),
        ]

    def __str__(self) -> str:
        return self.name
