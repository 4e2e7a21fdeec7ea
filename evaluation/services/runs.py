from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, Min

from evaluation.execution.batches import clock_stopped, plan_batches
from evaluation.execution.data_gate import require_run_gate
from evaluation.execution.plan import asked_models, experiment_models, plan_arms
from evaluation.execution.worst_cases import batch_size, example_worst_nanousd
from evaluation.models import Answer, ArmProgress, Batch, Experiment, Run, RunResult
from evaluation.policies import (
    WrongState,
    require_cancellable,
    require_pausable,
    require_resumable,
    require_retryable,
)
from evaluation.tasks import wake_run
from panels.fusion.pricing import Price
from panels.gateway import require_keys
from panels.models import LanguageModel
from panels.services.audit import record_audit
from panels.specs import inventory_key


class UnknownPrice(Exception):
    """A run with a cap asks a model whose price is not known, so nobody could say when the cap is reached."""

    def __init__(self, models: Sequence[str]) -> None:
        self.models = tuple(models)
        names = ", ".join(models)
        super().__init__(
            f"The price of {names} is not known, so a cap cannot hold. Enter the price, or run without a cap."
        )


class RetiredModel(Exception):
    """A model of the experiment has been retired since."""

    def __init__(self, models: Sequence[str]) -> None:
        self.models = tuple(models)
        super().__init__(f"Retired since this experiment was made: {', '.join(models)}. Use another panel version.")


class CapTooLow(Exception):
    """The new cap leaves no room above what has been spent."""


class NothingToRetry(Exception):
    """The run holds no failed answer that asking again could mend."""


@transaction.atomic
def start_run(
    *,
    experiment: Experiment,
    concurrency: int,
    cap_nanousd: int | None,
    reuse_replies: bool,
    by: User | None,
    now: datetime,
    environ: Mapping[str, str] = os.environ,
    wake: bool = True,
) -> Run:
    """A new run of the whole experiment, queued. Raises UnknownPrice, RetiredModel, MissingKey and GateClosed.

    ``wake`` False is for a caller who works on the run itself.

    ``cap_nanousd`` None is no cap. Arms that share a member share its reply also where ``reuse_replies`` is off: that
    setting is about replies of other runs.
    """
    _require_callable(asked_models(experiment), cap_nanousd, environ)
    require_run_gate(experiment, now=now)
    latest = experiment.runs.aggregate(latest=Max("number"))["latest"] or 0
    run = Run.objects.create(
        experiment=experiment,
        number=latest + 1,
        concurrency=concurrency,
        cap_nanousd=cap_nanousd,
        reuse_replies=reuse_replies,
        answers_wanted=experiment.dataset_version.examples.count() * experiment.arms.count(),
        created_at=now,
        created_by=by,
    )
    ArmProgress.objects.bulk_create(ArmProgress(run=run, arm=arm) for arm in experiment.arms.all())
    _make_batches(run)
    _record("run.started", run, by, now, cap_nanousd=cap_nanousd, answers_wanted=run.answers_wanted)
    if wake:
        _wake_on_commit(run)
    return run


@transaction.atomic
def pause_run(*, run: Run, by: User | None, now: datetime) -> Run:
    """Workers finish what they have begun, within about the time of one answer, and give back the rest."""
    run.refresh_from_db()
    require_pausable(run)
    moved = _move(run, Run.State.PAUSED, **clock_stopped(run, now=now))
    _record("run.paused", run, by, now)
    return moved


@transaction.atomic
def resume_run(*, run: Run, by: User | None, now: datetime, cap_nanousd: int | None = None) -> Run:
    """Continues a paused run, or with a higher ``cap_nanousd`` one that came to its cap.

    Raises CapTooLow, and GateClosed where its data may no longer go where it went.
    """
    run.refresh_from_db()
    require_resumable(run)
    cap = run.cap_nanousd if cap_nanousd is None else cap_nanousd
    _require_room(run, cap)
    require_run_gate(run.experiment, now=now)
    moved = _move(run, Run.State.QUEUED, cap_nanousd=cap)
    _record("run.resumed", run, by, now, cap_nanousd=cap)
    _wake_on_commit(moved)
    return moved


