from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from evaluation.models.dataset import Dataset, DatasetVersion


class DatasetImport(models.Model):
    """The job that turns uploaded files into a dataset version.

    The files lie under ``folder`` (relative to the data directory) until the import ended. ``options`` holds the
    file names, the column mapping of a CSV file, answer kind, scorer and tolerance. ``problems`` lists at most 50
    things that are wrong, each ``{"file", "line", "field", "message"}``. A job whose heartbeat is too old is swept.
    Several imports may point at one version: importing the same content again reuses what is there.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Waiting for your choices"
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        PUBLISHED = "published", "Published"
        FAILED = "failed", "Failed"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="imports")
    version = models.ForeignKey(DatasetVersion, null=True, blank=True, on_delete=models.CASCADE, related_name="imports")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    folder = models.CharField(max_length=200)
    options = models.JSONField(default=dict)
    problems = models.JSONField(default=list)
    phase = models.CharField(max_length=20, blank=True)
    bytes_total = models.BigIntegerField(default=0)
    bytes_done = models.BigIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    lease_token = models.UUIDField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="imports_created"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="dataset_import_state_known",
                condition=Q(state__in=["draft", "queued", "running", "published", "failed"]),
            ),
            models.CheckConstraint(
                name="dataset_import_running_has_lease", condition=~Q(state="running") | Q(lease_token__isnull=False)
            ),
            models.CheckConstraint(
                name="dataset_import_published_has_version", condition=~Q(state="published") | Q(version__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset_id}:{self.pk}"

    @property
    def is_ended(self) -> bool:
        return self.state in {self.State.PUBLISHED, self.State.FAILED}
