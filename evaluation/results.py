"""What a run showed, as values: pages, charts and the command line read these and compute nothing.

Shares are in [0, 1], money is nano-dollars, latencies are seconds. None is unknown, not measured or not applicable;
it never stands for 0.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from evaluation.stats.bands import Band
from evaluation.stats.calibration import ConfidenceMap
from evaluation.stats.correlation import CorrelationMatrix
from evaluation.stats.interval import Interval

# Raise it whenever a value below changes: stored results of an older format are computed anew.
RESULT_FORMAT = 2
# Until then these can still be shown: what they lack has a default.
READABLE_FORMATS = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberScore:
    """One seat of an arm, scored on its own ballots over the examples it was called for (`called`).

    `n` of those were scored; an unreadable ballot and a failed call are wrong, as they are for a panel of one.
    `voter` names the seat in the error correlation. `cost_nanousd` is None where `cost_unknown` calls have no known
    cost. `placeholders_lost` of the `placeholders` in its replies stand for nothing: altered or invented. Both are None
    where it was shown none.
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
    placeholders: int | None = None
    placeholders_lost: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterScore:
    """What an arm's arbiter was asked: about `answers` answers, in `calls` calls, of which `failed` brought nothing.

    A second question after an analysis that could not be read is a call, an attempt is none; reused replies count.
    `cost_nanousd` is None where `cost_unknown` calls have no known cost.
    """

    model_id: int
    model: str
    answers: int
    calls: int
    failed: int
    cost_nanousd: int | None
    cost_unknown: int
    measured: int
    p50_s: float | None
    p95_s: float | None
    placeholders: int | None = None
    placeholders_lost: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmScore:
    """One arm's scorecard. `items` answers, `n` of them scored: the denominator of `accuracy`.

    `abstained` counts answers without a fused ballot, `failed` those of them whose calls failed. `calls` counts
    member replies needed, reused ones included, retries not. `cost_nanousd` is their list cost and the arbiter's, None
    where `cost_unknown` answers have no known cost; `cost_per_correct_nanousd` divides the cost of the scored answers.
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
    arbiter: ArbiterScore | None = None

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

    Or against its arbiter alone, which is then the `member`.

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
class ArmCalibration:
    """What one arm's consensus is worth: its map to confidence, None for fewer than ``FEWEST_LABELLED`` answers.

    `labelled` of the `answered` answers are right or wrong; an abstention has no confidence and is not among them.
    """

    arm_id: int
    arm: str
    answered: int
    labelled: int
    fitted: ConfidenceMap | None

    @property
    def tells_apart(self) -> bool:
        """Whether it says more of some answers than of others."""
        return self.fitted is not None and len(self.fitted.steps) > 1


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

    `correlation` is over the distinct voters of all arms; None for fewer than two scored ones. `calibrations` holds
    every arm, and is empty in results that were stored before there was confidence. `arbiter_uplifts` holds the arms
    with an arbiter that the run also asks alone.
    """

    items: int
    arms: tuple[ArmScore, ...]
    comparisons: tuple[Comparison, ...]
    uplifts: tuple[Uplift, ...]
    bands: tuple[ConsensusBands, ...]
    latency: tuple[LatencyCurve, ...]
    correlation: CorrelationMatrix | None
    calibrations: tuple[ArmCalibration, ...] = ()
    arbiter_uplifts: tuple[Uplift, ...] = ()

    @property
    def baseline(self) -> ArmScore:
        return next(arm for arm in self.arms if arm.is_baseline)

    @property
    def is_scored(self) -> bool:
        return any(arm.n for arm in self.arms)

    @property
    def masks(self) -> bool:
        """Whether any model was shown placeholders and answered."""
        lost = [member.placeholders_lost for arm in self.arms for member in arm.members]
        lost += [arm.arbiter.placeholders_lost for arm in self.arms if arm.arbiter is not None]
        return any(count is not None for count in lost)

    @property
    def is_simulated(self) -> bool:
        return any(arm.simulated for arm in self.arms)


def to_json(data: ResultData) -> dict[str, Any]:
    return asdict(data)


def from_json(stored: dict[str, Any]) -> ResultData:
    """The value that `to_json` wrote. `KeyError` if it lacks what has no default: its format is not readable."""
    read: ResultData = _read(ResultData, stored)
    return read


def _read(kind: Any, value: Any) -> Any:
    """``value`` out of JSON as ``kind``: a dataclass, a tuple of one kind, a kind or None, or a plain value."""
    if value is None:
        return None
    if isinstance(kind, type) and is_dataclass(kind):
        wanted = _fields_of(kind, with_default=False) | {
            name: hint for name, hint in _fields_of(kind, with_default=True).items() if name in value
        }
        return kind(**{name: _read(hint, value[name]) for name, hint in wanted.items()})
    if get_origin(kind) is tuple:
        return tuple(_read(get_args(kind)[0], one) for one in value)
    if isinstance(kind, UnionType):
        return _read(get_args(kind)[0], value)
    return float(value) if kind is float else value


@cache
def _fields_of(kind: Any, *, with_default: bool) -> dict[str, Any]:
    """Kinds by field; the fields are those with a default, or those without."""
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind) if (one.default is not MISSING) == with_default}
