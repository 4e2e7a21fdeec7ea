"""What the votes of a review session come to: rates with their denominators, preference, agreement, what to read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from evaluation.models import Adjudication, ReviewItem, ReviewSession, ReviewVote
from evaluation.selectors.review_pace import session_pace_s
from evaluation.selectors.review_queue import SAYS_NOTHING
from evaluation.stats.agreement import Agreement, agreement
from evaluation.stats.preference import Preference, prefer
from evaluation.stats.review_levels import (
    CANT_TELL,
    MINOR_SLIP,
    SAME,
    UNUSABLE,
    Judgement,
    Verdict,
    Winner,
    judgement,
    settle,
    settled_level,
    winner_of,
)
from evaluation.stats.review_plan import USUAL_PACE_S, pairs_for_win_rate
from evaluation.stats.weighted_rates import SampledItem, WeightedRate, weighted_rate
from fusion_site.lib.figures import format_percent

PLANNED_WIN_RATE = 0.6
_HARMFUL = 4
_MOST_READ = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedItem:
    """An item with its votes in terms of the arms; what an adjudicator decided stands in their place."""

    item: ReviewItem
    judgements: tuple[Judgement, ...]
    decided: Judgement | None
    flagged: bool

    def levels(self, arm: int) -> list[int]:
        counted = [self.decided] if self.decided is not None else self.judgements
        found = (one.first if arm == 0 else one.second for one in counted)
        return [level for level in found if level is not None]

    def verdict(self, arm: int) -> Verdict:
        return settle(self.levels(arm))

    def winner(self) -> Winner | None:
        counted = self.judgements
        if self.decided is not None and self.decided.preference is not None:
            counted = (self.decided,)
        return winner_of([one.preference for one in counted if one.preference is not None])


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
class Conclusion:
    """``state`` is a mark of the pages. ``more`` items are wanted, ``minutes`` of one reviewer; None where none are."""

    state: str
    title: str
    words: str
    more: int | None = None
    minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRead:
    item: ReviewItem
    first: Verdict
    second: Verdict
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOutcome:
    """``sides`` counts votes for A against B, ``lengths`` items won by the longer text against the shorter."""

    items: int
    judged: int
    arms: tuple[ArmOutcome, ArmOutcome]
    preference: Preference
    same: int
    unusable: int
    conclusion: Conclusion
    facts_agreement: Agreement | None
    preference_agreement: Agreement | None
    sides: Preference
    lengths: Preference
    to_read: tuple[ToRead, ...]
    is_weighted: bool


def review_outcome(session: ReviewSession, everything: Sequence[JudgedItem] | None = None) -> ReviewOutcome:
    """Of the regular items, which ``judged_items`` gives."""
    everything = judged_items(session) if everything is None else everything
    judged = [one for one in everything if one.judgements or one.decided is not None]
    names = arm_names(session)
    winners = [one.winner() for one in judged]
    preference = prefer(wins=winners.count(Winner.FIRST), losses=winners.count(Winner.SECOND))
    return ReviewOutcome(
        items=len(everything),
        judged=len(judged),
        arms=(_arm(names[0], judged, 0), _arm(names[1], judged, 1)),
        preference=preference,
        same=winners.count(Winner.SAME),
        unusable=winners.count(Winner.UNUSABLE),
        conclusion=_conclusion(preference, names, judged=len(judged), pace_s=session_pace_s(session) or USUAL_PACE_S),
        facts_agreement=_facts_agreement(session, judged),
        preference_agreement=_preference_agreement(session, judged),
        sides=_sides(session),
        lengths=_lengths(judged, winners),
        to_read=tuple(_to_read(judged))[:_MOST_READ],
        is_weighted=len({one.item.inclusion for one in judged}) > 1,
    )


def arm_names(session: ReviewSession) -> tuple[str, str]:
    first, second = session.first_arm, session.second_arm
    return (first.name if first else "First answer", second.name if second else "Second answer")


def judged_items(session: ReviewSession) -> list[JudgedItem]:
    """Every regular item, those without a vote among them. Three queries."""
    items = ReviewItem.objects.filter(session=session, kind=ReviewItem.Kind.REGULAR).order_by("position")
    decided = {one.item_id: one for one in Adjudication.objects.filter(item__session=session)}
    votes = _latest_votes(session)
    return [_judged(item, votes.get(item.pk, ()), decided.get(item.pk)) for item in items.defer("evidence")]


def _latest_votes(session: ReviewSession) -> Mapping[int, Sequence[ReviewVote]]:
    """By item, of every slot the last blind vote."""
    rows = ReviewVote.objects.filter(slot__session=session, phase=ReviewVote.Phase.FIRST, slot__state="done")
    latest = {vote.slot_id: vote for vote in rows.select_related("slot").order_by("slot", "revision")}
    found: dict[int, list[ReviewVote]] = defaultdict(list)
    for vote in latest.values():
        found[vote.slot.item_id].append(vote)
    return found


def _judged(item: ReviewItem, votes: Sequence[ReviewVote], decided: Adjudication | None) -> JudgedItem:
    return JudgedItem(
        item=item,
        judgements=tuple(
            judgement(
                facts_a=vote.facts_a,
                facts_b=vote.facts_b,
                preference=vote.preference,
                unsure=vote.unsure,
                first_is_a=vote.first_is_a,
            )
            for vote in votes
        ),
        decided=None
        if decided is None
        else Judgement(first=decided.first_facts, second=decided.second_facts, preference=decided.preference),
        flagged=any(vote.flagged for vote in votes),
    )


def _arm(name: str, judged: Sequence[JudgedItem], arm: int) -> ArmOutcome:
    answered = [one for one in judged if _state(one.item, arm) not in SAYS_NOTHING]
    settled = [one for one in answered if one.verdict(arm) in {Verdict.PASS, Verdict.FAIL}]
    return ArmOutcome(
        name=name,
        hallucination=_rate((one.item, one.verdict(arm) is Verdict.FAIL) for one in settled),
        minor_slip=_rate((one.item, settled_level(one.levels(arm)) == MINOR_SLIP) for one in settled),
        cant_tell=_rate((one.item, one.verdict(arm) is Verdict.CANT_TELL) for one in answered),
        answered=_rate((one.item, one in answered) for one in judged),
        undecided=sum(one.verdict(arm) is Verdict.UNDECIDED for one in answered),
    )


def _state(item: ReviewItem, arm: int) -> str:
    return item.first_state if arm == 0 else item.second_state


def _rate(events: Iterable[tuple[ReviewItem, bool]]) -> WeightedRate | None:
    sampled = [SampledItem(event=event, inclusion=item.inclusion) for item, event in events]
    return weighted_rate(sampled) if sampled else None


def _conclusion(preference: Preference, names: tuple[str, str], *, judged: int, pace_s: float) -> Conclusion:
    wanted = pairs_for_win_rate(PLANNED_WIN_RATE)
    if preference.is_settled and preference.win_rate is not None:
        better = names[0] if preference.win_rate > 0.5 else names[1]
        return Conclusion(
            state="pass",
            title=f"{better} is better",
            words="Reviewers prefer it; were both equally good, votes like these would be rarer than 1 in 20.",
        )
    if preference.interval is not None and preference.decided >= wanted:
        bound = max(preference.interval.high, 1 - preference.interval.low)
        return Conclusion(
            state="none",
            title=f"No difference as large as {format_percent(bound, 0)} % against {format_percent(1 - bound, 0)} %",
            words="Neither arm wins more often than that, with 95 % confidence.",
        )
    share = preference.decided / judged if judged and preference.decided else 1.0
    more = ceil((wanted - preference.decided) / share)
    minutes = ceil(more * pace_s / 60)
    return Conclusion(
        state="none",
        title=f"Label {more:,} more",
        words=f"About {minutes:,} minutes of one reviewer: then a win rate of 60 % shows in four of five sessions.",
        more=more,
        minutes=minutes,
    )


def _facts_agreement(session: ReviewSession, judged: Sequence[JudgedItem]) -> Agreement | None:
    """Levels 1 to 4; who could not tell says nothing about the order of levels."""
    sides = [[getattr(one, arm) for one in each.judgements] for each in judged for arm in ("first", "second")]
    ratings = [[level - 1 for level in levels if level not in (None, CANT_TELL)] for levels in sides]
    return agreement(ratings, levels=4, metric="ordinal", seed=session.pk)


def _preference_agreement(session: ReviewSession, judged: Sequence[JudgedItem]) -> Agreement | None:
    given = [[one.preference for one in each.judgements] for each in judged]
    ratings = [[level - 1 for level in levels if level not in (None, UNUSABLE)] for levels in given]
    return agreement(ratings, levels=5, metric="ordinal", seed=session.pk)


def _sides(session: ReviewSession) -> Preference:
    """Sides are drawn, so that nobody should find A better more often than B."""
    rows = [vote.preference for votes in _latest_votes(session).values() for vote in votes]
    cast = [level for level in rows if level is not None and level != UNUSABLE]
    return prefer(wins=sum(level < SAME for level in cast), losses=sum(level > SAME for level in cast))


def _lengths(judged: Sequence[JudgedItem], winners: Sequence[Winner | None]) -> Preference:
    longer = [_longer(one.item) for one in judged]
    pairs = [(long, won) for long, won in zip(longer, winners, strict=True) if long is not None]
    decided = [(long, won) for long, won in pairs if won in {Winner.FIRST, Winner.SECOND}]
    return prefer(wins=sum(long is won for long, won in decided), losses=sum(long is not won for long, won in decided))


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
