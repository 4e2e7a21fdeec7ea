"""From an approved change request to the live version, at once or at a set time, and back again."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from panels.change_rules import envelope_of, outcome_of
from panels.gate import GateClosed
from panels.models import ChangeDecision, ChangeRequest, PanelApplication, PanelVersion
from panels.policies import WrongState, require_applicable, require_schedulable, require_scheduled
from panels.selectors.applications import current_application, last_approval
from panels.selectors.change_sides import votes_of
from panels.services.change_audit import record_change
from panels.services.change_gates import require_open_gate
from panels.services.change_notices import tell_author, tell_deciders
from panels.services.change_requests import (
    Change,
    ChangedMeanwhile,
    lock_request,
    move,
    open_change_request,
    require_fresh,
    submit_change_request,
)

State = ChangeRequest.State
_log = logging.getLogger(__name__)


class NotApproved(WrongState):
    """The decisions on the request, as it stands, do not add up to an approval."""


@transaction.atomic
def apply_change_request(*, request: ChangeRequest, by: User | None, now: datetime) -> ChangeRequest:
    """Makes the candidate the live version. Everything is checked again: state, time, hash, base, quorum, gate.

    Raises WrongState (Outdated, NotApproved, ChangedMeanwhile among them) and GateClosed; nothing is changed then.
    """
    request = lock_request(request.pk)
    require_applicable(request, now=now)
    require_fresh(request, now=now)
    _require_quorum(request)
    require_open_gate(request, now=now)
    return _apply(request, by, now)


@transaction.atomic
def schedule_change_request(*, request: ChangeRequest, at: datetime, by: User, now: datetime) -> ChangeRequest:
    """Has it applied at ``at``, if everything still holds then. Raises WrongState."""
    request = lock_request(request.pk)
    require_schedulable(request, at=at, now=now)
    moved = move(request, State.SCHEDULED, known=request.state, scheduled_for=at, refusal="")
    record_change("scheduled", moved, by, now, at=at.isoformat())
    return moved


@transaction.atomic
def unschedule_change_request(*, request: ChangeRequest, by: User, now: datetime) -> ChangeRequest:
    """Approved as before, without a time. Raises WrongState."""
    request = lock_request(request.pk)
    require_scheduled(request)
    moved = move(request, State.APPROVED, known=State.SCHEDULED, scheduled_for=None)
    record_change("unscheduled", moved, by, now)
    return moved


def apply_scheduled(*, now: datetime) -> int:
    """Applies what is due; how many. What no longer may be applied goes back to approved and says why."""
    due = ChangeRequest.objects.filter(state=State.SCHEDULED, scheduled_for__lte=now).order_by("scheduled_for", "pk")
    return sum(_apply_or_refuse(request, now) for request in list(due))


@transaction.atomic
def roll_back(*, version: PanelVersion, reason: str, by: User, now: datetime) -> ChangeRequest:
    """Back to a version that was applied before, under what its approvers signed then; history only grows.

    To the approved baseline at once, to be reviewed after; to another version as its risk asks, submitted here and
    now. Raises WrongState, InvalidChange and GateClosed.
    """
    approved = last_approval(version)
    if approved is None:
        raise WrongState("Nobody has approved this version yet. Open a change request for it.")
    signed = approved.request
    change = Change(
        candidate=version,
        summary=reason,
        policy=signed.policy,
        evidence=signed.evidence,
        envelope=envelope_of(signed.envelope),
    )
    request = open_change_request(change=change, by=by, now=now, is_rollback=True)
    request = submit_change_request(request=request, by=by, now=now)
    if request.tier != ChangeRequest.Tier.FALL_BACK:
        return request
    request = move(request, State.APPROVED, known=State.SUBMITTED)
    return apply_change_request(request=request, by=by, now=now)


def _require_quorum(request: ChangeRequest) -> None:
    if request.tier == ChangeRequest.Tier.FALL_BACK:
        return
    if outcome_of(request.tier, votes_of(request)) != ChangeDecision.Verdict.APPROVED:
        raise NotApproved("The approvals of this request do not stand for what it says now.")


def _apply(request: ChangeRequest, by: User | None, now: datetime) -> ChangeRequest:
    before = current_application(request.panel)
    try:
        with transaction.atomic():
            PanelApplication.objects.create(
                panel=request.panel,
                number=1 if before is None else before.number + 1,
                version=request.candidate,
                request=request,
                signed_hash=request.signed_hash,
                applied_at=now,
                applied_by=by,
            )
    except IntegrityError as error:  # another request for this panel was quicker, or the database knows better
        raise ChangedMeanwhile from error
    if before is not None:
        followed = State.ROLLED_BACK if request.is_rollback else State.SUPERSEDED
        move(before.request, followed, known=State.APPLIED)
    moved = move(request, State.APPLIED, known=request.state, scheduled_for=None, closed_at=now, refusal="")
    record_change("applied", moved, by, now)
    _tell_of_application(moved)
    return moved


def _tell_of_application(request: ChangeRequest) -> None:
    if request.tier == ChangeRequest.Tier.FALL_BACK:
        transaction.on_commit(partial(tell_deciders, request_id=request.pk))
    else:
        transaction.on_commit(partial(tell_author, request_id=request.pk, outcome="is applied"))


def _apply_or_refuse(request: ChangeRequest, now: datetime) -> bool:
    try:
        apply_change_request(request=request, by=None, now=now)
    except (WrongState, GateClosed) as refusal:
        _log.warning("change request %s was not applied: %s", request.pk, refusal)
        _take_off_schedule(request, str(refusal), now)
        return False
    return True


@transaction.atomic
def _take_off_schedule(request: ChangeRequest, refusal: str, now: datetime) -> None:
    request = lock_request(request.pk)
    if request.state != State.SCHEDULED:  # somebody took care of it in between
        return
    moved = move(request, State.APPROVED, known=State.SCHEDULED, scheduled_for=None, refusal=refusal)
    record_change("not_applied", moved, None, now, why=refusal)
    transaction.on_commit(partial(tell_author, request_id=moved.pk, outcome="could not be applied"))
