"""What a review session can show and what it takes, before it is made: the smallest difference, and reviewers' time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, sqrt
from statistics import NormalDist

from evaluation.stats.interval import two_sided_z
from evaluation.stats.power import detectable_difference

# Seconds an item takes where no prose is asked for, and the share of pairs that one side alone gets wrong.
USUAL_PACE_S = 37.0
USUAL_DISCORDANCE = 0.08
_POWER, _ALPHA = 0.8, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPlan:
    """``votes`` by all reviewers together, calibration and gold included; a third vote by rule comes on top.

    ``hallucination`` is the smallest difference of the two rates (a share) that four of five such sessions show,
    ``win_rate`` the smallest win rate above one half, of ``decided`` items. ``hours`` are those of all reviewers.
    """

    items: int
    votes: int
    decided: int
    hallucination: float
    win_rate: float
    hours: float
    pace_s: float


def plan_review(
    *,
    items: int,
    overlap: float,
    overlap_votes: int,
    reviewers: int,
    calibration: int = 0,
    gold_share: float = 0.0,
    pace_s: float | None = None,
    decided_share: float = 1.0,
) -> ReviewPlan:
    """For ``items`` that both arms answered. ``decided_share`` of them are expected to have a better side.

    ``ValueError`` for fewer than one item or reviewer.
    """
    if items < 1 or reviewers < 1:
        raise ValueError(f"A plan needs at least one item and one reviewer, got {items} and {reviewers}.")
    regular = items + round(overlap * items) * (overlap_votes - 1)
    votes = regular + ceil(gold_share * regular) + calibration * reviewers
    pace = USUAL_PACE_S if pace_s is None else pace_s
    decided = max(1, round(items * decided_share))
    return ReviewPlan(
        items=items,
        votes=votes,
        decided=decided,
        hallucination=detectable_difference(items, USUAL_DISCORDANCE, _POWER, _ALPHA),
        win_rate=detectable_win_rate(decided),
        hours=votes * pace / 3600,
        pace_s=pace,
    )


def pairs_for_win_rate(win_rate: float, power: float = _POWER, alpha: float = _ALPHA) -> int:
    """Decided pairs that show a win rate (above one half) against a fair coin: 194 for 60 %.

    n = ((z_a / 2 + z_b sqrt(p (1 - p))) / (p - 1/2))², rounded up. Source: J. L. Fleiss, B. Levin and M. C. Paik,
    Statistical Methods for Rates and Proportions (3rd ed. 2003), 2.5, one proportion against a known one.
    ``ValueError`` unless the win rate lies above one half and below 1.
    """
    if not 0.5 < win_rate < 1:
        raise ValueError(f"A win rate to detect lies above one half and below 1, got {win_rate}.")
    z_alpha, z_beta = two_sided_z(1 - alpha), NormalDist().inv_cdf(power)
    return ceil(((z_alpha / 2 + z_beta * sqrt(win_rate * (1 - win_rate))) / (win_rate - 0.5)) ** 2)


def detectable_win_rate(decided: int, power: float = _POWER, alpha: float = _ALPHA) -> float:
    """Smallest win rate above one half that ``decided`` pairs show; 1 for so few that none does.

    With d = p - 1/2 the equation of ``pairs_for_win_rate`` reads d sqrt(n) - z_a / 2 = z_b sqrt(1/4 - d²), whose square
    is quadratic in d. ``ValueError`` for fewer than one pair.
    """
    if decided < 1:
        raise ValueError(f"A win rate needs at least one decided pair, got {decided}.")
    z_alpha, z_beta = two_sided_z(1 - alpha), NormalDist().inv_cdf(power)
    squares = decided + z_beta**2
    under_root = z_beta**2 * (squares - z_alpha**2)
    if under_root < 0:
        return 1.0
    return min(1.0, 0.5 + (z_alpha * sqrt(decided) + sqrt(under_root)) / (2 * squares))


def finish_at(*, given_at: Sequence[datetime], left: int, now: datetime) -> datetime | None:
    """When ``left`` votes are in if they go on coming as since the first of ``given_at``; None before there are two.

    Nights and weekends count as they came: the pace is votes over all the time that passed.
    """
    if not left:
        return now
    passed = (now - min(given_at)).total_seconds() if given_at else 0.0
    if len(given_at) < 2 or passed <= 0:
        return None
    return now + timedelta(seconds=left * passed / len(given_at))
