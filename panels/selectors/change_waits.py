"""Which change requests wait for whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from panels.change_rules import seats_left, takes_only_compliance
from panels.models import ChangeContributor, ChangeDecision, ChangeRequest
from panels.permissions import approvers, decides_as_compliance, may_apply, may_decide, may_request_changes
from panels.selectors.change_sides import hands_of, votes_of

State = ChangeRequest.State
_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeWait:
    """A request and what this person has to do about it, in words; ``state`` is the shape beside them."""

    request: ChangeRequest
    state: str
    words: str
    detail: str


def waits_for(person: User | AnonymousUser, *, now: datetime) -> tuple[ChangeWait, ...]:
    """Decisions first, then what the person can apply or has to change."""
    if not isinstance(person, User):
        return ()
    return (*_decisions(person, now), *_own(person, now))[:_MOST]


def people_asked(request: ChangeRequest) -> list[User]:
    """Everybody who can still decide on the request as it is."""
    decided = ChangeDecision.objects.filter(request=request, signed_hash=request.signed_hash).values("person")
    people = approvers().exclude(pk__in=hands_of(request)).exclude(pk__in=decided).order_by("pk")
    if takes_only_compliance(request.tier, votes_of(request)):
        return [person for person in people if decides_as_compliance(person)]
    return list(people)


def _decisions(person: User, now: datetime) -> Iterator[ChangeWait]:
    if not may_decide(person):
        return
    compliance = decides_as_compliance(person)
    for request in _undecided(person, now).order_by("expires_at", "pk")[:_MOST]:
        if request.tier == ChangeRequest.Tier.FALL_BACK:
            detail = "It was fallen back to without approval. Look at it and say what you think."
            yield ChangeWait(request=request, state="risk", words="Review", detail=detail)
            continue
        votes = votes_of(request)
        if seats_left(request.tier, votes) and (compliance or not takes_only_compliance(request.tier, votes)):
            yield ChangeWait(request=request, state="info", words="Decide", detail=request.summary)


def _undecided(person: User, now: datetime) -> QuerySet[ChangeRequest]:
    """Submitted by others, and fall-backs that nobody has reviewed."""
    mine = ChangeDecision.objects.filter(request=OuterRef("pk"), signed_hash=OuterRef("signed_hash"), person=person)
    reviewed = ChangeDecision.objects.filter(request=OuterRef("pk"))
    part = ChangeContributor.objects.filter(request=OuterRef("pk"), person=person)
    submitted = Q(state=State.SUBMITTED, expires_at__gt=now)
    fallen_back = Q(state__in=[State.APPLIED, State.SUPERSEDED, State.ROLLED_BACK], tier=0) & ~Exists(reviewed)
    rows = ChangeRequest.objects.filter(submitted | fallen_back).exclude(Exists(mine)).exclude(Exists(part))
    return rows.exclude(candidate__created_by=person).select_related("panel", "candidate", "created_by")


def _own(person: User, now: datetime) -> Iterator[ChangeWait]:
    rows = ChangeRequest.objects.select_related("panel", "candidate", "created_by").order_by("expires_at", "pk")
    if may_apply(person):
        for request in rows.filter(state=State.APPROVED, expires_at__gt=now)[:_MOST]:
            detail = request.refusal or "Enough people approved it. Apply it, or set a time."
            state = "fail" if request.refusal else "pass"
            yield ChangeWait(request=request, state=state, words="Apply", detail=detail)
    if not may_request_changes(person):
        return
    mine = ChangeContributor.objects.filter(request=OuterRef("pk"), person=person)
    for request in rows.filter(Exists(mine), state=State.CHANGES_REQUESTED).order_by(F("pk").desc())[:_MOST]:
        detail = "Its approvers want something changed before they agree."
        yield ChangeWait(request=request, state="risk", words="Change it", detail=detail)
