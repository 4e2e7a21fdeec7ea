"""What the list of change requests and the page of one read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import F, Q, QuerySet

from fusion_site.lib.paging import Order, Page, page_of
from panels.change_rules import (
    Envelope,
    envelope_of,
    needs_compliance,
    outcome_of,
    quorum_of,
    seats_left,
    takes_only_compliance,
)
from panels.evidence import Evidence, read_evidence
from panels.fusion.prompts import PROMPTS
from panels.gate import GateFinding, contract_day, gate_findings, speaking_contracts, version_seats
from panels.models import ChangeDecision, ChangeRequest, PanelVersion
from panels.permissions import decides_as_compliance, may_apply, may_decide, may_request_changes
from panels.policies import is_expired
from panels.selectors.applications import current_application
from panels.selectors.change_sides import data_policy, hands_of, votes_of
from panels.selectors.changes import Setting, VersionChanges, changes_from_nothing
from panels.selectors.orders import chosen_order
from panels.selectors.panels import models_of, version_changes, with_members
from panels.specs import spec_of

State = ChangeRequest.State
Person = User | AnonymousUser
CHANGE_COLUMNS = (
    "id", "panel", "version", "base", "state", "tier", "summary", "author", "created_at", "submitted_at", "expires_at",
    "closed_at", "signed_hash",
)  # fmt: skip
STATE_MARKS = {
    State.DRAFT: "none",
    State.SUBMITTED: "info",
    State.APPROVED: "pass",
    State.CHANGES_REQUESTED: "risk",
    State.REJECTED: "fail",
    State.SCHEDULED: "info",
    State.APPLIED: "pass",
    State.SUPERSEDED: "none",
    State.ROLLED_BACK: "risk",
    State.WITHDRAWN: "none",
    State.EXPIRED: "none",
}
_ORDERS = {
    "changed": Order(column="created_at", read=datetime.fromisoformat),
    "panel": Order(column="panel_name", read=str),
    "tier": Order(column="tier"),
    "expires": Order(column="expires_at", read=datetime.fromisoformat, nullable=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFilter:
    """Empty texts filter nothing; ``state`` may also be open."""

    q: str = ""
    state: str = ""
    tier: int | None = None
    panel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeList:
    page: Page[ChangeRequest]
    total: int

    @property
    def note(self) -> str:
        return f"{self.total:,} change request{'s' if self.total != 1 else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One approver's place. ``decision`` is None where it is still free or must not be seen yet, then ``taken``."""

    number: int
    taken: bool
    is_own: bool = False
    only_compliance: bool = False
    decision: ChangeDecision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """``why_not`` says why this person cannot decide; empty where they can. ``findings``: the gate, as of now.

    ``prompts`` holds name and text of every prompt that comes with the change, those of the base it leaves first.
    """

    request: ChangeRequest
    changes: VersionChanges
    prompts: tuple[tuple[str, str], ...]
    reach: tuple[Setting, ...]
    evidence: Evidence
    envelope: Envelope
    seats: tuple[Seat, ...]
    findings: tuple[GateFinding, ...]
    applied: PanelVersion | None
    is_expired: bool
    may_write: bool
    may_apply: bool
    why_not: str

    @property
    def mark(self) -> str:
        return "none" if self.is_expired else STATE_MARKS[State(self.request.state)]

    @property
    def words(self) -> str:
        return "Expired" if self.is_expired else State(self.request.state).label

    @property
    def needed(self) -> str:
        """Who has to agree, in words."""
        people = {0: "Nobody has to approve a fall-back; somebody looks at it after.", 1: "One person, not the author."}
        if needs_compliance(self.request.tier):
            return "Two people, one of them from compliance, neither of them the author."
        return people.get(quorum_of(self.request.tier), "Two people, neither of them the author.")

    @property
    def can_be_decided(self) -> bool:
        return not self.why_not

    @property
    def is_editable(self) -> bool:
        open_states = {State.DRAFT, State.SUBMITTED, State.APPROVED, State.SCHEDULED, State.CHANGES_REQUESTED}
        return self.may_write and self.request.state in open_states and not self.request.is_rollback

    @property
    def is_withdrawable(self) -> bool:
        return self.may_write and self.request.state in {*ChangeRequest.OPEN, State.DRAFT, State.CHANGES_REQUESTED}

    @property
    def is_applicable(self) -> bool:
        return self.may_apply and self.request.state in {State.APPROVED, State.SCHEDULED} and not self.is_expired

    @property
    def moved_on(self) -> bool:
        """Another version than the base is live by now."""
        waits = {State.DRAFT, *ChangeRequest.OPEN, State.CHANGES_REQUESTED}
        return self.request.state in waits and self.request.base_id != (self.applied.pk if self.applied else None)