@transaction.atomic
def cancel_run(*, run: Run, by: User | None, now: datetime) -> Run:
    """Ends the run for good; what it has recorded stays."""
    run.refresh_from_db()
    require_cancellable(run)
    moved = _move(run, Run.State.CANCELLED, finished_at=now, **clock_stopped(run, now=now))
    _record("run.cancelled", run, by, now, spent_nanousd=moved.spent_nanousd)
    return moved


@transaction.atomic
def retry_failed(*, run: Run, by: User | None, now: datetime) -> Run:
    """Asks again for the failed answers of a finished run, each replaced in place. Raises NothingToRetry, GateClosed.

    Replies that came stay; only what failed is asked anew, as a further attempt.
    """
    run.refresh_from_db()
    require_retryable(run)
    if run.experiment.replies == Experiment.Replies.RECORDED:
        raise NothingToRetry("A replay would bring the same outputs again.")
    failed = Answer.objects.filter(run=run, outcome=Answer.Outcome.FAILED)
    positions = sorted(set(failed.values_list("position", flat=True)))
    if not positions:
        raise NothingToRetry("No answer of this run has failed.")
    require_run_gate(run.experiment, now=now)
    _make_retry_batches(run, positions)
    RunResult.objects.filter(run=run).delete()
    moved = _move(run, Run.State.QUEUED, finished_at=None)
    _record("run.retried", run, by, now, examples=len(positions))
    _wake_on_commit(moved)
    return moved


def _record(action: str, run: Run, by: User | None, now: datetime, **detail: object) -> None:
    label = f"{run.experiment.title}, run {run.number}"
    record_audit(action=action, actor=by, subject=f"run:{run.pk}", label=label, detail=detail, now=now)


def _require_callable(models: Iterable[LanguageModel], cap_nanousd: int | None, environ: Mapping[str, str]) -> None:
    retired = [model.name for model in models if model.retired_at is not None]
    if retired:
        raise RetiredModel(retired)
    unpriced = [model.name for model in models if not model.has_price]
    if unpriced and cap_nanousd is not None:
        raise UnknownPrice(unpriced)
    require_keys(models, environ=environ)


def _require_room(run: Run, cap_nanousd: int | None) -> None:
    if cap_nanousd is None:
        return
    if cap_nanousd < run.spent_nanousd + run.reserved_nanousd:
        raise CapTooLow("The cap must not be below what has been spent already.")
    if run.state == Run.State.CAPPED and run.cap_nanousd is not None and cap_nanousd <= run.cap_nanousd:
        raise CapTooLow("The run stopped at its cap. Give it a higher one to continue.")


def _move(run: Run, state: Run.State, **fields: object) -> Run:
    """Changes the state only if it is still what the rules were checked against."""
    if not Run.objects.filter(pk=run.pk, state=run.state).update(state=state, **fields):
        raise WrongState("The run's state has just changed. Look again.")
    run.refresh_from_db()
    return run


def _make_batches(run: Run) -> None:
    version = run.experiment.dataset_version
    ends = version.examples.aggregate(first=Min("position"), last=Max("position"))
    if ends["first"] is None:
        return
    size = _batch_size(run, asks=bool(asked_models(run.experiment)))
    Batch.objects.bulk_create(plan_batches(run=run, first=ends["first"], last=ends["last"], size=size))


def _make_retry_batches(run: Run, positions: Sequence[int]) -> None:
    size = _batch_size(run, asks=True)
    latest = run.batches.aggregate(latest=Max("number"))["latest"] or 0
    shares = [positions[start : start + size] for start in range(0, len(positions), size)]
    Batch.objects.bulk_create(
        Batch(run=run, number=latest + 1 + place, first_position=share[0], last_position=share[-1], retry=True)
        for place, share in enumerate(shares)
    )


def _batch_size(run: Run, *, asks: bool) -> int:
    experiment = run.experiment
    prices = {
        inventory_key(model.pk): Price.known(model.price_in_nanousd_per_mtok, model.price_out_nanousd_per_mtok)
        for model in experiment_models(experiment)
    }
    worst = example_worst_nanousd(
        version=experiment.dataset_version,
        arms=plan_arms(experiment),
        prices=prices,
        replays=experiment.replies == Experiment.Replies.RECORDED,
    )
    return batch_size(asks=asks, cap_nanousd=run.cap_nanousd, example_nanousd=worst)


def _wake_on_commit(run: Run) -> None:
    # robust: without a broker the run waits for the next sweep, and the caller has still been served.
    transaction.on_commit(partial(wake_run, run_id=run.pk), robust=True)
