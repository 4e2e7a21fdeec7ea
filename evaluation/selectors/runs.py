"""What the page of a run shows while it runs: counts, money and errors from the counters the workers keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet, Sum

from evaluation.models import Arm, ArmProgress, Lease, Run
from evaluation.stats.interval import Interval
from evaluation.stats.proportions import wilson
from fusion_site.lib.chart import Look, arm_look
from panels.fusion.types import FailureKind
from panels.models import LanguageModel, Member, PanelVersion

# A worker polls its broker every quarter of a second and a sweep follows within five: longer means that none is there.
PICK_UP_WITHIN = timedelta(seconds=15)
FAILURE_WORDS = {
    FailureKind.TIMEOUT: "timed out",
    FailureKind.CONNECTION: "no connection",
    FailureKind.RATE_LIMITED: "rate limited",
    FailureKind.PAYMENT: "payment refused",
    FailureKind.AUTHENTICATION: "key refused",
    FailureKind.INVALID_MODEL: "unknown model",
    FailureKind.REQUEST: "request refused",
    FailureKind.SERVER: "provider failed",
    FailureKind.MALFORMED: "unreadable reply",
    FailureKind.STREAM_CUT: "reply cut off",
    FailureKind.EMPTY: "empty reply",
    FailureKind.REFUSED: "refused to answer",
    FailureKind.NOT_RECORDED: "not recorded",
    FailureKind.MASKING: "not sent: not fully masked",
    FailureKind.BREAKER_OPEN: "not asked: circuit breaker open",
    FailureKind.CEILING: "not asked: money ceiling",
    FailureKind.DEADLINE: "not waited for: deadline",
    FailureKind.LATE: "not waited for: grace period over",
    FailureKind.CANCELLED: "not needed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmHead:
    """How an arm is named on every page: its look, its panel version, its members."""

    pk: int
    name: str
    look: Look
    is_baseline: bool
    panel_slug: str
    panel_number: int
    members: tuple[str, ...]
    words: str
    simulated: bool
    arbiter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmState:
    """How far an arm is. ``scored`` is the denominator of ``accuracy``; its 95 % interval is Wilson's."""

    head: ArmHead
    done: int
    wanted: int
    failed: int
    abstained: int
    scored: int
    correct: int
    accuracy: float | None
    interval: Interval | None
    calls: int
    arbiter_calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCount:
    kind: str
    words: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A run at one moment. ``done`` counts answers of all arms; ``rate`` is answers per second since it began to run.

    ``waiting`` is true when no worker has taken the run up although one should have.
    """

    run: Run
    arms: tuple[ArmState, ...]
    done: int
    wanted: int
    calls: int
    failed: int
    rate: float | None
    elapsed_s: float
    seconds_left: float | None
    workers: int
    slots: int
    errors: tuple[ErrorCount, ...]
    error_count: int
    waiting: bool

    @property
    def share(self) -> float:
        return self.done / self.wanted if self.wanted else 0.0

    @property
    def committed_nanousd(self) -> int:
        return self.run.spent_nanousd + self.run.reserved_nanousd


def runs_with_experiment() -> QuerySet[Run]:
    related = ("experiment__workflow", "experiment__dataset_version__dataset__workflow", "created_by")
    return Run.objects.select_related(*related)


def arms_of(run: Run) -> tuple[Arm, ...]:
    """The run's arms, the baseline first, then in their order."""
    arms = Arm.objects.filter(experiment=run.experiment_id)
    arms = arms.select_related("panel_version__panel", "panel_version__arbiter_model__provider")
    return tuple(arms.order_by("-is_baseline", "position"))


def arm_heads(arms: Sequence[Arm]) -> dict[int, ArmHead]:
    """By arm; one query for the members of all."""
    seats: dict[int, list[Member]] = {}
    members = Member.objects.filter(version__in=[arm.panel_version_id for arm in arms])
    for member in members.select_related("model__provider").order_by("version", "seat"):
        seats.setdefault(member.version_id, []).append(member)
    others = [arm for arm in arms if not arm.is_baseline]
    places = {arm.pk: place for place, arm in enumerate(others)}
    return {arm.pk: _head(arm, seats.get(arm.panel_version_id, []), places.get(arm.pk, 0)) for arm in arms}


def _head(arm: Arm, members: Sequence[Member], place: int) -> ArmHead:
    version = arm.panel_version
    names = tuple(member.model.name for member in members)
    return ArmHead(
        pk=arm.pk,
        name=arm.name,
        look=arm_look(place, is_baseline=arm.is_baseline),
        is_baseline=arm.is_baseline,
        panel_slug=version.panel.slug,
        panel_number=version.number,
        members=names,
        words=_head_words(names, version),
        simulated=any(model.provider.is_simulated for model in _models(members, version)),
        arbiter="" if version.arbiter_model is None else version.arbiter_model.name,
    )