def filtered_changes(wanted: ChangeFilter) -> QuerySet[ChangeRequest]:
    rows = ChangeRequest.objects.annotate(panel_name=F("panel__name"))
    if wanted.q:
        named = Q(panel__name__icontains=wanted.q) | Q(summary__icontains=wanted.q)
        rows = rows.filter(named | Q(created_by__username__icontains=wanted.q))
    if wanted.state == "open":
        rows = rows.filter(state__in=[State.DRAFT, *ChangeRequest.OPEN, State.CHANGES_REQUESTED])
    elif wanted.state in State.values:
        rows = rows.filter(state=wanted.state)
    if wanted.tier is not None:
        rows = rows.filter(tier=wanted.tier)
    return rows.filter(panel__slug=wanted.panel) if wanted.panel else rows


def list_changes(wanted: ChangeFilter, *, sort: str = "", after: str = "", before: str = "") -> ChangeList:
    rows = filtered_changes(wanted)
    order = chosen_order(_ORDERS, sort or "-changed", default="changed")
    related = rows.select_related("panel", "candidate", "base", "created_by")
    page = page_of(related, order=order, after=after or None, before=before or None)
    return ChangeList(page=page, total=rows.count())


def exported_changes(wanted: ChangeFilter, *, sort: str = "") -> Iterator[dict[str, Any]]:
    """One row a request under CHANGE_COLUMNS."""
    rows = filtered_changes(wanted).select_related("panel", "candidate", "base", "created_by")
    order = chosen_order(_ORDERS, sort or "-changed", default="changed")
    return (_export_row(request) for request in order.sorted(rows).iterator(chunk_size=500))


def read_change(request: ChangeRequest, *, person: Person, now: datetime) -> ChangePage:
    """The page as this person may see it: what others decided shows once all have."""
    candidate = with_members(PanelVersion.objects.filter(pk=request.candidate_id)).get()
    base = None if request.base is None else with_members(PanelVersion.objects.filter(pk=request.base.pk)).get()
    applied = current_application(request.panel)
    models, roles = version_seats(candidate)
    today = contract_day(now)
    return ChangePage(
        request=request,
        changes=_changes(base, candidate),
        prompts=_prompts(base, candidate),
        reach=_reach(base, candidate, now),
        evidence=read_evidence(request.evidence),
        envelope=envelope_of(request.envelope),
        seats=tuple(_seats(request, person)),
        findings=gate_findings(policy=data_policy(request.policy), models=models, roles=roles, today=today),
        applied=None if applied is None else applied.version,
        is_expired=is_expired(request, now=now),
        may_write=may_request_changes(person),
        may_apply=may_apply(person),
        why_not=_why_not(request, person, now),
    )


def visible_decisions(request: ChangeRequest, person: Person) -> list[ChangeDecision]:
    """All that count once the last one has come in; before that the person's own."""
    rows = ChangeDecision.objects.filter(request=request, signed_hash=request.signed_hash).select_related("person")
    done = request.tier == ChangeRequest.Tier.FALL_BACK or outcome_of(request.tier, votes_of(request)) is not None
    return list((rows if done else rows.filter(person=person.pk)).order_by("decided_at", "pk"))


