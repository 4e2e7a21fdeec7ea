from __future__ import annotations

from datetime import datetime
from functools import partial

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from panels.change_rules import outcome_of, seats_left, takes_only_compliance
from panels.models import ChangeDecision, ChangeRequest
from panels.permissions import decides_as_compliance, require_approver
from panels.policies import WrongState, require_decidable, require_other_hands, require_reason
from panels.selectors.change_sides import hands_of, votes_of
from panels.services.change_audit import record_change
from panels.services.change_notices import tell_author
from panels.services.change_requests import ChangedMeanwhile, lock_request, move, require_fresh

_OUTCOMES = {
    ChangeDecision.Verdict.APPROVED.value: (ChangeRequest.State.APPROVED, "is approved"),
    ChangeDecision.Verdict.CHANGES_REQUESTED.value: (ChangeRequest.State.CHANGES_REQUESTED, "needs changes"),
    ChangeDecision.Verdict.REJECTED.value: (ChangeRequest.State.REJECTED, "is rejected"),
}
_DECIDED = "You have already decided on this request."
_CLOSING = {ChangeRequest.State.REJECTED}


@transaction.atomic
def decide_change_request(
    *, request: ChangeRequest, verdict: str, reason: str, signed_hash: str, by: User, now: datetime
) -> ChangeRequest:
    """One approver's word on the request as it was shown, which ``signed_hash`` names. Raises WrongState.

    The request moves when the last of its approvers has decided, so that nobody can tell from its state what an
    earlier one said. Raises PermissionDenied too: also from a shell only approvers approve.
    """
    require_approver(by)
    request = lock_request(request.pk)
    require_decidable(request, now=now)
    require_other_hands(by.pk, hands_of(request))
    require_reason(verdict, reason)
    if signed_hash != request.signed_hash:
        raise ChangedMeanwhile
    if request.tier == ChangeRequest.Tier.FALL_BACK:
        _save_decision(request, verdict, reason, by, now)
        record_change("reviewed", request, by, now, verdict=verdict)
        return request
    require_fresh(request, now=now)
    _require_seat(request, by)
    _save_decision(request, verdict, reason, by, now)
    return _conclude(request, by, now)


def _require_seat(request: ChangeRequest, by: User) -> None:
    votes = votes_of(request)
    if ChangeDecision.objects.filter(request=request, signed_hash=request.signed_hash, person=by).exists():
        raise WrongState(_DECIDED)
    if not seats_left(request.tier, votes):
        raise WrongState("Enough people have decided.")
    if takes_only_compliance(request.tier, votes) and not decides_as_compliance(by):
        raise WrongState("The last decision on this request is for compliance.")


def _save_decision(request: ChangeRequest, verdict: str, reason: str, by: User, now: datetime) -> None:
    try:
        with transaction.atomic():
            ChangeDecision.objects.create(
                request=request,
                person=by,
                verdict=verdict,
                as_compliance=decides_as_compliance(by),
                reason=reason.strip(),
                signed_hash=request.signed_hash,
                decided_at=now,
            )
    except IntegrityError as error:
        raise WrongState(_DECIDED) from error


def _conclude(request: ChangeRequest, by: User, now: datetime) -> ChangeRequest:
    votes = votes_of(request)
    outcome = outcome_of(request.tier, votes)
    # What was said first stays out of the chain until all have spoken: approvers read the chain too.
    record_change("decided", request, by, now, decisions=len(votes))
    if outcome is None:
        return request
    state, words = _OUTCOMES[outcome]
    closed_at = now if state in _CLOSING else None
    moved = move(request, state, known=ChangeRequest.State.SUBMITTED, closed_at=closed_at)
    record_change(state.value, moved, None, now, verdicts=sorted(vote.verdict for vote in votes))
    transaction.on_commit(partial(tell_author, request_id=moved.pk, outcome=words))
    return moved
