"""What a run showed, as values: pages, charts and the command line read these and compute nothing.

Shares are in [0, 1], money is nano-dollars, latencies are seconds. None is unknown, not measured or not applicable;
it never stands for 0.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from evaluation.stats.bands import Band
from evaluation.stats.correlation import CorrelationMatrix
from evaluation.stats.interval import Interval

# Raise it whenever a value below changes: stored results of another format are computed anew.
RESULT_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberScore:
    """One seat of an arm, scored on its own ballots over the examples it was called for (`called`).

    `n` of those were scored; an unreadable ballot and a failed call are wrong, as they are for a panel of one.
    `voter` names the seat in the error correlation. `cost_nanousd` is None where `cost_unknown` calls have no known
    cost.
    """

    seat: int
    stage: int
    model_id: int
    model: str
    voter: str
    called: int
    n: int
    correct: int
    accuracy: float | None
    interval: Interval | None
    abstained: int
    failed: int
    cost_nanousd: int | None
    cost_unknown: int
    measured: int
    p50_s: float | None
    p95_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmScore:
    """One arm's scorecard. `items` answers, `n` of them scored: the denominator of `accuracy`.

    `abstained` counts answers without a fused ballot, `failed` those of them whose calls failed. `calls` counts
    member replies needed, reused ones included, retries not. `cost_nanousd` is their list cost, None where
    `cost_unknown` answers have no known cost; `cost_per_correct_nanousd` divides the cost of the scored answers.
    `spent_nanousd` is what this run paid. Escalation is None for a panel of one stage. `measured` answers have a
    latency. `effective_voters` is N_eff of the members, None for fewer than two scored ones.
    """

    arm_id: int
    name: str
    position: int
    is_baseline: bool
    simulated: bool
    stages: int
    items: int
    n: int
    correct: int
    accuracy: float | None
    interval: Interval | None
    abstained: int
    failed: int
    calls: int
    escalated: int
    escalation_rate: float | None
    escalation_interval: Interval | None
    cost_nanousd: int | None
    cost_unknown: int
    cost_per_request_nanousd: int | None
    cost_per_correct_nanousd: int | None
    spent_nanousd: int | None
    spent_unknown: int
    mean_consensus: float | None
    measured: int
    p50_s: float | None
    p50_interval: Interval | None
    p95_s: float | None
    p95_interval: Interval | None
    effective_voters: float | None
    members: tuple[MemberScore, ...]

    @property
    def is_single(self) -> bool:
        """A panel of one, whose members' table would repeat the arm."""
        return len(self.members) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Arm minus baseline of a mean or percentile over `pairs` examples; relative to the baseline, -0.2 is a fifth less.

    Intervals are paired bootstrap. The relative ones are None where the baseline's figure is 0.
    """

    pairs: int
    estimate: float
    interval: Interval
    relative: float | None
    relative_interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """The smallest difference of accuracy that the pairs show with 80 % power at the 5 % level.

    `at_10` and `at_20` are what was assumed before the run: a tenth or a fifth of the examples discordant.
    `at_observed` uses the share that was; None where no example was discordant.
    """

    at_10: float
    at_20: float
    discordance: float
    at_observed: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An arm against the baseline over the `pairs` examples scored in both; the four cells add up to `pairs`.

    `difference` is accuracy of the arm minus that of the baseline with Newcombe's paired score interval, `p_value`
    McNemar mid-p, `p_holm` the same after Holm over all comparisons of the run. They are None without pairs.
    `cost` is per request, in nano-dollars; `p95` in seconds.
    """

    arm_id: int
    arm: str
    baseline_id: int
    baseline: str
    pairs: int
    both: int
    only_arm: int
    only_baseline: int
    neither: int
    difference: float | None
    interval: Interval | None
    p_value: float | None
    p_holm: float | None
    detectable: Detectable | None
    cost: Change | None
    p95: Change | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplift:
    """A panel against the best of its own members, over the examples of the arm on which both are scored.

    The member is the one with the most right answers among those with a ballot on every scored example of the arm,
    called by this arm or another one of the run. It is chosen on the same examples, which flatters it.
    """

    arm_id: int
    arm: str
    member: str
    member_correct: int
    pairs: int
    both: int
    only_arm: int
    only_member: int
    neither: int
    difference: float
    interval: Interval
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusBands:
    """How one arm's answers spread over consensus, and how often each band is right. Bands do not overlap."""

    arm_id: int
    arm: str
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyCurve:
    """The share of an arm's `measured` answers that took at most so many seconds; at most 200 steps."""

    arm_id: int
    arm: str
    measured: int
    seconds: tuple[float, ...]
    share: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultData:
    """All that is known of a run. `items` is the size of the dataset version, which a cancelled run may not reach.

    `correlation` is over the distinct voters of all arms; None for fewer than two scored ones.
    """

    items: int
    arms: tuple[ArmScore, ...]
    comparisons: tuple[Comparison, ...]
    uplifts: tuple[Uplift, ...]
    bands: tuple[ConsensusBands, ...]
    latency: tuple[LatencyCurve, ...]
    correlation: CorrelationMatrix | None

    @property
    def baseline(self) -> ArmScore:
        return next(arm for arm in self.arms if arm.is_baseline)

    @property
    def is_scored(self) -> bool:
        return any(arm.n for arm in self.arms)

    @property
    def is_simulated(self) -> bool:
        return any(arm.simulated for arm in self.arms)


def to_json(data: ResultData) -> dict[str, Any]:
    return asdict(data)


def from_json(stored: dict[str, Any]) -> ResultData:
    """The value that `to_json` wrote. `KeyError` if it was written in another format."""
    read: ResultData = _read(ResultData, stored)
    return read


def _read(kind: Any, value: Any) -> Any:
    """``value`` out of JSON as ``kind``: a dataclass, a tuple of one kind, a kind or None, or a plain value."""
    if value is None:
        return None
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{name: _read(hint, value[name]) for name, hint in _fields_of(kind)})
    if get_origin(kind) is tuple:
        return tuple(_read(get_args(kind)[0], one) for one in value)
    if isinstance(kind, UnionType):
        return _read(get_args(kind)[0], value)
    return float(value) if kind is float else value


@cache
def _fields_of(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(get_type_hints(kind).items())
