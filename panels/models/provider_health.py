from __future__ import annotations

from django.db import models
from django.db.models import Q

from panels.models.provider import Provider


class ProviderHealth(models.Model):
    """What one worker process last knew of a provider it asks; written every few seconds, while there is news.

    ``breakers`` holds an object for each model asked: ``name``, ``state``, ``left_s`` (seconds until the next probe),
    ``calls`` and ``failures`` of the last minute, ``last_failure``. ``limit`` of ``ceiling`` calls may be under way.
    """

    worker = models.CharField(max_length=200)
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="health")
    breakers = models.JSONField(default=list)
    limit = models.PositiveIntegerField()
    ceiling = models.PositiveIntegerField()
    waiting = models.PositiveIntegerField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="provider_health_unique", fields=["worker", "provider"]),
            models.CheckConstraint(name="provider_health_limit_from_one", condition=Q(limit__gte=1)),
        ]
        verbose_name_plural = "provider health"

    def __str__(self) -> str:
        return f"{self.provider_id} by {self.worker}"
