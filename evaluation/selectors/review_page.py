"""What the reviewer's page is made of: an item with its texts as HTML, and the questions in turn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Count, Q, Sum
from django.utils.safestring import SafeString

from evaluation.models import ReviewAssignment, ReviewItem, ReviewSession, ReviewSlot, ReviewVote
from evaluation.selectors.review_pace import own_pace_s
from evaluation.selectors.review_quality import KnownLevels, own_calibration, own_gold
from evaluation.selectors.review_queue import FACTS, Card, joinable_by
from evaluation.stats.preference import Preference, prefer
from evaluation.stats.review_levels import SAME
from fusion_site.lib.markdown import render_pair

_STATE_WORDS = {
    ReviewItem.State.REFUSAL.value: "Refused to answer",
    ReviewItem.State.EMPTY.value: "No answer",
    ReviewItem.State.TRUNCATED.value: "Cut off",
}
_PREFERENCE = ((1, "A much"), (2, "A a bit"), (3, "Same"), (4, "B a bit"), (5, "B much"), (0, "Both unusable"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSide:
    """One answer under its letter. ``state_words`` say what it is if it is not a whole answer."""

    key: str
    html: SafeString
    state_words: str

    @property
    def letter(self) -> str:
        return self.key.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownItem:
    """An item as the page shows it. ``asks`` names its questions in order, of a, b and p.

    ``waits``: something is said about the rating before the next item comes. ``revision`` is that of the next vote,
    ``answers`` are the reviewer's own so far, as JSON.
    """

    token: UUID
    question: str
    evidence: str
    reference: str
    sides: tuple[ShownSide, ShownSide]
    asks: str
    waits: bool
    revision: int
    answers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFigures:
    """What somebody did in a session; ``seconds`` on the screen in all, ``pace_s`` for a usual item.

    ``gold`` grows by whole blocks of items, so that it does not tell which one was gold. ``side`` counts votes for A
    against B, ``ties`` those for neither.
    """

    rated: int
    skipped: int
    flagged: int
    unsure: int
    seconds: float
    pace_s: float | None
    calibration: KnownLevels
    gold: KnownLevels
    side: Preference
    ties: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with its answers: the value that is stored, which is the key to press, and its words."""

    key: str
    name: str
    title: str
    keys: str
    levels: tuple[tuple[int, str], ...]


QUESTIONS = (
    Question(key="a", name="facts_a", title="Facts in A", keys="1 to 5", levels=tuple(FACTS.items())),
    Question(key="b", name="facts_b", title="Facts in B", keys="1 to 5", levels=tuple(FACTS.items())),
    Question(key="p", name="preference", title="Which is better overall?", keys="1 to 5, 0", levels=_PREFERENCE),
)


def shown_item(card: Card, vote: ReviewVote | None = None) -> ShownItem:
    """``vote`` is the one that stands, if the item is shown again."""
    asked = {"a": card.asks_a, "b": card.asks_b, "p": True}
    first, second = render_pair(card.a_text, card.b_text)
    return ShownItem(
        token=card.token,
        question=card.question,
        evidence=card.evidence,
        reference=card.reference,
        sides=(
            ShownSide(key="a", html=first.html, state_words=_STATE_WORDS.get(card.a_state, "")),
            ShownSide(key="b", html=second.html, state_words=_STATE_WORDS.get(card.b_state, "")),
        ),
        asks=" ".join(key for key, is_asked in asked.items() if is_asked),
        waits=card.calibrating,
        revision=1 if vote is None else vote.revision + 1,
        answers="" if vote is None else json.dumps(_answers_of(vote)),
    )


def _answers_of(vote: ReviewVote) -> dict[str, Any]:
    names = ("facts_a", "facts_b", "preference", "unsure", "flagged", "note", "chips")
    given = {name: getattr(vote, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def find_own_session(pk: int, person: User) -> ReviewSession | None:
    """The session if this person reviews in it, or could join it."""
    assigned = Q(assignments__person=person, assignments__role=ReviewAssignment.Role.REVIEWER)
    found = ReviewSession.objects.filter(Q(pk=pk), assigned | joinable_by(person)).select_related("workflow")
    return found.distinct().first()


def fair_share(session: ReviewSession, *, held: int, most: int) -> int:
    """How many items somebody who holds ``held`` ahead may hold, 1 to ``most``: towards the end all find something."""
    reviewers = session.assignments.filter(role=ReviewAssignment.Role.REVIEWER).count() or 1
    left = ReviewSlot.objects.filter(session=session, state=ReviewSlot.State.OPEN, personal=False)
    return max(1, min(most, (left[: most * reviewers].count() + held) // reviewers))


def own_figures(session: ReviewSession, person: User) -> OwnFigures:
    """Of the votes that were given blind, as they were first given."""
    votes = ReviewVote.objects.filter(slot__session=session, slot__person=person, revision=1)
    counts = votes.aggregate(
        rated=Count("pk"),
        flagged=Count("pk", filter=Q(flagged=True)),
        unsure=Count("pk", filter=Q(unsure=True)),
        ties=Count("pk", filter=Q(preference=SAME)),
        wins=Count("pk", filter=Q(preference__in=[1, 2])),
        losses=Count("pk", filter=Q(preference__in=[4, 5])),
        seconds=Sum("seconds"),
    )
    side = prefer(wins=counts.pop("wins"), losses=counts.pop("losses"))
    seconds = counts.pop("seconds") or 0.0
    return OwnFigures(
        **counts,
        seconds=seconds,
        skipped=ReviewSlot.objects.filter(session=session, person=person, state=ReviewSlot.State.SKIPPED).count(),
        pace_s=own_pace_s(session, person),
        calibration=own_calibration(votes),
        gold=own_gold(votes),
        side=side,
    )
