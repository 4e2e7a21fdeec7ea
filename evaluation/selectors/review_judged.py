"""The regular items of a review session with their votes in terms of the arms, and what an adjudicator decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluation.models import Adjudication, ReviewItem, ReviewSession, ReviewVote
from evaluation.selectors.review_queue import SAYS_NOTHING
from evaluation.stats.review_levels import Judgement, Verdict, Winner, judgement, settle, winner_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedSentence:
    """A sentence of the answer of an arm (0 or 1) that a reviewer pointed at."""

    arm: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedItem:
    """An item with its votes in terms of the arms; what an adjudicator decided stands in their place."""

    item: ReviewItem
    judgements: tuple[Judgement, ...]
    decided: Judgement | None
    flagged: bool
    marks: tuple[MarkedSentence, ...]

    @property
    def is_judged(self) -> bool:
        return bool(self.judgements) or self.decided is not None

    @property
    def weight(self) -> float:
        return 1 / self.item.inclusion

    def is_answered(self, arm: int) -> bool:
        state = self.item.first_state if arm == 0 else self.item.second_state
        return state not in SAYS_NOTHING

    def levels(self, arm: int) -> list[int]:
        counted = [self.decided] if self.decided is not None else self.judgements
        found = (one.first if arm == 0 else one.second for one in counted)
        return [level for level in found if level is not None]

    def verdict(self, arm: int) -> Verdict:
        return settle(self.levels(arm))

    def is_settled(self, arm: int) -> bool:
        return self.is_answered(arm) and self.verdict(arm) in {Verdict.PASS, Verdict.FAIL}

    def winner(self) -> Winner | None:
        counted = self.judgements
        if self.decided is not None and self.decided.preference is not None:
            counted = (self.decided,)
        return winner_of([one.preference for one in counted if one.preference is not None])


def arm_names(session: ReviewSession) -> tuple[str, str]:
    first, second = session.first_arm, session.second_arm
    return (first.name if first else "First answer", second.name if second else "Second answer")


def judged_items(session: ReviewSession) -> list[JudgedItem]:
    """Every regular item, those without a vote among them. Three queries."""
    items = ReviewItem.objects.filter(session=session, kind=ReviewItem.Kind.REGULAR).order_by("position")
    decided = {one.item_id: one for one in Adjudication.objects.filter(item__session=session)}
    votes = latest_votes(session)
    return [_judged(item, votes.get(item.pk, ()), decided.get(item.pk)) for item in items.defer("evidence")]


def latest_votes(session: ReviewSession) -> Mapping[int, Sequence[ReviewVote]]:
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
        judgements=tuple(_judgement(vote) for vote in votes),
        decided=None
        if decided is None
        else Judgement(first=decided.first_facts, second=decided.second_facts, preference=decided.preference),
        flagged=any(vote.flagged for vote in votes),
        marks=tuple(mark for vote in votes for mark in _marks(vote)),
    )


def _judgement(vote: ReviewVote) -> Judgement:
    return judgement(
        facts_a=vote.facts_a,
        facts_b=vote.facts_b,
        preference=vote.preference,
        unsure=vote.unsure,
        first_is_a=vote.first_is_a,
    )


def _marks(vote: ReviewVote) -> Iterator[MarkedSentence]:
    for chip in vote.chips:
        is_first = (chip["side"] == "a") is vote.first_is_a
        yield MarkedSentence(arm=0 if is_first else 1, text=str(chip["text"]))
