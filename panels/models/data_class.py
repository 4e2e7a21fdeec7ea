from __future__ import annotations

from django.db import models


class DataClass(models.TextChoices):
    """How sensitive the data is that a workflow sends."""

    PUBLIC = "public", "Public"
    INTERNAL = "internal", "Internal"
    PERSONAL = "personal", "Personal"
    HEALTH = "health", "Health"


class SeatRole(models.TextChoices):
    """What a model is asked as."""

    MEMBER = "member", "Member"
    ARBITER = "arbiter", "Arbiter"
