"""What may happen to a model or a provider in its state, whoever asks."""

from __future__ import annotations

from panels.models import LanguageModel, Provider

RECORDED_STAYS = "Recorded models belong to a dataset version, so they stay as they were imported."
SEATED_STAYS = "Panels seat this model, so its provider and id stay. Add another model instead."
KIND_STAYS = "This provider has models, so its kind stays. Add another provider instead."


class WrongState(Exception):
    """What was asked for does not fit the state of the model or provider. The message says why."""


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
