from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.contrib.auth.models import User
from django.db import transaction

from panels.models import DataClass, LanguageModel, SeatRole
from panels.policies import require_editable
from panels.services.audit import differences, record_audit
from panels.services.models import InvalidModel, model_subject

_USED = frozenset({LanguageModel.Status.TRIAL, LanguageModel.Status.APPROVED, LanguageModel.Status.RESTRICTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """What a model may be used for. Retiring it, and bringing it back, has an action of its own."""

    status: str
    pinned_version: str
    licence: str
    output_use: str
    output_terms: str
    allowed_roles: Sequence[str]
    allowed_data_classes: Sequence[str]
    deprecated_on: date | None
    replaced_by: LanguageModel | None


@transaction.atomic
def set_model_use(*, model: LanguageModel, use: ModelUse, by: User | None, now: datetime) -> LanguageModel:
    """Raises InvalidModel, and WrongState for a recorded model. Needs ``model.provider`` loaded."""
    require_editable(model)
    problems = tuple(_problems(model, use))
    if problems:
        raise InvalidModel(problems)
    before = _content(model)
    _apply(model, use)
    changed = differences(before, _content(model))
    if changed:
        record_audit(action="model.use_set", actor=by, subject=model_subject(model), detail=changed, now=now)
    return model


def _apply(model: LanguageModel, use: ModelUse) -> None:
    model.status = use.status
    model.pinned_version, model.licence = use.pinned_version.strip(), use.licence.strip()
    model.output_use, model.output_terms = use.output_use, use.output_terms.strip()
    model.allowed_roles = [role for role in SeatRole.values if role in use.allowed_roles]
    model.allowed_data_classes = [name for name in DataClass.values if name in use.allowed_data_classes]
    model.deprecated_on, model.replaced_by = use.deprecated_on, use.replaced_by
    model.save(
        update_fields=[
            "status", "pinned_version", "licence", "output_use", "output_terms", "allowed_roles",
            "allowed_data_classes", "deprecated_on", "replaced_by",
        ]
    )  # fmt: skip


def _content(model: LanguageModel) -> dict[str, object]:
    return {
        "status": str(model.status),
        "pinned_version": model.pinned_version,
        "licence": model.licence,
        "output_use": str(model.output_use),
        "output_terms": model.output_terms,
        "allowed_roles": [str(role) for role in model.allowed_roles],
        "allowed_data_classes": [str(name) for name in model.allowed_data_classes],
        "deprecated_on": None if model.deprecated_on is None else model.deprecated_on.isoformat(),
        "replaced_by": None if model.replaced_by is None else model.replaced_by.name,
    }


def _problems(model: LanguageModel, use: ModelUse) -> Iterator[tuple[str, str]]:
    if use.status not in LanguageModel.Status.values:
        yield "status", "Choose one of the states."
    elif (use.status == LanguageModel.Status.RETIRED) != (model.retired_at is not None):
        yield "status", "Retire a model, or bring it back, on its own page."
    if use.replaced_by is not None and use.replaced_by.pk == model.pk:
        yield "replaced_by", "A model cannot replace itself."
    if use.status in _USED:
        yield from _unknowns(use)


def _unknowns(use: ModelUse) -> Iterator[tuple[str, str]]:
    """What has to be known of a model before anything is sent to it."""
    if not use.licence.strip():
        yield "licence", "Say under which licence the model is used. Without one the gate stays closed."
    if use.output_use not in {LanguageModel.OutputUse.PRODUCT, LanguageModel.OutputUse.EVALUATION}:
        yield "output_use", "Say what its outputs may be used for. As long as that is unknown the gate stays closed."
    if not set(use.allowed_roles) & set(SeatRole.values):
        yield "allowed_roles", "Allow at least one role, or leave the model proposed."
    if not set(use.allowed_data_classes) & set(DataClass.values):
        yield "allowed_data_classes", "Allow at least one class of data, or leave the model proposed."
