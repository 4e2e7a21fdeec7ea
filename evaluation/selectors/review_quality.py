"""How well a session is rated: what its owner sees, of all reviewers together and without their names.

Each of them sees their own figures on their own page, and first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from django.db.models import QuerySet

from evaluation.models import ReviewItem, ReviewSession, ReviewSlot, ReviewVote
from evaluation.stats.interval import Interval
from evaluation.stats.preference import Preference, prefer
from evaluation.stats.proportions import rate_interval
from evaluation.stats.review_levels import SAME

# Gold items are shown to their reviewer in blocks: one by one, the figure would tell which item was gold.
GOLD_BLOCK = 5
# Below these numbers nothing is said of one reviewer.
_FEWEST_LEVELS, _FEWEST_VOTES = 10, 20
_LOW_ACCURACY = 0.7
_FAST = 1 / 3
_MANY_TIES, _MANY_SKIPS = 0.7, 0.2
_COLUMNS = (
    "facts_a", "facts_b", "preference", "first_is_a", "seconds", "slot__person_id", "slot__item__kind",
    "slot__item__expected",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLevels:
    """``right`` of ``given`` levels of facts are among those expected, on items with a known answer."""

    given: int
    right: int

    @property
    def share(self) -> float | None:
        return self.right / self.given if self.given else None

    @property
    def interval(self) -> Interval | None:
        return rate_interval(self.right, self.given) if self.given else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something an owner should look into; it names no reviewer."""

    title: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuality:
    """Of all reviewers together; ``ties`` of ``votes`` found both the same."""

    gold: KnownLevels
    calibration: KnownLevels
    sides: Preference
    ties: int
    votes: int
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reviewer:
    """What one person did; of regular items all but ``known``."""

    known: KnownLevels
    sides: Preference
    ties: int
    votes: int
    skipped: int
    pace_s: float | None


def session_quality(session: ReviewSession) -> SessionQuality:
    """Of the votes as they were first given. Two queries."""
    votes = ReviewVote.objects.filter(slot__session=session, slot__person__isnull=False, revision=1)
    given = list(votes.select_related("slot__item").only(*_COLUMNS))
    regular = [vote for vote in given if vote.slot.item.kind == ReviewItem.Kind.REGULAR]
    return SessionQuality(
        gold=_known(given, ReviewItem.Kind.GOLD),
        calibration=_known(given, ReviewItem.Kind.CALIBRATION),
        sides=_sides(regular),
        ties=sum(vote.preference == SAME for vote in regular),
        votes=len(regular),
        alarms=tuple(_alarms([*_reviewers(session, given).values()])),
    )


def own_gold(votes: QuerySet[ReviewVote]) -> KnownLevels:
    """One person's levels on gold items, in whole blocks of items."""
    gold = list(votes.filter(slot__item__kind=ReviewItem.Kind.GOLD).select_related("slot__item").order_by("pk"))
    return _known(gold[: len(gold) // GOLD_BLOCK * GOLD_BLOCK], ReviewItem.Kind.GOLD)


def own_calibration(votes: QuerySet[ReviewVote]) -> KnownLevels:
    """One person's levels on calibration items, as they were before the feedback."""
    kind = ReviewItem.Kind.CALIBRATION
    return _known(list(votes.filter(slot__item__kind=kind).select_related("slot__item")), kind)


def _known(votes: Sequence[ReviewVote], *kinds: str) -> KnownLevels:
    fits = [fit for vote in votes if vote.slot.item.kind in kinds for fit in _fits(vote)]
    return KnownLevels(given=len(fits), right=sum(fits))


def _fits(vote: ReviewVote) -> Iterator[bool]:
    """Of every level given where one was expected, whether it fits."""
    levels = (vote.facts_a, vote.facts_b) if vote.first_is_a else (vote.facts_b, vote.facts_a)
    for arm, level in zip(("first", "second"), levels, strict=True):
        expected = (vote.slot.item.expected or {}).get(arm)
        if expected and level is not None:
            yield level in expected


def _sides(votes: Sequence[ReviewVote]) -> Preference:
    cast = [vote.preference for vote in votes if vote.preference]
    return prefer(wins=sum(level < SAME for level in cast), losses=sum(level > SAME for level in cast))


def _reviewers(session: ReviewSession, given: Sequence[ReviewVote]) -> Mapping[int, _Reviewer]:
    by_person: dict[int, list[ReviewVote]] = defaultdict(list)
    for vote in given:
        by_person[vote.slot.person_id or 0].append(vote)
    skips = ReviewSlot.objects.filter(session=session, state=ReviewSlot.State.SKIPPED).values_list("person", flat=True)
    skipped = list(skips)
    return {person: _reviewer(votes, skipped.count(person)) for person, votes in by_person.items()}


def _reviewer(votes: Sequence[ReviewVote], skipped: int) -> _Reviewer:
    regular = [vote for vote in votes if vote.slot.item.kind == ReviewItem.Kind.REGULAR]
    seconds = [vote.seconds for vote in regular if vote.seconds is not None]
    return _Reviewer(
        known=_known(votes, ReviewItem.Kind.GOLD, ReviewItem.Kind.CALIBRATION),
        sides=_sides(regular),
        ties=sum(vote.preference == SAME for vote in regular),
        votes=len(regular),
        skipped=skipped,
        pace_s=median(seconds) if seconds else None,
    )


def _alarms(reviewers: Sequence[_Reviewer]) -> Iterator[Alarm]:
    usual = median([one.pace_s for one in reviewers if one.pace_s is not None] or [0.0])
    checks: tuple[tuple[Callable[[_Reviewer], bool], str, str], ...] = (
        (_misses_known, "often misses known answers", "Under 70 % of levels as expected: go through the rubric again."),
        (_leans, "prefers one side", "Sides are drawn, so that neither should win more often than chance allows."),
        (lambda one: _is_fast(one, usual), "rates much faster", "Under a third of the usual time an item."),
        (_ties_often, "finds most items the same", "Over 70 % ties decide little: is the question clear?"),
        (_skips_often, "skips many items", "Over 20 %: are these the right people for this material?"),
    )
    for check, does, words in checks:
        number = sum(map(check, reviewers))
        if number:
            yield Alarm(title=f"{number} of {len(reviewers)} reviewers: {does}", words=words)


def _misses_known(one: _Reviewer) -> bool:
    share = one.known.share
    return one.known.given >= _FEWEST_LEVELS and share is not None and share < _LOW_ACCURACY


def _leans(one: _Reviewer) -> bool:
    return one.sides.is_settled


def _is_fast(one: _Reviewer, usual: float) -> bool:
    return one.votes >= _FEWEST_VOTES and one.pace_s is not None and one.pace_s < _FAST * usual


def _ties_often(one: _Reviewer) -> bool:
    return one.votes >= _FEWEST_VOTES and one.ties > _MANY_TIES * one.votes


def _skips_often(one: _Reviewer) -> bool:
    acted = one.votes + one.skipped
    return acted >= _FEWEST_VOTES and one.skipped > _MANY_SKIPS * acted
