"""From a filled-in form to a run under way: the experiment and its first run, both or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from evaluation.models import DatasetVersion, Run, Workflow
from evaluation.services.experiments import ArmSpec, create_experiment
from evaluation.services.runs import start_run


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """How hard a run may try: calls at once, nano-dollars (None: no cap), and whether earlier replies serve."""

    concurrency: int
    cap_nanousd: int | None
    reuse_replies: bool


@transaction.atomic
def start_comparison(
    *,
    title: str,
    workflow: Workflow | None,
    dataset_version: DatasetVersion,
    replies: str,
    arms: Sequence[ArmSpec],
    limits: RunLimits,
    by: User | None,
    now: datetime,
) -> Run:
    """Raises InvalidExperiment and whatever ``start_run`` raises; then nothing of it is stored."""
    experiment = create_experiment(
        title=title, workflow=workflow, dataset_version=dataset_version, replies=replies, arms=arms, by=by, now=now
    )
    return start_run(
        experiment=experiment,
        concurrency=limits.concurrency,
        cap_nanousd=limits.cap_nanousd,
        reuse_replies=limits.reuse_replies,
        by=by,
        now=now,
    )
