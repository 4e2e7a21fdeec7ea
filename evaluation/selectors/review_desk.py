"""What the owner of review sessions sees: the list, and one session with its people and what needs a look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery

from evaluation.models import ReviewAssignment, ReviewItem, ReviewSession, ReviewSlot, ReviewVote
from evaluation.selectors.review_pace import session_pace_s
from evaluation.stats.review_plan import finish_at
from fusion_site.lib.paging import Order, Page, page_of

_MOST_SHOWN = 20
_RECENT_VOTES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A line of the list. ``done`` of ``wanted`` judgements of regular items."""

    session: ReviewSession
    done: int
    wanted: int
    disputed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """How far somebody is; how well stays between them and their own page."""

    assignment: ReviewAssignment
    done: int
    skipped: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A flagged item or a note, with who left it."""

    item: ReviewItem
    person: User | None
    note: str
    flagged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDesk:
    """``naming`` are items whose texts name a model, provider or panel. ``finish`` is None before two votes are in.

    ``raters`` came with an imported file.
    """

    session: ReviewSession
    done: int
    wanted: int
    underway: int
    skipped: int
    disputed: int
    adjudicated: int
    pace_s: float | None
    finish: datetime | None
    people: tuple[PersonRow, ...]
    raters: tuple[str, ...]
    remarks: tuple[Remark, ...]
    naming: tuple[ReviewItem, ...]
    naming_count: int

    @property
    def left(self) -> int:
        return self.wanted - self.done


def sessions_page(*, after: str | None = None, before: str | None = None) -> Page[SessionRow]:
    """Newest first."""
    rows = ReviewSession.objects.select_related("workflow", "created_by").annotate(
        done=_slots(Q(state=ReviewSlot.State.DONE)),
        wanted=_slots(~Q(state=ReviewSlot.State.SKIPPED)),
        disputed=_count(ReviewItem.objects.filter(session=OuterRef("pk"), dispute__isnull=False)),
    )
    return page_of(rows, order=Order(column="pk", descending=True), after=after, before=before).map(_row)


def _row(session: Any) -> SessionRow:
    """``session`` carries the counts as annotations, None where there was nothing to count."""
    return SessionRow(
        session=session, done=session.done or 0, wanted=session.wanted or 0, disputed=session.disputed or 0
    )


def _slots(wanted: Q) -> Subquery:
    return _count(ReviewSlot.objects.filter(wanted, session=OuterRef("pk"), personal=False))


def _count(rows: QuerySet[ReviewSlot] | QuerySet[ReviewItem]) -> Subquery:
    """In a query of its own: two joins would multiply each other's rows."""
    return Subquery(rows.order_by().values("session").annotate(number=Count("pk")).values("number"))


def session_desk(session: ReviewSession, now: datetime) -> SessionDesk:
    states = dict(
        ReviewSlot.objects.filter(session=session, personal=False)
        .order_by()
        .values_list("state")
        .annotate(number=Count("pk"))
    )
    done = states.get(ReviewSlot.State.DONE, 0)
    wanted = sum(states.values()) - states.get(ReviewSlot.State.SKIPPED, 0)
    naming = ReviewItem.objects.filter(session=session).exclude(names_found=[]).order_by("position")
    return SessionDesk(
        session=session,
        done=done,
        wanted=wanted,
        underway=states.get(ReviewSlot.State.LEASED, 0),
        skipped=states.get(ReviewSlot.State.SKIPPED, 0),
        disputed=ReviewItem.objects.filter(session=session, dispute__isnull=False).count(),
        adjudicated=ReviewItem.objects.filter(session=session, adjudication__isnull=False).count(),
        pace_s=session_pace_s(session),
        finish=_finish(session, wanted - done, now),
        people=_people(session),
        raters=_raters(session),
        remarks=_remarks(session),
        naming=tuple(naming[:_MOST_SHOWN]),
        naming_count=naming.count(),
    )


def _finish(session: ReviewSession, left: int, now: datetime) -> datetime | None:
    given = ReviewVote.objects.filter(slot__session=session, slot__personal=False, revision=1, slot__rater="")
    return finish_at(
        given_at=list(given.order_by("-pk").values_list("created_at", flat=True)[:_RECENT_VOTES]), left=left, now=now
    )


def _people(session: ReviewSession) -> tuple[PersonRow, ...]:
    own = Q(person__review_slots__session=session)
    parts = (
        ReviewAssignment.objects.filter(session=session)
        .select_related("person")
        .annotate(
            done=Count("person__review_slots", filter=own & Q(person__review_slots__state="done")),
            skipped=Count("person__review_slots", filter=own & Q(person__review_slots__state="skipped")),
            last_at=Max("person__review_slots__acted_at", filter=own),
        )
        .order_by("role", "person__username")
    )
    return tuple(
        PersonRow(assignment=part, done=part.done, skipped=part.skipped, last_at=part.last_at) for part in parts
    )


def _raters(session: ReviewSession) -> tuple[str, ...]:
    if session.method != ReviewSession.Method.IMPORTED:
        return ()
    named = ReviewSlot.objects.filter(session=session).exclude(rater="")
    return tuple(named.order_by("rater").values_list("rater", flat=True).distinct())


def _remarks(session: ReviewSession) -> tuple[Remark, ...]:
    """Of each slot what the last blind vote says, newest first."""
    said = Q(flagged=True) | ~Q(note="")
    newest = ReviewVote.objects.filter(slot=OuterRef("slot")).order_by("-revision").values("pk")[:1]
    votes = ReviewVote.objects.filter(said, slot__session=session, pk=Subquery(newest))
    found = votes.select_related("slot__item", "slot__person").order_by("-flagged", "-pk")[:_MOST_SHOWN]
    return tuple(
        Remark(item=vote.slot.item, person=vote.slot.person, note=vote.note, flagged=vote.flagged) for vote in found
    )
