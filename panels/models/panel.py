from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from panels.fusion.types import ArbiterWhen, StrategyName
from panels.models.language_model import LanguageModel


class Panel(models.Model):
    """A named panel. What it does is in its versions, which never change."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="panels_created"
    )

    def __str__(self) -> str:
        return self.name


class PanelVersion(models.Model):
    """An immutable, content-hashed version of a panel. ``content_hash`` is of the canonical JSON of its spec.

    The arbiter's columns count where ``arbiter_model`` is set; ``arbiter_prompt`` names the versioned text it is given.
    What live answers may wait (seconds) and cost (nano-dollars) has no bearing on runs.
    """

    class Strategy(models.TextChoices):
        MAJORITY = StrategyName.MAJORITY.value, "Majority"
        WEIGHTED = StrategyName.WEIGHTED.value, "Weighted"
        VERIFICATION = StrategyName.VERIFICATION.value, "Verification"
        SYNTHESIS = StrategyName.SYNTHESIS.value, "Synthesis"
        AUTO = StrategyName.AUTO.value, "Automatic"

    class ArbiterWhen(models.TextChoices):
        DISPUTED = ArbiterWhen.DISPUTED.value, "When disputed"
        ALWAYS = ArbiterWhen.ALWAYS.value, "Always"

    panel = models.ForeignKey(Panel, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    strategy = models.CharField(max_length=12, choices=Strategy)
    stop_at = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)])
    last_stage_settles = models.BooleanField(default=False)
    arbiter_model = models.ForeignKey(
        LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="arbitrated_versions"
    )
    arbiter_prompt = models.CharField(max_length=40, blank=True)
    arbiter_when = models.CharField(max_length=8, choices=ArbiterWhen, default=ArbiterWhen.DISPUTED)
    arbiter_max_tokens = models.PositiveIntegerField(default=2048)
    arbiter_temperature = models.FloatField(null=True, blank=True)
    arbiter_seed = models.BigIntegerField(null=True, blank=True)
    arbiter_may_be_member = models.BooleanField(default=False)
    min_replies = models.PositiveSmallIntegerField(null=True, blank=True)
    grace_s = models.FloatField(null=True, blank=True)
    deadline_s = models.FloatField(null=True, blank=True)
    hedges = models.BooleanField(default=False)
    max_cost_nanousd = models.BigIntegerField(null=True, blank=True)
    content_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="panel_versions_created"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(name="panel_version_number_unique", fields=["panel", "number"]),
            models.UniqueConstraint(name="panel_version_content_unique", fields=["panel", "content_hash"]),
            models.CheckConstraint(name="panel_version_number_from_one", condition=Q(number__gte=1)),
            models.CheckConstraint(
                name="panel_version_stop_at_is_share", condition=Q(stop_at=None) | Q(stop_at__gt=0, stop_at__lte=1)
            ),
            models.CheckConstraint(
                name="panel_version_strategy_known",
                condition=Q(strategy__in=["majority", "weighted", "verification", "synthesis", "auto"]),
            ),
            models.CheckConstraint(
                name="panel_version_arbiter_is_whole",
                condition=Q(arbiter_model=None, arbiter_prompt="")
                | (Q(arbiter_model__isnull=False, arbiter_max_tokens__gte=1) & ~Q(arbiter_prompt="")),
            ),
            models.CheckConstraint(
                name="panel_version_arbitration_has_arbiter",
                condition=~Q(strategy__in=["verification", "synthesis"]) | Q(arbiter_model__isnull=False),
            ),
            models.CheckConstraint(
                name="panel_version_votes_without_arbiter",
                condition=~Q(strategy__in=["majority", "weighted"]) | Q(arbiter_model=None),
            ),
            models.CheckConstraint(
                name="panel_version_arbiter_when_known", condition=Q(arbiter_when__in=["disputed", "always"])
            ),
            models.CheckConstraint(
                name="panel_version_waits_positive",
                condition=(Q(min_replies=None) | Q(min_replies__gte=1))
                & (Q(grace_s=None) | Q(grace_s__gte=0))
                & (Q(deadline_s=None) | Q(deadline_s__gt=0)),
            ),
            models.CheckConstraint(
                name="panel_version_ceiling_positive", condition=Q(max_cost_nanousd=None) | Q(max_cost_nanousd__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.panel_id} v{self.number}"


class Member(models.Model):
    """A model's seat on a panel version. ``stage`` and ``seat`` count from 0; ``seat`` is the panel order.

    ``skill`` is the estimated probability of being right on labelled data; where set, weighted fusion derives the
    weight from it. Sampling settings that are null are not sent. A member that is ``in_house`` may see raw text where
    the others see placeholders.
    """

    version = models.ForeignKey(PanelVersion, on_delete=models.CASCADE, related_name="members")
    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="seats")
    stage = models.PositiveSmallIntegerField()
    seat = models.PositiveSmallIntegerField()
    weight = models.FloatField(default=1.0)
    skill = models.FloatField(null=True, blank=True)
    max_tokens = models.PositiveIntegerField(default=1024)
    temperature = models.FloatField(null=True, blank=True)
    top_p = models.FloatField(null=True, blank=True)
    seed = models.BigIntegerField(null=True, blank=True)
    in_house = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="member_seat_unique", fields=["version", "seat"]),
            models.CheckConstraint(name="member_weight_not_negative", condition=Q(weight__gte=0)),
            models.CheckConstraint(name="member_skill_is_share", condition=Q(skill=None) | Q(skill__gt=0, skill__lt=1)),
            models.CheckConstraint(name="member_max_tokens_positive", condition=Q(max_tokens__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.version_id}:{self.seat}"
