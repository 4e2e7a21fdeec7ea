from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from panels.models.provider import Provider


class LanguageModelQuerySet(models.QuerySet["LanguageModel"]):
    def available(self) -> LanguageModelQuerySet:
        return self.filter(retired_at=None)

    def callable(self) -> LanguageModelQuerySet:
        """Models that a provider answers for; recorded ones can only be replayed."""
        return self.exclude(provider__kind=Provider.Kind.RECORDED)


class LanguageModel(models.Model):
    """One entry of the inventory: provider, the provider's model id, price, limits.

    Prices are nano-dollars per million tokens. Null is an unknown price, which is not a price of 0.
    """

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="language_models")
    name = models.CharField(max_length=200, help_text="The provider's own model id, sent as it is")
    price_in_nanousd_per_mtok = models.BigIntegerField(null=True, blank=True)
    price_out_nanousd_per_mtok = models.BigIntegerField(null=True, blank=True)
    price_source = models.CharField(max_length=300, blank=True)
    context_tokens = models.PositiveIntegerField(null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    objects = LanguageModelQuerySet.as_manager()

    class Meta:
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
                name="model_retired_after_created", condition=Q(retired_at=None) | Q(retired_at__gte=F("created_at"))
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_price(self) -> bool:
        return self.price_in_nanousd_per_mtok is not None
