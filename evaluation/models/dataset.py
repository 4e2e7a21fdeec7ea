from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from evaluation.models.workflow import Workflow
from panels.fusion.types import AnswerKind
from panels.models import Provider


class Dataset(models.Model):
    """Benchmark items of a workflow. What is in it is in its versions, which never change."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    workflow = models.ForeignKey(Workflow, null=True, blank=True, on_delete=models.SET_NULL, related_name="datasets")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class DatasetVersionQuerySet(models.QuerySet["DatasetVersion"]):
    def published(self) -> DatasetVersionQuerySet:
        """Versions that may be seen; one that is still loading, or whose import failed, is not among them."""
        return self.filter(published_at__isnull=False)


class DatasetVersion(models.Model):
    """An immutable version of a dataset. It is invisible until ``published_at`` is set, once, after the last row."""

    class Kind(models.TextChoices):
        CHOICE = AnswerKind.CHOICE.value, "Choice"
        LABEL = AnswerKind.LABEL.value, "Label"
        NUMBER = AnswerKind.NUMBER.value, "Number"
        SHORT = AnswerKind.SHORT.value, "Short text"
        TEXT = AnswerKind.TEXT.value, "Free text"
        JSON = AnswerKind.JSON.value, "JSON"

    class Scorer(models.TextChoices):
        EXACT = "exact", "Exact"
        NUMBER = "number", "Number"
        SHORT_F1 = "short_f1", "Short text, token F1"
        KEY_FACTS = "key_facts", "Key facts"
        RECORDED = "recorded", "As recorded"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    answer_kind = models.CharField(max_length=8, choices=Kind)
    scorer = models.CharField(max_length=10, choices=Scorer)
    tolerance = models.FloatField(default=1e-6, help_text="Relative, for numbers")
    content_hash = models.CharField(max_length=64, blank=True)
    example_count = models.PositiveIntegerField(default=0)
    output_count = models.PositiveIntegerField(default=0)
    recorded_by = models.ForeignKey(
        Provider, null=True, blank=True, on_delete=models.PROTECT, related_name="recorded_versions"
    )
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="dataset_versions_created"
    )

    objects = DatasetVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="dataset_version_number_unique", fields=["dataset", "number"]),
            models.CheckConstraint(name="dataset_version_number_from_one", condition=Q(number__gte=1)),
            models.CheckConstraint(
                name="dataset_version_kind_known",
                condition=Q(answer_kind__in=["choice", "label", "number", "short", "text", "json"]),
            ),
            models.CheckConstraint(
                name="dataset_version_scorer_known",
                condition=Q(scorer__in=["exact", "number", "short_f1", "key_facts", "recorded"]),
            ),
            models.CheckConstraint(name="dataset_version_tolerance_not_negative", condition=Q(tolerance__gte=0)),
            models.CheckConstraint(
                name="dataset_version_published_is_hashed", condition=Q(published_at=None) | ~Q(content_hash="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset_id} v{self.number}"
