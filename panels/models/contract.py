from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from panels.models.provider import Provider


class YesNoUnknown(models.TextChoices):
    """What is known of a term. Unknown counts as no wherever it matters."""

    YES = "yes", "Yes"
    NO = "no", "No"
    UNKNOWN = "unknown", "Unknown"


class Contract(models.Model):
    """What is agreed with a provider, as somebody read it in the agreement. A row is never changed: news is a new row.

    Both days are included, in the service's time zone. Of the rows that have begun the one that began last speaks, and
    of those of one day the newest: so a contract that ended early is a new row with an earlier end. ``regions`` are the
    codes of where the provider may process what it is sent, none if that is unknown; ``retention_days`` is how long it
    keeps it, null if unknown.
    """

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="contracts")
    has_dpa = models.CharField(max_length=7, choices=YesNoUnknown, default=YesNoUnknown.UNKNOWN)
    has_baa = models.CharField(max_length=7, choices=YesNoUnknown, default=YesNoUnknown.UNKNOWN)
    trains_on_data = models.CharField(max_length=7, choices=YesNoUnknown, default=YesNoUnknown.UNKNOWN)
    regions = models.JSONField(default=list, blank=True)
    retention_days = models.PositiveIntegerField(null=True, blank=True)
    valid_from = models.DateField()
    valid_until = models.DateField()
    evidence = models.URLField(max_length=300, help_text="Where the agreement can be read")
    checked_on = models.DateField()
    owner = models.CharField(max_length=120, help_text="The role or team that answers for it")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="contract_terms_known_words",
                condition=Q(has_dpa__in=["yes", "no", "unknown"])
                & Q(has_baa__in=["yes", "no", "unknown"])
                & Q(trains_on_data__in=["yes", "no", "unknown"]),
            ),
            models.CheckConstraint(name="contract_days_in_order", condition=Q(valid_until__gte=F("valid_from"))),
            models.CheckConstraint(name="contract_has_evidence", condition=~Q(evidence="")),
            models.CheckConstraint(name="contract_has_owner", condition=~Q(owner="")),
        ]
        indexes = [models.Index(name="contract_by_begin", fields=["provider", "valid_from"])]

    def __str__(self) -> str:
        return f"{self.provider_id} from {self.valid_from}"
