from __future__ import annotations

from django.db import models
from django.db.models import Q


class Provider(models.Model):
    """A company or server that hosts models.

    A secret is never stored: ``api_key_env`` names the environment variable that holds it. ``RECORDED`` providers
    host nothing: their models' outputs were imported with a dataset and are replayed.
    """

    class Kind(models.TextChoices):
        OPENAI = "openai", "OpenAI-compatible"
        ANTHROPIC = "anthropic", "Anthropic messages"
        SIMULATED = "simulated", "Simulated"
        RECORDED = "recorded", "Recorded outputs"

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=12, choices=Kind)
    base_url = models.URLField(max_length=300, blank=True, help_text="For example https://openrouter.ai/api/v1")
    api_key_env = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="provider_kind_known", condition=Q(kind__in=["openai", "anthropic", "simulated", "recorded"])
            ),
            models.CheckConstraint(
                name="provider_has_url_unless_recorded", condition=Q(kind="recorded") ^ ~Q(base_url="")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_simulated(self) -> bool:
        return self.kind == self.Kind.SIMULATED
