"""What the votes of a review session come to: rates with their denominators, preference, agreement, what to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evaluation.models import ReviewItem, ReviewSession
from evaluation.selectors.review_conclusion import Conclusion, Standing, conclude
from evaluation.selectors.review_judged import JudgedItem, arm_names, judged_items, latest_votes
from evaluation.selectors.review_pace import session_pace_s
from evaluation.stats.agreement import Agreement, Ratings, agreement
from evaluation.stats.preference import Preference, prefer, prefer_items
from evaluation.stats.review_levels import (
    CANT_TELL,
    MINOR_SLIP,
    SAME,
    UNUSABLE,
    Verdict,
    Winner,
    settled_level,
)
from evaluation.stats.review_plan import USUAL_PACE_S
from evaluation.stats.weighted_rates import (
    SampledItem,
    SampledPair,
    WeightedDifference,
    WeightedRate,
    weighted_difference,
    weighted_rate,
)

_HARMFUL = 4
_MOST_READ = 20
_FACTS_LEVELS = (1, 2, 3, 4)
_PREFERENCE_LEVELS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmOutcome:
    """Rates of one arm, each None without an item in its denominator.

    ``hallucination`` and ``minor_slip`` are of the items that were answered and settled; ``answered`` of all that were
    voted on; ``cant_tell`` of those that were answered. ``undecided`` items wait for votes or an adjudicator.
    """

    name: str
    hallucination: WeightedRate | None
    minor_slip: WeightedRate | None
    cant_tell: WeightedRate | None
    answered: WeightedRate | None
    undecided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRead:
    item: ReviewItem
    first: Verdict
    second: Verdict
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOutcome:
    """``sides`` counts votes for A against B, ``lengths`` items won by the longer text against the shorter.

    ``difference`` is of the hallucination rates, first less second, of the items on which both are settled.
    """

    items: int
    judged: int
    arms: tuple[ArmOutcome, ArmOutcome]
    difference: WeightedDifference | None
    preference: Preference
    same: int
    unusable: int
    conclusion: Conclusion
    facts_agreement: tuple[Agreement | None, Agreement | None]
    preference_agreement: Agreement | None
    sides: Preference
    lengths: Preference
    to_read: tuple[ToRead, ...]
    is_weighted: bool
    has_facts: bool


def review_outcome(session: ReviewSession, everything: Sequence[JudgedItem] | None = None) -> ReviewOutcome:
    """Of the regular items, which ``judged_items`` gives."""
    everything = judged_items(session) if everything is None else everything
    judged = [one for one in everything if one.is_judged]
    names = arm_names(session)
    winners = [one.winner() for one in judged]
    preference, difference = prefer_items(_decided(judged, winners, Winner.FIRST)), _difference(judged)
    standing = Standing(
        names=names,
        preference=preference,
        difference=difference,
        judged=len(judged),
        items=len(everything),
        pace_s=session_pace_s(session) or USUAL_PACE_S,
        votes_an_item=1 + session.overlap * (session.overlap_votes - 1),
    )
    return ReviewOutcome(
        items=len(everything),
        judged=len(judged),
        arms=(_arm(names[0], judged, 0), _arm(names[1], judged, 1)),
        difference=difference,
        preference=preference,
        same=winners.count(Winner.SAME),
        unusable=winners.count(Winner.UNUSABLE),
        conclusion=conclude(standing),
        facts_agreement=(_facts_agreement(session, judged, 0), _facts_agreement(session, judged, 1)),
        preference_agreement=_preference_agreement(session, judged),
        sides=_sides(session),
        lengths=_lengths(judged, winners),
        to_read=tuple(_to_read(judged))[:_MOST_READ],
        is_weighted=len({one.item.inclusion for one in judged}) > 1,
        has_facts=any(one.levels(arm) for one in judged for arm in (0, 1)),
    )


def _arm(name: str, judged: Sequence[JudgedItem], arm: int) -> ArmOutcome:
    answered = [one for one in judged if one.is_answered(arm)]
    settled = [one for one in answered if one.is_settled(arm)]
    asked = [one for one in answered if one.levels(arm)]
    return ArmOutcome(
        name=name,
        hallucination=_rate((one.item, one.verdict(arm) is Verdict.FAIL) for one in settled),
        minor_slip=_rate((one.item, settled_level(one.levels(arm)) == MINOR_SLIP) for one in settled),
        cant_tell=_rate((one.item, one.verdict(arm) is Verdict.CANT_TELL) for one in asked),
        answered=_rate((one.item, one.is_answered(arm)) for one in judged),
        undecided=sum(one.verdict(arm) is Verdict.UNDECIDED for one in answered),
    )


def _rate(events: Iterable[tuple[ReviewItem, bool]]) -> WeightedRate | None:
    sampled = [SampledItem(event=event, inclusion=item.inclusion) for item, event in events]
    return weighted_rate(sampled) if sampled else None


def _difference(judged: Sequence[JudgedItem]) -> WeightedDifference | None:
    pairs = [
        SampledPair(
            first=one.verdict(0) is Verdict.FAIL, second=one.verdict(1) is Verdict.FAIL, inclusion=one.item.inclusion
        )
        for one in judged
        if one.is_settled(0) and one.is_settled(1)
    ]
    return weighted_difference(pairs) if pairs else None


def _decided(
    judged: Sequence[JudgedItem], winners: Sequence[Winner | None], wins: Winner | Sequence[Winner | None]
) -> list[SampledItem]:
    """The items with a better side; the event is that it is ``wins``, one side for all or one for each item."""
    wanted = [wins] * len(judged) if isinstance(wins, Winner) else wins
    return [
        SampledItem(event=winner is side, inclusion=one.item.inclusion)
        for one, winner, side in zip(judged, winners, wanted, strict=True)
        if winner in {Winner.FIRST, Winner.SECOND} and side is not None
    ]


def _facts_agreement(session: ReviewSession, judged: Sequence[JudgedItem], arm: int) -> Agreement | None:
    """Levels 1 to 4; who could not tell says nothing about the order of levels."""
    given = [[one.first if arm == 0 else one.second for one in each.judgements] for each in judged]
    ratings = [[level - 1 for level in levels if level not in (None, CANT_TELL)] for levels in given]
    return _agreement(session, judged, ratings, len(_FACTS_LEVELS))


def _preference_agreement(session: ReviewSession, judged: Sequence[JudgedItem]) -> Agreement | None:
    """On the levels that the rubric has: an imported one may say which is better, and not how much."""
    place = {level: number for number, level in enumerate(_preference_levels(session))}
    given = [[one.preference for one in each.judgements] for each in judged]
    ratings = [[place[level] for level in levels if level not in (None, UNUSABLE)] for levels in given]
    return _agreement(session, judged, ratings, len(place))


def _preference_levels(session: ReviewSession) -> Sequence[int]:
    asked = [question for question in session.rubric.questions if question["key"] == "preference"]
    levels = [level["value"] for question in asked for level in question["levels"]]
    return sorted(level for level in levels if level != UNUSABLE) or _PREFERENCE_LEVELS


def _agreement(session: ReviewSession, judged: Sequence[JudgedItem], ratings: Ratings, levels: int) -> Agreement | None:
    weights = [one.weight for one in judged]
    return agreement(ratings, levels=levels, metric="ordinal", seed=session.pk, weights=weights)


def _sides(session: ReviewSession) -> Preference:
    """Sides are drawn here, so that nobody should find A better more often than B; those of a file were not."""
    drawn = (vote for votes in latest_votes(session).values() for vote in votes if not vote.slot.rater)
    cast = [vote.preference for vote in drawn if vote.preference is not None and vote.preference != UNUSABLE]
    return prefer(wins=sum(level < SAME for level in cast), losses=sum(level > SAME for level in cast))


def _lengths(judged: Sequence[JudgedItem], winners: Sequence[Winner | None]) -> Preference:
    return prefer_items(_decided(judged, winners, [_longer(one.item) for one in judged]))


def _longer(item: ReviewItem) -> Winner | None:
    first, second = len(item.first_text), len(item.second_text)
    if first == second:
        return None
    return Winner.FIRST if first > second else Winner.SECOND


def _to_read(judged: Sequence[JudgedItem]) -> list[ToRead]:
    """Harmful answers, then what stays undecided, then failures that were flagged, then other failures."""
    ranked = sorted(((rank, one) for one in judged if (rank := _rank(one)) is not None), key=lambda pair: pair[0])
    words = ("Harmful", "Undecided", "Failed and flagged", "Failed", "Flagged")
    return [ToRead(item=one.item, first=one.verdict(0), second=one.verdict(1), why=words[rank]) for rank, one in ranked]


def _rank(one: JudgedItem) -> int | None:
    verdicts = {one.verdict(0), one.verdict(1)}
    if Verdict.FAIL in verdicts and _HARMFUL in [*one.levels(0), *one.levels(1)]:
        return 0
    if Verdict.UNDECIDED in verdicts:
        return 1
    if Verdict.FAIL in verdicts:
        return 2 if one.flagged else 3
    return 4 if one.flagged else None
