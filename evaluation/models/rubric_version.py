from __future__ import annotations

from django.db import models
from django.db.models import Q


class RubricVersion(models.Model):
    """The questions that reviewers answer, and what each answer means. It never changes once a session uses it.

    ``questions`` is a list of ``{"key", "title", "levels": [{"value", "label"}]}``; ``sha256`` is that of its
    canonical JSON, so that equal rubrics are one.
    """

    name = models.CharField(max_length=120)
    number = models.PositiveIntegerField()
    questions = models.JSONField()
    sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="rubric_version_number_unique", fields=["name", "number"]),
            models.CheckConstraint(name="rubric_version_number_from_one", condition=Q(number__gte=1)),
            models.CheckConstraint(name="rubric_version_name_not_empty", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"
