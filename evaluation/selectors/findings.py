"""A result in plain sentences, which never claim more than the interval and the test allow. Pure."""

from __future__ import annotations

from collections.abc import Callable

from evaluation.results import ArmCalibration, ArmScore, Change, Comparison, Uplift
from evaluation.stats.calibration import FEWEST_LABELLED, ConfidenceMap, Step
from evaluation.stats.interval import Interval
from fusion_site.lib.figures import (
    MINUS,
    format_count,
    format_money,
    format_number,
    format_percent,
    format_points,
    format_seconds,
    format_signed,
    format_signed_interval,
)

ALPHA = 0.05
SAME_DATA_NOTE = "That member was chosen on these same examples, which flatters it."


def comparison_finding(comparison: Comparison, *, tests: int) -> str:
    """Which side is more accurate, if that is settled. ``tests`` is how many comparisons Holm corrects for."""
    if comparison.difference is None or comparison.interval is None or comparison.p_holm is None:
        return "Unscored: no example was scored in both arms, so accuracy cannot be compared."
    side = _side(comparison.interval)
    words = f"{_points(comparison.difference, comparison.interval, side)}, {_tested(comparison, tests)}"
    if side == 0:
        return f"No clear difference from {comparison.baseline}: {words}."
    if comparison.p_holm > ALPHA:
        above = "above" if side > 0 else "below"
        return f"Not settled: measured {above} {comparison.baseline} by {words}."
    return f"{'More' if side > 0 else 'Less'} accurate than {comparison.baseline} by {words}."


def power_finding(comparison: Comparison) -> str:
    """What the comparison was able to detect, with what was assumed before and with what was observed."""
    detectable = comparison.detectable
    if detectable is None:
        return "Nothing could be detected: no example was scored in both arms."
    planned = (
        f"assumed before the run: {_plain(detectable.at_10)} at 10 % discordance, {_plain(detectable.at_20)} at 20 %"
    )
    pairs = f"{format_count(comparison.pairs)} pairs"
    if detectable.at_observed is None:
        return f"No example was decided differently in {pairs} ({planned})."
    discordant = f"{format_number(detectable.discordance * 100)} % of them discordant"
    return (
        f"With {pairs}, {discordant}, a difference of {_plain(detectable.at_observed)} points or more "
        f"shows in four of five such runs ({planned})."
    )


def cost_finding(comparison: Comparison) -> str:
    if comparison.cost is None:
        return "Cost cannot be compared: it is unknown in one of the arms."
    said = ("Costs {} less per request", "No clear difference in cost per request: {}", "Costs {} more per request")
    return _change_finding(comparison.cost, said=said, unit=_request_cost)


def latency_finding(comparison: Comparison) -> str:
    if comparison.p95 is None:
        return "P95 latency cannot be compared: too few answers were measured in both arms."
    said = ("P95 latency is {} shorter", "No clear difference in P95 latency: {}", "P95 latency is {} longer")
    return _change_finding(comparison.p95, said=said, unit=format_seconds)


def uplift_finding(uplift: Uplift) -> str:
    """Against the best member; how that member was chosen stands in ``SAME_DATA_NOTE``."""
    return _uplift_over(uplift, f"its best member {uplift.member}")


def arbiter_finding(uplift: Uplift) -> str:
    """Against the arbiter alone, which was not chosen by its answers."""
    return _uplift_over(uplift, f"its arbiter {uplift.member} alone")


def _uplift_over(uplift: Uplift, other: str) -> str:
    side = _side(uplift.interval)
    words = f"{_points(uplift.difference, uplift.interval, side)}, {format_p(uplift.p_value)}"
    if side == 0:
        return f"No clear difference from {other}: {words}."
    if uplift.p_value > ALPHA:
        return f"Not settled: measured {'above' if side > 0 else 'below'} {other} by {words}."
    return f"{'More' if side > 0 else 'Less'} accurate than {other} by {words}."


def voters_finding(arm: ArmScore) -> str:
    """What the members' agreement is worth; empty for a panel of one."""
    if arm.effective_voters is None or arm.is_single:
        return ""
    worth = format_number(arm.effective_voters)
    return f"Counting shared errors, its {len(arm.members)} members are worth {worth} independent voters."