def _seats(request: ChangeRequest, person: Person) -> Iterator[Seat]:
    votes, shown = votes_of(request), visible_decisions(request, person)
    hidden = len(votes) - len(shown)
    for number, decision in enumerate(shown, start=1):
        own = decision.person_id == person.pk
        yield Seat(number=number, taken=True, is_own=own, only_compliance=decision.as_compliance, decision=decision)
    for number in range(hidden):
        yield Seat(number=len(shown) + number + 1, taken=True)
    if request.state not in {State.DRAFT, State.SUBMITTED}:
        return
    left = seats_left(request.tier, votes)
    waits = needs_compliance(request.tier) and not any(vote.as_compliance for vote in votes)
    for number in range(left):
        last = number == left - 1
        yield Seat(number=len(votes) + number + 1, taken=False, only_compliance=waits and last)


def _why_not(request: ChangeRequest, person: Person, now: datetime) -> str:
    if not may_decide(person):
        return "Approvers and compliance decide."
    if person.pk in hands_of(request):
        return "You made this version or wrote this request, so others decide."
    if request.decisions.filter(signed_hash=request.signed_hash, person=person.pk).exists():
        return "You have decided."
    if request.tier == ChangeRequest.Tier.FALL_BACK:
        reviewable = {State.APPLIED, State.SUPERSEDED, State.ROLLED_BACK}
        return "" if request.state in reviewable else "A fall-back is reviewed once it is applied."
    if request.state != State.SUBMITTED or is_expired(request, now=now):
        return "There is nothing to decide now."
    only_compliance = takes_only_compliance(request.tier, votes_of(request))
    return "The last decision is for compliance." if only_compliance and not decides_as_compliance(person) else ""


def _changes(base: PanelVersion | None, candidate: PanelVersion) -> VersionChanges:
    if base is not None:
        return version_changes(base, candidate)
    names = {key: model.name for key, model in models_of(candidate).items()}
    return changes_from_nothing(spec_of(candidate), names=names)


def _prompts(base: PanelVersion | None, candidate: PanelVersion) -> tuple[tuple[str, str], ...]:
    names = ["" if base is None else base.arbiter_prompt, candidate.arbiter_prompt]
    if names[0] == names[1]:
        return ()
    return tuple(
        (f"{name}, {strategy.value}", f"{prompt.system}\n{prompt.opening}\n{prompt.closing}")
        for name in filter(None, names)
        for strategy, prompt in PROMPTS.get(name, {}).items()
    )


def _reach(base: PanelVersion | None, candidate: PanelVersion, now: datetime) -> tuple[Setting, ...]:
    """Whom and where the data reaches, before and after."""
    was, then = _places(base, now), _places(candidate, now)
    return tuple(Setting(label=label, was=was[label], now=then[label]) for label in then)


def _places(version: PanelVersion | None, now: datetime) -> dict[str, str]:
    providers = {} if version is None else {model.provider_id: model.provider for model in models_of(version).values()}
    contracts = speaking_contracts(list(providers), today=contract_day(now))
    regions = {region for contract in contracts.values() for region in contract.regions}
    names = {provider.name for provider in providers.values()}
    return {"providers": _listed(names), "regions": _listed(regions)}


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _export_row(request: ChangeRequest) -> dict[str, Any]:
    moments = ("created_at", "submitted_at", "expires_at", "closed_at")
    return {
        "id": request.pk,
        "panel": request.panel.slug,
        "version": request.candidate.number,
        "base": None if request.base is None else request.base.number,
        "state": request.state,
        "tier": request.tier,
        "summary": request.summary,
        "author": request.created_by.get_username(),
        "signed_hash": request.signed_hash,
        **{name: None if (moment := getattr(request, name)) is None else moment.isoformat() for name in moments},
    }
