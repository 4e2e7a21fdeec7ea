"""A change request from its first draft until it is decided on: open, edit, submit, withdraw, expire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from panels.change_rules import Envelope, envelope_json, hash_of
from panels.models import ChangeContributor, ChangeRequest, PanelVersion
from panels.policies import OPEN_FOR, WrongState, require_draft, require_editable_request, require_withdrawable
from panels.selectors.applications import current_application
from panels.selectors.change_sides import is_as_signed, sign, tier_of
from panels.services.change_audit import record_change
from panels.services.change_gates import require_open_gate
from panels.services.change_notices import tell_author, tell_deciders

State = ChangeRequest.State
_LONGEST = 300


class InvalidChange(Exception):
    """A change request that cannot be saved. ``problems`` are (field, message) pairs."""

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        self.problems = problems
        super().__init__(" ".join(message for _, message in problems))


class ChangedMeanwhile(WrongState):
    """Somebody else moved the request since it was read."""

    def __init__(self) -> None:
        super().__init__("Somebody else has just changed this request. Look at it again.")


class Outdated(WrongState):
    """What the request was made against is no longer so: another version was applied, or the risk is another."""


class NoEvidence(WrongState):
    """A request without a finished run behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an author says. ``policy`` and ``evidence`` are JSON values; they are frozen as they are given."""

    candidate: PanelVersion
    summary: str
    policy: Mapping[str, Any]
    evidence: Mapping[str, Any] = field(default_factory=dict)
    envelope: Envelope = field(default_factory=Envelope)
    makes_baseline: bool = False


@transaction.atomic
def open_change_request(*, change: Change, by: User, now: datetime, is_rollback: bool = False) -> ChangeRequest:
    """A draft. Raises InvalidChange."""
    request = ChangeRequest(
        panel=change.candidate.panel, created_at=now, created_by=by, is_rollback=is_rollback, revision=1
    )
    _fill(request, change, now)
    request.save(force_insert=True)
    ChangeContributor.objects.create(request=request, person=by)
    record_change("opened", request, by, now)
    return request


@transaction.atomic
def edit_change_request(
    *, request: ChangeRequest, change: Change, revision: int, by: User, now: datetime
) -> ChangeRequest:
    """A new revision, again a draft; what was approved before counts no more. Raises InvalidChange and WrongState.

    ``revision`` is the one that was edited.
    """
    request = lock_request(request.pk)
    require_editable_request(request)
    if request.revision != revision:
        raise ChangedMeanwhile
    if request.is_rollback or change.candidate.panel_id != request.panel_id:
        raise WrongState("A roll-back and the panel of a request stay as they are. Open another request.")
    known = request.state
    request.revision += 1
    _fill(request, change, now)
    columns = {name: getattr(request, name) for name in _CONTENT}
    moved = move(request, State.DRAFT, known=known, **columns, **_UNDECIDED)
    ChangeContributor.objects.get_or_create(request=request, person=by)
    record_change("edited", moved, by, now)
    return moved


@transaction.atomic
def submit_change_request(*, request: ChangeRequest, by: User, now: datetime) -> ChangeRequest:
    """Puts the draft before its approvers, for fourteen days. Raises WrongState and what the gate raises."""
    request = lock_request(request.pk)
    require_draft(request)
    require_fresh(request, now=now)
    if not request.evidence.get("run"):
        raise NoEvidence("There is no evidence: add a finished run that this version took part in.")
    require_open_gate(request, now=now)
    moved = move(request, State.SUBMITTED, known=State.DRAFT, submitted_at=now, expires_at=now + OPEN_FOR)
    record_change("submitted", moved, by, now)
    if moved.tier != ChangeRequest.Tier.FALL_BACK:
        transaction.on_commit(partial(tell_deciders, request_id=moved.pk))
    return moved


@transaction.atomic
def withdraw_change_request(*, request: ChangeRequest, by: User, now: datetime) -> ChangeRequest:
    """Raises WrongState."""
    request = lock_request(request.pk)
    require_withdrawable(request)
    moved = move(request, State.WITHDRAWN, known=request.state, closed_at=now, scheduled_for=None)
    record_change("withdrawn", moved, by, now)
    return moved


def expire_change_requests(*, now: datetime) -> int:
    """Closes what was open for fourteen days; how many. Each in a transaction of its own."""
    due = ChangeRequest.objects.open().filter(expires_at__lte=now).values_list("pk", flat=True)
    return sum(_expire(pk, now) for pk in list(due))


@transaction.atomic
def _expire(pk: int, now: datetime) -> bool:
    request = lock_request(pk)
    if request.state not in ChangeRequest.OPEN or request.expires_at is None or request.expires_at > now:
        return False
    moved = move(request, State.EXPIRED, known=request.state, closed_at=now, scheduled_for=None)
    record_change("expired", moved, None, now)
    transaction.on_commit(partial(tell_author, request_id=pk, outcome="has expired"))
    return True


def lock_request(pk: int) -> ChangeRequest:
    """The request as it is now; whoever else wants to move it waits for this transaction, on either database."""
    ChangeRequest.objects.filter(pk=pk).update(moves=F("moves") + 1)
    return ChangeRequest.objects.select_related("panel", "candidate", "base", "created_by").get(pk=pk)


def move(request: ChangeRequest, state: str, *, known: str, **columns: Any) -> ChangeRequest:
    """Into ``state``, if it still is in ``known``. Raises ChangedMeanwhile."""
    found = ChangeRequest.objects.filter(pk=request.pk, state=known)
    if not found.update(state=state, **columns):
        raise ChangedMeanwhile
    request.refresh_from_db()
    return request


def require_fresh(request: ChangeRequest, *, now: datetime) -> None:
    """Raises Outdated where approving it would approve something else than what it would do."""
    current = current_application(request.panel)
    if request.base_id != (None if current is None else current.version_id):
        raise Outdated("Another version has been applied since. Edit the request, so that it says what it replaces.")
    if not is_as_signed(request):
        raise Outdated("The request is not what its hash says. Edit it, so that it is signed anew.")
    if tier_of(request, now=now) != request.tier:
        raise Outdated("The risk of this change is another one by now. Edit the request to have it judged anew.")


def _fill(request: ChangeRequest, change: Change, now: datetime) -> None:
    current = current_application(request.panel)
    request.candidate = change.candidate
    request.base = None if current is None else current.version
    _require_valid(request, change)
    request.summary = change.summary.strip()
    request.policy = dict(change.policy)
    request.evidence = dict(change.evidence)
    request.envelope = envelope_json(change.envelope)
    request.makes_baseline = change.makes_baseline
    request.evidence_hash = hash_of(request.evidence)
    request.tier = tier_of(request, now=now)
    request.signed_hash = sign(request)


def _require_valid(request: ChangeRequest, change: Change) -> None:
    problems: list[tuple[str, str]] = []
    if not change.summary.strip():
        problems.append(("summary", "Say in a sentence what the change is for."))
    if len(change.summary.strip()) > _LONGEST:
        problems.append(("summary", f"Say it in at most {_LONGEST} characters."))
    if request.base_id == change.candidate.pk:
        problems.append(("candidate", "This version is already the applied one."))
    if change.evidence and change.evidence.get("candidate_hash") != change.candidate.content_hash:
        problems.append(("run", "The evidence is of another version."))
    if problems:
        raise InvalidChange(tuple(problems))


_CONTENT = (
    "candidate", "base", "summary", "policy", "evidence", "envelope", "makes_baseline", "evidence_hash", "tier",
    "signed_hash", "revision",
)  # fmt: skip
_UNDECIDED = {"submitted_at": None, "expires_at": None, "scheduled_for": None, "refusal": ""}
