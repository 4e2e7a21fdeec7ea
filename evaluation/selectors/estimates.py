"""What a run would take, before it is started: calls, money, time, and what it would be able to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db.models import Avg, Exists, F, Max, OuterRef, Sum

from evaluation.models import Answer, ArmProgress, Call, DatasetVersion, Experiment
from evaluation.selectors.arbiter_estimates import ArbiterEstimate, estimate_arbiters
from evaluation.selectors.byte_length import ByteLength
from evaluation.stats.power import detectable_difference
from panels.fusion.pricing import Price, call_cost, worst_case_cost
from panels.fusion.types import Usage
from panels.models import Member, PanelVersion

_BYTES_PER_TOKEN = 4
_ENVELOPE_BYTES = 200  # names, settings and brackets round the prompt in a request's body
_RECENT_CALLS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEstimate:
    """Money in nano-dollars, None where ``unpriced`` names a model of unknown price; time in seconds, None if nothing
    is known of the models' latency. Both hold the arbiters' share.

    ``calls`` is what the answers need if every stage is reached, ``calls_least`` if none but the first is. Of the
    expected ones, ``shared`` are asked once for several arms, ``reused`` need not be asked again, ``asked`` remain.
    ``expected_nanousd`` is for those that remain; ``worst_nanousd`` is if nothing can be reused, every stage is
    reached and every reply is as long as it may be. ``detectable_10`` and ``_20`` are differences of accuracy (shares)
    that this many pairs show with 80 % power where a tenth or a fifth of them are discordant. ``arbiter`` is None where
    no panel may ask one; its questions are not among ``calls``.
    """

    examples: int
    calls: int
    calls_least: int
    shared: int
    reused: int
    asked: int
    expected_nanousd: int | None
    worst_nanousd: int | None
    seconds: float | None
    unpriced: tuple[str, ...]
    replays: bool
    detectable_10: float
    detectable_20: float
    arbiter: ArbiterEstimate | None = None

    @property
    def asks_nobody(self) -> bool:
        return self.replays and self.arbiter is None


class _SeatKey(NamedTuple):
    """What tells two replies apart; seats with the same key share one."""

    model_id: int
    max_tokens: int
    temperature: float | None
    top_p: float | None
    seed: int | None
    twin: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seat:
    """``share`` of the examples is expected to reach the seat; ``held`` replies are there already."""

    key: _SeatKey
    member: Member
    share: float
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Habits:
    """What a model's recent replies were like: mean tokens of output, mean latency in seconds."""

    completion_tokens: float | None = None
    latency_s: float | None = None


def estimate_run(
    *,
    version: DatasetVersion,
    panels: Sequence[PanelVersion],
    replies: str,
    concurrency: int,
    reuse: bool,
    masks: bool = False,
) -> RunEstimate:
    """Five queries and one a model, more only for arbiters; ``panels`` are the arms' panel versions.

    A run that ``masks`` takes up no reply of one that does not, nor the other way round.
    """
    replays = replies == Experiment.Replies.RECORDED
    members = _members_by_version([panel.pk for panel in panels])
    shares = _later_shares(panels, members)
    held = _held_replies(version, masks=masks) if reuse and not replays else {}
    wanted = [
        _Seat(key=key, member=member, share=_share(member, panel, shares), held=held.get(key, 0))
        for panel in panels
        for key, member in _keyed(members.get(panel.pk, []))
    ]
    distinct = _merged(wanted)
    of_members = _estimate(version, panels, wanted, distinct, concurrency=concurrency, replays=replays)
    arbiter = estimate_arbiters(version, panels, reuse=reuse, masks=masks)
    return _with_arbiters(of_members, arbiter, concurrency=concurrency)


