"""What the levels of a review mean, when more votes are wanted, and how the votes on one item become a verdict.

Levels of facts: 1 all supported, 2 minor slip, 3 major error, 4 harmful, 5 can't tell. 1 and 2 pass, 3 and 4 fail.
Preference: 1 the first much better, 2 a bit, 3 the same, 4 the second a bit, 5 much, 0 both unusable.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MINOR_SLIP, CANT_TELL = 2, 5
SAME, UNUSABLE = 3, 0
MOST_VOTES = 3
_FAR_APART = 2
_LAST_PASSING = 2


class Verdict(StrEnum):
    """What the votes on one answer come to. ``UNDECIDED``: as many say one thing as another."""

    PASS = "pass"
    FAIL = "fail"
    CANT_TELL = "cant_tell"
    UNDECIDED = "undecided"
    UNJUDGED = "unjudged"


class Winner(StrEnum):
    FIRST = "first"
    SECOND = "second"
    SAME = "same"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One vote in terms of the two answers, whatever side they stood on; None where nothing was asked."""

    first: int | None
    second: int | None
    preference: int | None
    unsure: bool = False

    @property
    def facts(self) -> tuple[int, ...]:
        return tuple(level for level in (self.first, self.second) if level is not None)


def judgement(
    *, facts_a: int | None, facts_b: int | None, preference: int | None, unsure: bool, first_is_a: bool
) -> Judgement:
    """A vote as it was given, with its sides mapped back."""
    first, second = (facts_a, facts_b) if first_is_a else (facts_b, facts_a)
    return Judgement(first=first, second=second, preference=mirrored(preference, first_is_a), unsure=unsure)


def mirrored(preference: int | None, first_is_a: bool) -> int | None:
    """A preference between sides as one between answers, and the other way round."""
    if preference is None or preference == UNUSABLE or first_is_a:
        return preference
    return 2 * SAME - preference


def verdict_of(level: int) -> Verdict:
    if level == CANT_TELL:
        return Verdict.CANT_TELL
    return Verdict.PASS if level <= _LAST_PASSING else Verdict.FAIL


def needs_another(judgements: Sequence[Judgement]) -> bool:
    """Whether two votes on one question lie two levels or more apart, or somebody was unsure or could not tell."""
    if any(one.unsure or CANT_TELL in one.facts for one in judgements):
        return True
    facts = any(_spread(levels) >= _FAR_APART for levels in _by_answer(judgements))
    return facts or _range(_preferences(judgements)) >= _FAR_APART


def votes_wanted(planned: int, judgements: Sequence[Judgement]) -> int:
    """How many votes an item wants, once these are in: the plan's number, one more by the rule above, at most three."""
    given = len(judgements)
    if planned <= given < MOST_VOTES and needs_another(judgements):
        return given + 1
    return max(planned, given)


def settle(levels: Sequence[int]) -> Verdict:
    """What most votes say of one answer."""
    counts = Counter(verdict_of(level) for level in levels).most_common(2)
    if not counts:
        return Verdict.UNJUDGED
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return Verdict.UNDECIDED
    return counts[0][0]


def settled_level(levels: Sequence[int]) -> int | None:
    """The level that most votes behind the verdict give, of equally many the worse; None where there is no verdict."""
    verdict = settle(levels)
    counts = Counter(level for level in levels if verdict_of(level) is verdict)
    return max(counts, key=lambda level: (counts[level], level)) if counts else None


def dispute_of(planned: int, judgements: Sequence[Judgement]) -> float | None:
    """How far apart the votes are on what they leave undecided; None while votes are wanted, or nothing is undecided.

    Half a level for everyone who could not tell.
    """
    if len(judgements) < votes_wanted(planned, judgements):
        return None
    open_sides = [levels for levels in _by_answer(judgements) if settle(levels) is Verdict.UNDECIDED]
    return sum(_spread(levels) + levels.count(CANT_TELL) / 2 for levels in open_sides) if open_sides else None


def winner_of(preferences: Sequence[int]) -> Winner | None:
    """One result per item: the answer that more votes find better; None without votes."""
    if not preferences:
        return None
    if preferences.count(UNUSABLE) * 2 > len(preferences):
        return Winner.UNUSABLE
    cast = [preference for preference in preferences if preference != UNUSABLE]
    lead = sum(preference < SAME for preference in cast) - sum(preference > SAME for preference in cast)
    if not lead:
        return Winner.SAME
    return Winner.FIRST if lead > 0 else Winner.SECOND


def _by_answer(judgements: Sequence[Judgement]) -> tuple[list[int], list[int]]:
    return (
        [one.first for one in judgements if one.first is not None],
        [one.second for one in judgements if one.second is not None],
    )


def _preferences(judgements: Sequence[Judgement]) -> list[int]:
    """Those that compare; “both unusable” stands outside the order, as “can't tell” does."""
    given = (one.preference for one in judgements)
    return [level for level in given if level is not None and level != UNUSABLE]


def _spread(levels: Sequence[int]) -> int:
    return _range([level for level in levels if level != CANT_TELL])


def _range(levels: Sequence[int]) -> int:
    return max(levels) - min(levels) if levels else 0
