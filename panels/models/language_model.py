from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from panels.models.provider import Provider


class LanguageModelQuerySet(models.QuerySet["LanguageModel"]):
    def available(self) -> LanguageModelQuerySet:
        return self.filter(retired_at=None)

    def seatable(self) -> LanguageModelQuerySet:
        """Models that a new panel version can seat: a restricted one stays where it is."""
        return self.available().exclude(status=LanguageModel.Status.RESTRICTED)

    def callable(self) -> LanguageModelQuerySet:
        """Models that a provider answers for; recorded ones can only be replayed."""
        return self.exclude(provider__kind=Provider.Kind.RECORDED)


class LanguageModel(models.Model):
    """One entry of the inventory: provider, the provider's model id, price, limits, and what it may be used for.

    Prices are nano-dollars per million tokens. Null is an unknown price, which is not a price of 0. They are those of
    the newest ``ModelPrice``. ``pinned_version`` is what the provider has to say it is, where that was agreed.
    ``output_use`` is what its terms let its outputs be used for, ``output_terms`` where that stands. It may be asked in
    the ``allowed_roles`` and for the ``allowed_data_classes`` alone; ``deprecated_on`` is the vendor's last day for it.
    """

    class Status(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        TRIAL = "trial", "On trial"
        APPROVED = "approved", "Approved"
        RESTRICTED = "restricted", "Restricted"
        RETIRED = "retired", "Retired"

    class OutputUse(models.TextChoices):
        PRODUCT = "product", "In a product"
        EVALUATION = "evaluation", "For evaluation alone"
        UNKNOWN = "unknown", "Unknown"

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="language_models")
    name = models.CharField(max_length=200, help_text="The provider's own model id, sent as it is")
    price_in_nanousd_per_mtok = models.BigIntegerField(null=True, blank=True)
    price_out_nanousd_per_mtok = models.BigIntegerField(null=True, blank=True)
    price_source = models.CharField(max_length=300, blank=True)
    context_tokens = models.PositiveIntegerField(null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    pinned_version = models.CharField(max_length=200, blank=True)
    licence = models.CharField(max_length=120, blank=True)
    output_use = models.CharField(max_length=10, choices=OutputUse, default=OutputUse.UNKNOWN)
    output_terms = models.CharField(max_length=300, blank=True)
    allowed_roles = models.JSONField(default=list, blank=True)
    allowed_data_classes = models.JSONField(default=list, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.PROPOSED)
    retired_at = models.DateTimeField(null=True, blank=True)
    deprecated_on = models.DateField(null=True, blank=True)
    replaced_by = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replaces")
    created_at = models.DateTimeField()

    objects = LanguageModelQuerySet.as_manager()

    class Meta:
        permissions = [("govern_languagemodel", "Can say what a model may be used for")]
        constraints = [
            models.UniqueConstraint(name="model_unique_in_provider", fields=["provider", "name"]),
            models.CheckConstraint(name="model_name_not_empty", condition=~Q(name="")),
            models.CheckConstraint(
                name="model_prices_not_negative",
                condition=Q(price_in_nanousd_per_mtok__gte=0) | Q(price_in_nanousd_per_mtok=None),
            ),
            models.CheckConstraint(
                name="model_prices_out_not_negative",
                condition=Q(price_out_nanousd_per_mtok__gte=0) | Q(price_out_nanousd_per_mtok=None),
            ),
            models.CheckConstraint(
                name="model_price_known_on_both_sides",
                condition=Q(price_in_nanousd_per_mtok=None, price_out_nanousd_per_mtok=None)
                | Q(price_in_nanousd_per_mtok__isnull=False, price_out_nanousd_per_mtok__isnull=False),
            ),
            models.CheckConstraint(
                name="model_status_known",
                condition=Q(status__in=["proposed", "trial", "approved", "restricted", "retired"]),
            ),
            models.CheckConstraint(
                name="model_output_use_known", condition=Q(output_use__in=["product", "evaluation", "unknown"])
            ),
            models.CheckConstraint(
                name="model_retired_has_its_time",
                condition=Q(status="retired", retired_at__isnull=False) | (~Q(status="retired") & Q(retired_at=None)),
            ),
            models.CheckConstraint(
                name="model_does_not_replace_itself", condition=Q(replaced_by=None) | ~Q(replaced_by=F("pk"))
            ),
            models.CheckConstraint(
                name="model_retired_after_created", condition=Q(retired_at=None) | Q(retired_at__gte=F("created_at"))
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_price(self) -> bool:
        return self.price_in_nanousd_per_mtok is not None
