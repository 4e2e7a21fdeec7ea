from __future__ import annotations

from django.db import models
from django.db.models import Q

from panels.models.language_model import LanguageModel


class ModelPrice(models.Model):
    """What a model costs from a moment on, in nano-dollars per million tokens; null is unknown from then on.

    Rows are only added. A call names the row that it was costed by, so a new price never rewrites a past cost.
    """

    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="prices")
    in_nanousd_per_mtok = models.BigIntegerField(null=True, blank=True)
    out_nanousd_per_mtok = models.BigIntegerField(null=True, blank=True)
    source = models.CharField(max_length=300, blank=True)
    valid_from = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="price_known_on_both_sides",
                condition=Q(in_nanousd_per_mtok=None, out_nanousd_per_mtok=None)
                | Q(in_nanousd_per_mtok__isnull=False, out_nanousd_per_mtok__isnull=False),
            ),
            # Of an unknown price the comparison says neither yes nor no, and the check lets it pass.
            models.CheckConstraint(
                name="price_not_negative", condition=Q(in_nanousd_per_mtok__gte=0, out_nanousd_per_mtok__gte=0)
            ),
        ]
        indexes = [models.Index(name="price_by_begin", fields=["model", "valid_from"])]

    def __str__(self) -> str:
        return f"{self.model_id} from {self.valid_from}"
