"""What a review session comes to in one line: which arm is better, that they hardly differ, or how much is missing."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from evaluation.stats.preference import Preference
from evaluation.stats.review_plan import pairs_for_win_rate
from evaluation.stats.weighted_rates import WeightedDifference
from fusion_site.lib.figures import format_number, format_percent

PLANNED_WIN_RATE = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known so far. ``difference`` is of the hallucination rates, the first arm's less the second's.

    ``votes_an_item`` are those that the session's overlap asks for; ``pace_s`` seconds a vote.
    """

    names: tuple[str, str]
    preference: Preference
    difference: WeightedDifference | None
    judged: int
    items: int
    pace_s: float
    votes_an_item: float

    @property
    def is_complete(self) -> bool:
        return self.judged == self.items

    @property
    def preferred(self) -> int | None:
        """The arm (0 or 1) that reviewers prefer beyond doubt."""
        if not self.preference.is_settled or self.preference.win_rate is None:
            return None
        return 0 if self.preference.win_rate > 0.5 else 1

    @property
    def sounder(self) -> int | None:
        """The arm with fewer hallucinations: said once all items are judged, for its interval is not for peeking."""
        if not self.is_complete or self.difference is None or not self.difference.is_clear:
            return None
        return 0 if self.difference.estimate < 0 else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """``state`` is a mark of the pages. ``more`` items are wanted, ``minutes`` of one reviewer; None where none are."""

    state: str
    title: str
    words: str
    more: int | None = None
    minutes: int | None = None


def conclude(standing: Standing) -> Conclusion:
    preferred, sounder = standing.preferred, standing.sounder
    if preferred is not None and sounder is not None and preferred != sounder:
        return _divided(standing, preferred)
    if preferred is not None:
        return _preferred(standing, preferred)
    if sounder is not None:
        return _sounder(standing, sounder)
    if standing.preference.decided >= pairs_for_win_rate(PLANNED_WIN_RATE):
        return _alike(standing)
    return _too_early(standing)


def _divided(standing: Standing, preferred: int) -> Conclusion:
    better, other = standing.names[preferred], standing.names[1 - preferred]
    return Conclusion(
        state="risk",
        title=f"{better} is preferred, but errs more",
        words=f"Reviewers prefer it, and it has more major errors than {other} on the same items: {_points(standing)}.",
    )


def _preferred(standing: Standing, arm: int) -> Conclusion:
    words = "Reviewers prefer it; were both equally good, votes like these would be rarer than 1 in 20."
    if standing.difference is not None:
        words += f" Hallucination, {standing.names[0]} less {standing.names[1]}: {_points(standing)}."
    return Conclusion(state="pass", title=f"{standing.names[arm]} is better", words=words)


def _sounder(standing: Standing, arm: int) -> Conclusion:
    words = f"It has fewer major errors on the same items: {_points(standing)}. No preference is settled."
    return Conclusion(state="pass", title=f"{standing.names[arm]} is better", words=words)


def _alike(standing: Standing) -> Conclusion:
    interval = standing.preference.interval
    assert interval is not None  # items were decided
    bound = max(interval.high, 1 - interval.low)
    words = "Neither arm wins more often than that, with 95 % confidence."
    if standing.difference is not None:
        limits = standing.difference.interval
        most = max(abs(limits.low), abs(limits.high))
        words += f" Their hallucination rates differ by at most {format_percent(most)} points."
    return Conclusion(
        state="none",
        title=f"No difference as large as {format_percent(bound, 0)} % against {format_percent(1 - bound, 0)} %",
        words=words,
    )


def _too_early(standing: Standing) -> Conclusion:
    decided = standing.preference.decided
    share = decided / standing.judged if standing.judged and decided else 1.0
    more = ceil((pairs_for_win_rate(PLANNED_WIN_RATE) - decided) / share)
    minutes = ceil(more * standing.votes_an_item * standing.pace_s / 60)
    words = f"About {minutes:,} minutes of one reviewer: then a win rate of 60 % shows in four of five sessions."
    return Conclusion(
        state="none",
        title=f"Label {more:,} more ({minutes:,} minutes)",
        words=words + _where(more, standing.items - standing.judged),
        more=more,
        minutes=minutes,
    )


def _where(more: int, left: int) -> str:
    if more <= left:
        return ""
    return f" This session has {left:,} left; make another one for the rest." if left else " It takes another session."


def _points(standing: Standing) -> str:
    difference = standing.difference
    assert difference is not None
    low, high = (format_number(limit * 100) for limit in (difference.interval.low, difference.interval.high))
    return f"{format_number(difference.estimate * 100)} points ({low} to {high})"