def calibration_finding(calibration: ArmCalibration) -> str:
    """What confidence is worth in this arm, or why it stays blank."""
    fitted = calibration.fitted
    if fitted is None:
        return _blank_finding(calibration.labelled)
    top, low = fitted.steps[-1], fitted.steps[0]
    said = f"When it says {format_confidence(top.held_out)}, it was right {_right_of(top)}"
    if len(fitted.steps) == 1:
        return f"{said}. It says the same of every answer, so it does not tell which ones are right."
    return f"{said}; when it says {format_confidence(low.held_out)}, {_right_of(low)}. {_error_finding(fitted)}"


def _blank_finding(labelled: int) -> str:
    if not labelled:
        return (
            "Confidence stays blank: no answer is labelled right or wrong. "
            f"{FEWEST_LABELLED} labelled answers are needed; give the dataset references."
        )
    more = FEWEST_LABELLED - labelled
    return (
        f"Confidence stays blank: {format_count(labelled)} answers are labelled right or wrong, and {FEWEST_LABELLED} "
        f"are needed. Label {more} more."
    )


def _right_of(step: Step) -> str:
    return f"{format_percent(step.correct / step.n)} % of the time (n {format_count(step.n)})"


def _error_finding(fitted: ConfidenceMap) -> str:
    bounds = fitted.error_interval
    return (
        f"On new answers like these, expect it to be {_plain(fitted.error)} points off on average "
        f"({_plain(bounds.low)} to {_plain(bounds.high)})."
    )


def format_confidence(share: float) -> str:
    """Two decimals; it is never certain, so rounding must not say so."""
    if share > 0.99:
        return "above 0.99"
    return "below 0.01" if share < 0.01 else format_number(share, 2)


def format_p(p_value: float) -> str:
    if p_value < 0.001:
        return "p < 0.001"
    return f"p = {p_value:.3f}" if p_value < 0.0095 else f"p = {p_value:.2f}"


def _side(interval: Interval) -> int:
    """1 or -1 where the whole interval lies on one side of no difference, else 0."""
    return int(interval.low > 0) - int(interval.high < 0)


def _points(difference: float, interval: Interval, side: int) -> str:
    """Signed where the sign is open, else the size alone, for a sentence that has said which way."""
    if side == 0:
        bounds = format_signed_interval((interval.low, interval.high))
        return f"{format_points(difference).removesuffix(' pt')} points ({bounds})"
    low, high = sorted((abs(interval.low), abs(interval.high)))
    return f"{_plain(abs(difference))} points ({_plain(low)} to {_plain(high)})"


def _plain(share: float) -> str:
    return format_number(share * 100)


def _tested(comparison: Comparison, tests: int) -> str:
    if tests < 2 or comparison.p_holm is None:
        return format_p(comparison.p_value if comparison.p_value is not None else 1.0)
    return f"{format_p(comparison.p_holm)} after Holm over {tests} comparisons"


def _change_finding(change: Change, *, said: tuple[str, str, str], unit: Callable[[float], str]) -> str:
    """``said`` holds a sentence each for less, no clear difference and more, with a place for the size."""
    side = _side(change.interval)
    sizes = [change.estimate, change.interval.low, change.interval.high]
    if side:
        sizes = [abs(change.estimate), *sorted(abs(bound) for bound in sizes[1:])]
    sign = "" if side else "+"
    size, low, high = (_with_sign(value, unit, sign) for value in sizes)
    sentence = said[side + 1].format(size)
    return f"{sentence} ({low} to {high}){_relative(change)}, n {format_count(change.pairs)} pairs."


def _with_sign(value: float, unit: Callable[[float], str], plus: str) -> str:
    return f"{MINUS if value < 0 else plus}{unit(abs(value))}"


def _request_cost(nanousd: float) -> str:
    return format_money(round(nanousd), 4)


def _relative(change: Change) -> str:
    if change.relative is None or change.relative_interval is None:
        return ""
    bounds = format_signed_interval((change.relative_interval.low, change.relative_interval.high))
    return f", {format_signed(change.relative * 100)} % ({bounds})"
