from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from evaluation.models.workflow import Workflow


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, now: datetime) -> ApiKeyQuerySet:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)

    def expired(self, now: datetime) -> ApiKeyQuerySet:
        return self.filter(expires_at__lte=now, revoked_at=None)


class ApiKey(models.Model):
    """What a program shows to be let in, for the workflows it names and no others.

    The secret is 256 random bits and is shown once; ``secret_hash`` is its SHA-256 (nothing slower is needed where
    there is nothing to guess), ``prefix`` names the key in lists and logs. ``last_used_at`` is right to a minute.
    A key that replaces another names it in ``rotated_from``.
    """

    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64, unique=True)
    workflows = models.ManyToManyField(Workflow, related_name="api_keys")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="api_keys_created"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    rotated_from = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="rotated_to"
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="api_key_named", condition=~Q(name="")),
            models.CheckConstraint(name="api_key_prefix_not_empty", condition=~Q(prefix="")),
            models.CheckConstraint(
                name="api_key_expires_after_created", condition=Q(expires_at=None) | Q(expires_at__gt=F("created_at"))
            ),
            models.CheckConstraint(
                name="api_key_revoked_after_created", condition=Q(revoked_at=None) | Q(revoked_at__gte=F("created_at"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    def is_usable(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)