def _with_arbiters(members: RunEstimate, arbiter: ArbiterEstimate | None, *, concurrency: int) -> RunEstimate:
    if arbiter is None:
        return members
    busy_s = None if arbiter.busy_s is None else arbiter.busy_s / max(1, concurrency)
    return replace(
        members,
        expected_nanousd=_sum_known(members.expected_nanousd, arbiter.expected_nanousd),
        worst_nanousd=_sum_known(members.worst_nanousd, arbiter.worst_nanousd),
        seconds=None if members.seconds is None or busy_s is None else members.seconds + busy_s,
        unpriced=tuple(sorted({*members.unpriced, *arbiter.unpriced})),
        arbiter=arbiter,
    )


def _sum_known(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _estimate(
    version: DatasetVersion,
    panels: Sequence[PanelVersion],
    wanted: Sequence[_Seat],
    distinct: Sequence[_Seat],
    *,
    concurrency: int,
    replays: bool,
) -> RunEstimate:
    n = version.example_count
    needed = sum(round(n * seat.share) for seat in wanted)
    unshared = sum(round(n * seat.share) for seat in distinct)
    asked = {} if replays else {seat.key: max(0, round(n * seat.share) - seat.held) for seat in distinct}
    habits = _habits([seat.key.model_id for seat in distinct]) if asked else {}
    prompt_bytes = _prompt_bytes(version)
    return RunEstimate(
        examples=n,
        calls=n * len(wanted),
        calls_least=n * sum(seat.member.stage == 0 or not _may_stop(seat, panels) for seat in wanted),
        shared=needed - unshared,
        reused=0 if replays else unshared - sum(asked.values()),
        asked=sum(asked.values()),
        expected_nanousd=_expected_nanousd(distinct, asked, habits, prompt_bytes // n if n else 0),
        worst_nanousd=0 if replays else _worst_nanousd(distinct, n, prompt_bytes),
        seconds=_seconds(asked, habits, concurrency),
        unpriced=() if replays else _unpriced(distinct),
        replays=replays,
        detectable_10=detectable_difference(max(1, n), 0.10),
        detectable_20=detectable_difference(max(1, n), 0.20),
    )


def _members_by_version(versions: Sequence[int]) -> dict[int, list[Member]]:
    members: dict[int, list[Member]] = {}
    for member in Member.objects.filter(version__in=versions).select_related("model").order_by("version", "seat"):
        members.setdefault(member.version_id, []).append(member)
    return members


def _keyed(members: Sequence[Member]) -> list[tuple[_SeatKey, Member]]:
    """Equal seats of one panel are told apart by their index among each other."""
    seen: Counter[tuple[object, ...]] = Counter()
    keyed = []
    for member in members:
        settings = (member.model_id, member.max_tokens, member.temperature, member.top_p, member.seed)
        keyed.append((_SeatKey(*settings, twin=seen[settings]), member))
        seen[settings] += 1
    return keyed


def _may_stop(seat: _Seat, panels: Sequence[PanelVersion]) -> bool:
    return any(panel.pk == seat.member.version_id and panel.stop_at is not None for panel in panels)


def _share(member: Member, panel: PanelVersion, shares: Mapping[int, float]) -> float:
    return 1.0 if member.stage == 0 or panel.stop_at is None else shares.get(panel.pk, 1.0)


def _later_shares(panels: Sequence[PanelVersion], members: Mapping[int, Sequence[Member]]) -> dict[int, float]:
    """By panel version: the share of examples that went past the first stage in earlier runs; absent if none was."""
    staged = [panel.pk for panel in panels if panel.stop_at is not None]
    counted = (
        ArmProgress.objects.filter(arm__panel_version__in=staged, done__gt=0)
        .values_list("arm__panel_version")
        .annotate(answers=Sum("done"), replies=Sum("calls"))
        .order_by()
    )
    shares = {}
    for panel, answers, replies in counted:
        first = sum(member.stage == 0 for member in members.get(panel, []))
        later = len(members.get(panel, [])) - first
        shares[panel] = min(1.0, max(0.0, (replies / answers - first) / later)) if later else 0.0
    return shares


def _held_replies(version: DatasetVersion, *, masks: bool) -> dict[_SeatKey, int]:
    """About how many examples of this version have a reply of each seat, counting first stages of earlier runs."""
    alike = Answer.objects.filter(run=OuterRef("run"), masking__isnull=not masks)
    done = (
        ArmProgress.objects.filter(
            Exists(alike),
            run__experiment__dataset_version=version,
            run__experiment__replies=Experiment.Replies.LIVE,
            done__gt=0,
        )
        .values_list("arm__panel_version")
        .annotate(answers=Max(F("done") - F("failed")))
        .order_by()
    )
    answered = dict(done)
    held: dict[_SeatKey, int] = {}
    for panel, members in _members_by_version(list(answered)).items():
        for key, member in _keyed(members):
            if member.stage == 0:
                held[key] = max(held.get(key, 0), min(answered[panel], version.example_count))
    return held


def _merged(seats: Sequence[_Seat]) -> list[_Seat]:
    """One seat per key, reached as often as the arm that reaches it most."""
    merged: dict[_SeatKey, _Seat] = {}
    for seat in seats:
        known = merged.get(seat.key)
        merged[seat.key] = seat if known is None or known.share < seat.share else known
    return list(merged.values())


def _habits(models: Sequence[int]) -> dict[int, _Habits]:
    """From each model's latest replies, so that a long history costs no more than a short one; a query a model."""
    return {model: _habits_of(model) for model in set(models)}


def _habits_of(model: int) -> _Habits:
    bought = Call.objects.filter(
        model=model, role=Call.Role.MEMBER, outcome=Call.OK, reused_from=None, recorded_output=None
    )
    recent = bought.order_by("-pk")[:_RECENT_CALLS]
    means = recent.aggregate(tokens=Avg("completion_tokens"), seconds=Avg("latency_s"))
    return _Habits(completion_tokens=means["tokens"], latency_s=means["seconds"])


def _prompt_bytes(version: DatasetVersion) -> int:
    return version.examples.aggregate(total=Sum(ByteLength("prompt")))["total"] or 0


def _price(seat: _Seat) -> Price | None:
    return Price.known(seat.member.model.price_in_nanousd_per_mtok, seat.member.model.price_out_nanousd_per_mtok)


def _unpriced(seats: Sequence[_Seat]) -> tuple[str, ...]:
    return tuple(sorted({seat.member.model.name for seat in seats if _price(seat) is None}))


def _expected_nanousd(
    seats: Sequence[_Seat], asked: Mapping[_SeatKey, int], habits: Mapping[int, _Habits], mean_bytes: int
) -> int | None:
    """Input at four bytes a token, output as long as the model's recent replies, or else as long as it may be."""
    total = 0
    for seat in seats:
        calls = asked.get(seat.key, 0)
        spoken = habits.get(seat.key.model_id, _Habits()).completion_tokens
        usage = Usage(
            prompt_tokens=(mean_bytes + _ENVELOPE_BYTES) // _BYTES_PER_TOKEN,
            completion_tokens=seat.key.max_tokens if spoken is None else round(min(spoken, seat.key.max_tokens)),
        )
        cost = call_cost(_price(seat), usage)
        if cost is None and calls:
            return None
        total += calls * (cost or 0)
    return total


def _worst_nanousd(seats: Sequence[_Seat], n: int, prompt_bytes: int) -> int | None:
    total = 0
    for seat in seats:
        price = _price(seat)
        if price is None:
            return None
        body_bytes = prompt_bytes + n * _ENVELOPE_BYTES
        total += worst_case_cost(price, body_bytes=body_bytes, max_tokens=n * seat.key.max_tokens)
    return total


def _seconds(asked: Mapping[_SeatKey, int], habits: Mapping[int, _Habits], concurrency: int) -> float | None:
    """Models whose latency nobody has seen count as the mean of the others."""
    known = [habit.latency_s for habit in habits.values() if habit.latency_s is not None]
    if not known:
        return 0.0 if not any(asked.values()) else None
    usual = sum(known) / len(known)
    latencies = {model: habit.latency_s for model, habit in habits.items()}
    busy = sum(calls * (latencies.get(key.model_id) or usual) for key, calls in asked.items())
    return busy / max(1, concurrency)