def _head_words(names: Sequence[str], version: PanelVersion) -> str:
    strategy = version.get_strategy_display().lower()
    if version.arbiter_model is not None:
        return f"{len(names)} member{'' if len(names) == 1 else 's'} and an arbiter, {strategy}"
    return names[0] if len(names) == 1 else f"{len(names)} members, {strategy}"


def _models(members: Sequence[Member], version: PanelVersion) -> Iterator[LanguageModel]:
    yield from (member.model for member in members)
    if version.arbiter_model is not None:
        yield version.arbiter_model


def run_state(run: Run, *, heads: Mapping[int, ArmHead], now: datetime, watched_s: float = 0.0) -> RunState:
    """Two queries: progress and leases. ``watched_s`` is how long somebody has seen it in this state."""
    progress = {entry.arm_id: entry for entry in ArmProgress.objects.filter(run=run)}
    per_arm = run.answers_wanted // len(heads) if heads else 0
    states = tuple(_arm_state(head, progress.get(pk), per_arm) for pk, head in heads.items())
    done = sum(state.done for state in states)
    elapsed = elapsed_seconds(run, now=now)
    workers, slots = _live_leases(run, now=now)
    errors = _errors(progress)
    return RunState(
        run=run,
        arms=states,
        done=done,
        wanted=run.answers_wanted,
        calls=sum(state.calls for state in states),
        failed=sum(state.failed for state in states),
        rate=_rate(done, elapsed),
        elapsed_s=elapsed,
        seconds_left=seconds_left(done=done, wanted=run.answers_wanted, elapsed_s=elapsed),
        workers=workers,
        slots=slots,
        errors=errors,
        error_count=sum(error.count for error in errors),
        waiting=run.state == Run.State.QUEUED and not workers and _queued_for(run, now, watched_s) > PICK_UP_WITHIN,
    )


def _queued_for(run: Run, now: datetime, watched_s: float) -> timedelta:
    """At least how long: a run that was resumed does not say since when, only what was seen of it counts."""
    return now - run.created_at if run.started_at is None else timedelta(seconds=watched_s)


def _arm_state(head: ArmHead, progress: ArmProgress | None, wanted: int) -> ArmState:
    counted = progress or ArmProgress()
    return ArmState(
        head=head,
        done=counted.done,
        wanted=wanted,
        failed=counted.failed,
        abstained=counted.abstained,
        scored=counted.scored,
        correct=counted.correct,
        accuracy=counted.correct / counted.scored if counted.scored else None,
        interval=wilson(counted.correct, counted.scored) if counted.scored else None,
        calls=counted.calls,
        arbiter_calls=counted.arbiter_calls,
    )


def elapsed_seconds(run: Run, *, now: datetime) -> float:
    """Seconds it has been running, pauses left out."""
    going = run.state == Run.State.RUNNING and run.resumed_at is not None
    return run.active_s + ((now - run.resumed_at).total_seconds() if going and run.resumed_at else 0.0)


def seconds_left(*, done: int, wanted: int, elapsed_s: float) -> float | None:
    """At the mean rate so far; None before the first answers tell."""
    rate = _rate(done, elapsed_s)
    return (wanted - done) / rate if rate else None


def _rate(done: int, elapsed_s: float) -> float | None:
    return done / elapsed_s if done and elapsed_s > 0 else None


def _live_leases(run: Run, *, now: datetime) -> tuple[int, int]:
    live = Lease.objects.filter(run=run, ended_at=None, expires_at__gt=now)
    found = live.aggregate(workers=Count("worker", distinct=True), slots=Sum("slots"))
    return found["workers"], found["slots"] or 0


def _errors(progress: Mapping[int, ArmProgress]) -> tuple[ErrorCount, ...]:
    counts: Counter[str] = Counter()
    for entry in progress.values():
        counts.update(entry.errors)
    return tuple(
        ErrorCount(kind=kind, words=failure_words(kind), count=count) for kind, count in counts.most_common() if count
    )


def failure_words(kind: str) -> str:
    """An outcome of a call in words; an unknown kind is shown as it is, a sentence with the names that are in it."""
    if kind in FailureKind.__members__.values():
        return FAILURE_WORDS[FailureKind(kind)]
    return kind if " " in kind else kind.replace("_", " ")


def unfinished_runs(*, limit: int) -> list[Run]:
    """The newest runs that have not ended, with how many answers they have (``answers_done``)."""
    runs = runs_with_experiment().filter(Q(pk__in=Run.objects.unfinished().values("pk")))
    return list(runs.annotate(answers_done=Sum("progress__done", default=0)).order_by("-pk")[:limit])
