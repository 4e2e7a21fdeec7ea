from __future__ import annotations

from django.db import models
from django.db.models import Q

from evaluation.models.run import Run
from panels.models import PanelVersion


class Calibration(models.Model):
    """The map from consensus to confidence that one panel version got from the labelled answers of one run.

    ``steps`` is the JSON form of ``evaluation.stats.calibration.Step``, by rising consensus; ``error`` the expected
    calibration error, a share; ``n`` the labelled answers behind them. An answer that is given elsewhere under the
    same panel version takes its confidence from the map of the run that finished last.
    """

    panel_version = models.ForeignKey(PanelVersion, on_delete=models.CASCADE, related_name="calibrations")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="calibrations")
    method = models.CharField(max_length=60)
    n = models.PositiveIntegerField()
    error = models.FloatField()
    steps = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="calibration_unique", fields=["panel_version", "run"]),
            models.CheckConstraint(name="calibration_error_is_share", condition=Q(error__gte=0, error__lte=1)),
            models.CheckConstraint(name="calibration_n_positive", condition=Q(n__gte=1)),
            models.CheckConstraint(name="calibration_method_named", condition=~Q(method="")),
        ]

    def __str__(self) -> str:
        return f"{self.panel_version_id}:{self.run_id}"
