"""A disputed item as an adjudicator sees it: both answers without their arms, and every vote on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef
from django.utils.safestring import SafeString

from evaluation.models import ReviewItem, ReviewSession, ReviewSlot, ReviewVote
from evaluation.selectors.review_queue import FACTS, disputed_items
from evaluation.stats.review_levels import mirrored
from evaluation.stats.review_sides import first_is_a
from fusion_site.lib.markdown import render_pair

PREFERENCE = {1: "Left much", 2: "Left a bit", 3: "Same", 4: "Right a bit", 5: "Right much", 0: "Both unusable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A sentence that a reviewer pointed at, and what is wrong with it."""

    side: str
    text: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenVote:
    """One reviewer's answers, with the sides as this page has them; ``marks`` are the sentences they pointed at."""

    number: int
    left: str
    right: str
    preference: str
    unsure: bool
    note: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """``first_is_left`` never leaves the server: it maps what is decided back to the arms. ``waiting`` counts all."""

    item: ReviewItem
    first_is_left: bool
    left: SafeString
    right: SafeString
    votes: tuple[GivenVote, ...]
    waiting: int


def next_dispute(session: ReviewSession, person: User, *, item: int | None = None) -> Dispute | None:
    """What is the furthest from agreement of all that this person may settle, or the item asked for."""
    own = ReviewSlot.objects.filter(item=OuterRef("pk"), person=person, state=ReviewSlot.State.DONE)
    waiting = disputed_items(session).filter(~Exists(own))
    found = waiting.filter(pk=item).first() if item is not None else waiting.first()
    if found is None:
        return None
    is_left = first_is_a(session.seed, found.pk, 0)
    texts = (found.first_text, found.second_text)
    left, right = render_pair(*(texts if is_left else texts[::-1]))
    return Dispute(
        item=found,
        first_is_left=is_left,
        left=left.html,
        right=right.html,
        votes=tuple(_votes(found, is_left=is_left)),
        waiting=waiting.count(),
    )


def _votes(item: ReviewItem, *, is_left: bool) -> Iterator[GivenVote]:
    votes = ReviewVote.objects.filter(slot__item=item, phase=ReviewVote.Phase.FIRST).order_by("slot", "revision")
    latest = {vote.slot_id: vote for vote in votes}
    for number, vote in enumerate(latest.values(), start=1):
        as_shown = vote.first_is_a == is_left
        facts = (vote.facts_a, vote.facts_b) if as_shown else (vote.facts_b, vote.facts_a)
        preference = mirrored(vote.preference, as_shown)
        yield GivenVote(
            number=number,
            left=_words(facts[0]),
            right=_words(facts[1]),
            preference="" if preference is None else PREFERENCE[preference],
            unsure=vote.unsure,
            note=vote.note,
            marks=tuple(_mark(chip, as_shown=as_shown) for chip in vote.chips),
        )


def _mark(chip: Mapping[str, Any], *, as_shown: bool) -> Mark:
    is_left = (chip["side"] == "a") is as_shown
    return Mark(side="Left" if is_left else "Right", text=str(chip["text"]), error=str(chip["kind"]).replace("_", " "))


def _words(level: int | None) -> str:
    return "" if level is None else FACTS[level]
