"""What the pages of an import show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from evaluation.models import DatasetImport

_FAILED_SHOWN_FOR = timedelta(days=1)
_MOST_SHOWN = 10
# Before this share is done, the time left would be a guess.
_LEAST_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportStanding:
    """How far an import is; ``seconds_left`` and ``rows_per_s`` are None while they cannot be told."""

    label: str
    kilobytes_done: int
    kilobytes_total: int
    rows: int
    rows_per_s: float | None
    seconds_left: float | None


def find_import(pk: int) -> DatasetImport | None:
    return DatasetImport.objects.select_related("dataset", "version", "created_by").filter(pk=pk).first()


def open_imports(now: datetime) -> list[DatasetImport]:
    """Imports that have not ended, and those that failed lately, newest first."""
    going = Q(state__in=[DatasetImport.State.DRAFT, DatasetImport.State.QUEUED, DatasetImport.State.RUNNING])
    failed = Q(state=DatasetImport.State.FAILED, ended_at__gte=now - _FAILED_SHOWN_FOR)
    rows = DatasetImport.objects.filter(going | failed).select_related("dataset")
    return list(rows.defer("options", "problems").order_by("-pk")[:_MOST_SHOWN])


def standing_of(job: DatasetImport, now: datetime) -> ImportStanding:
    elapsed = _elapsed_s(job.options, now)
    share = min(1.0, job.bytes_done / job.bytes_total) if job.bytes_total else 0.0
    known = elapsed is not None and elapsed > 0 and share >= _LEAST_SHARE
    return ImportStanding(
        label=_label(job),
        kilobytes_done=job.bytes_done // 1_000,
        kilobytes_total=max(job.bytes_total // 1_000, 1),
        rows=job.rows_done,
        rows_per_s=job.rows_done / elapsed if elapsed and job.rows_done else None,
        seconds_left=elapsed * (1 - share) / share if known and elapsed is not None else None,
    )


def _label(job: DatasetImport) -> str:
    if job.state == DatasetImport.State.QUEUED:
        return "Waiting for a worker"
    return "Loading rows" if job.phase == "loading" else "Checking the files"


def _elapsed_s(options: dict[str, Any], now: datetime) -> float | None:
    started = options.get("started_at")
    return (now - datetime.fromisoformat(started)).total_seconds() if started else None
