from __future__ import annotations

from django.db import models

from evaluation.models.run import Run


class RunResult(models.Model):
    """What a finished run showed, computed once from its answers so that pages need not.

    ``data`` is the JSON form of ``evaluation.results.ResultData``; ``format`` is its version, and a row of an older
    format is computed anew.
    """

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="result")
    format = models.PositiveSmallIntegerField()
    data = models.JSONField()
    computed_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.run_id)
