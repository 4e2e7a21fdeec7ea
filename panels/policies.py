"""What may happen to a model, a provider or a change request in its state, whoever asks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from panels.models import ChangeDecision, ChangeRequest, LanguageModel, Provider

OPEN_FOR = timedelta(days=14)

RECORDED_STAYS = "Recorded models belong to a dataset version, so they stay as they were imported."
SEATED_STAYS = "Panels seat this model, so its provider and id stay. Add another model instead."
KIND_STAYS = "This provider has models, so its kind stays. Add another provider instead."
OWN_WORK = "Whoever made the version, wrote the request or edited it does not decide on it."

_State = ChangeRequest.State
_EDITABLE = {_State.DRAFT, _State.SUBMITTED, _State.APPROVED, _State.SCHEDULED, _State.CHANGES_REQUESTED}
_ONCE_APPLIED = {_State.APPLIED, _State.SUPERSEDED, _State.ROLLED_BACK}


class WrongState(Exception):
    """What was asked for does not fit the state of the thing. The message says why."""


def require_editable(model: LanguageModel) -> None:
    """Needs ``model.provider`` loaded. Raises WrongState."""
    if model.provider.kind == Provider.Kind.RECORDED:
        raise WrongState(RECORDED_STAYS)


def require_retirable(model: LanguageModel) -> None:
    """Raises WrongState."""
    require_editable(model)
    if model.retired_at is not None:
        raise WrongState("This model is already retired.")


def require_retired(model: LanguageModel) -> None:
    """Raises WrongState."""
    require_editable(model)
    if model.retired_at is None:
        raise WrongState("This model is not retired.")


def require_provider_editable(provider: Provider) -> None:
    """Raises WrongState."""
    if provider.kind == Provider.Kind.RECORDED:
        raise WrongState("Recorded providers are made by imports and stay as they are.")


def require_contractable(provider: Provider) -> None:
    """Raises WrongState."""
    if provider.kind == Provider.Kind.RECORDED:
        raise WrongState("Nothing is sent to a recorded provider, so it needs no contract.")


def is_contractable(provider: Provider) -> bool:
    try:
        require_contractable(provider)
    except WrongState:
        return False
    return True


def is_editable(model: LanguageModel) -> bool:
    try:
        require_editable(model)
    except WrongState:
        return False
    return True


def require_draft(request: ChangeRequest) -> None:
    """Raises WrongState."""
    _require_state(request, {_State.DRAFT}, "Only a draft can be submitted.")


def require_editable_request(request: ChangeRequest) -> None:
    """Raises WrongState."""
    _require_state(request, _EDITABLE, "This change request is closed. Open another one.")


def require_withdrawable(request: ChangeRequest) -> None:
    """Raises WrongState."""
    _require_state(request, _EDITABLE, "Only a change request that is still open can be withdrawn.")


def require_decidable(request: ChangeRequest, *, now: datetime) -> None:
    """Raises WrongState. A fall-back, which nobody had to approve, is reviewed once it is applied."""
    if request.tier == ChangeRequest.Tier.FALL_BACK:
        _require_state(request, _ONCE_APPLIED, "A fall-back is reviewed once it is applied.")
        return
    _require_state(request, {_State.SUBMITTED}, "Only a submitted change request can be decided on.")
    require_unexpired(request, now=now)


def require_applicable(request: ChangeRequest, *, now: datetime) -> None:
    """Raises WrongState."""
    waits = {_State.APPROVED, _State.SCHEDULED}
    _require_state(request, waits, "Only an approved change request can be applied.")
    require_unexpired(request, now=now)


def require_schedulable(request: ChangeRequest, *, at: datetime, now: datetime) -> None:
    """Raises WrongState."""
    require_applicable(request, now=now)
    if at <= now:
        raise WrongState("Choose a time that is still to come, or apply it now.")
    if request.expires_at is None or at >= request.expires_at:
        raise WrongState("The request expires before that time. Choose an earlier one.")


def require_scheduled(request: ChangeRequest) -> None:
    """Raises WrongState."""
    _require_state(request, {_State.SCHEDULED}, "This change request is not scheduled.")


def require_unexpired(request: ChangeRequest, *, now: datetime) -> None:
    """Raises WrongState, from the very moment of ``expires_at`` on, also where no sweep has come by yet."""
    if is_expired(request, now=now):
        raise WrongState("This change request has expired. Open another one on newer evidence.")


def is_expired(request: ChangeRequest, *, now: datetime) -> bool:
    return request.state in ChangeRequest.OPEN and request.expires_at is not None and now >= request.expires_at


def require_other_hands(person_id: int | None, hands: Collection[int]) -> None:
    """``hands`` are the people whose work this is. Raises WrongState."""
    if person_id is None or person_id in hands:
        raise WrongState(OWN_WORK)


def require_reason(verdict: str, reason: str) -> None:
    """Raises WrongState."""
    if verdict != ChangeDecision.Verdict.APPROVED and not reason.strip():
        raise WrongState("Say why: whoever wrote the request has to know what to change.")


def _require_state(request: ChangeRequest, states: Collection[str], words: str) -> None:
    if request.state not in states:
        raise WrongState(f"{words} This one is {request.get_state_display().lower()}.")
