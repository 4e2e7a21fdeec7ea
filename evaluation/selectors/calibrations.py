"""The confidence of an answer that is given outside a labelled run."""

from __future__ import annotations

from evaluation.models import Calibration
from evaluation.stats.calibration import Step
from evaluation.stats.interval import Interval


def newest_steps(panel_version_id: int) -> tuple[Step, ...]:
    """The map of the labelled run of this panel version that finished last, for ``confidence_of``; empty without one.

    One query.
    """
    stored = Calibration.objects.filter(panel_version=panel_version_id, run__finished_at__isnull=False)
    steps = stored.order_by("-run__finished_at", "-run").values_list("steps", flat=True).first()
    return tuple(Step(**{**step, "interval": Interval(**step["interval"])}) for step in steps or ())
