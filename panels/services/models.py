from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from panels.fusion.pricing import nanousd_from_dollars
from panels.models import LanguageModel, Provider
from panels.policies import RECORDED_STAYS, SEATED_STAYS, require_editable, require_retirable, require_retired
from panels.services.audit import differences, record_audit
from panels.services.model_prices import note_prices

Problems = tuple[tuple[str, str], ...]

MAX_PRICE = Decimal(100_000)
_MAX_TOKENS = 100_000_000
_NAME_TAKEN = "This provider already has a model with this id."


class InvalidModel(Exception):
    """A model that cannot be saved. ``problems`` are (field, message) pairs."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{field}: {message}" for field, message in problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a person says of a model. Prices are dollars per million tokens; None is unknown."""

    provider: Provider
    name: str
    price_in: Decimal | None = None
    price_out: Decimal | None = None
    price_source: str = ""
    context_tokens: int | None = None
    max_output_tokens: int | None = None


@transaction.atomic
def create_model(*, facts: ModelFacts, by: User | None, now: datetime) -> LanguageModel:
    """A model of a provider that answers requests; recorded ones are made by imports. Raises InvalidModel."""
    validate_facts(facts)
    model = _save(LanguageModel(created_at=now), facts, now)
    record_audit(action="model.created", actor=by, subject=model_subject(model), detail=_content(model), now=now)
    return model


@transaction.atomic
def change_model(*, model: LanguageModel, facts: ModelFacts, by: User | None, now: datetime) -> LanguageModel:
    """New facts about a model. What calls cost so far was stored with each call and stays.

    Raises InvalidModel (also for another provider or id while a panel seats the model, whose versions must go on
    meaning the same), and WrongState for a recorded model.
    """
    require_editable(model)
    validate_facts(facts, besides=model)
    if (facts.provider.pk, facts.name) != (model.provider_id, model.name) and model.seats.exists():
        raise InvalidModel((("name", SEATED_STAYS),))
    subject, before = model_subject(model), _content(model)
    changed = differences(before, _content(_save(model, facts, now)))
    if changed:
        record_audit(action="model.changed", actor=by, subject=subject, detail=changed, now=now)
    return model


@transaction.atomic
def retire_model(*, model: LanguageModel, by: User | None, now: datetime) -> None:
    """New panels and versions can no longer seat it; what seats it stays. Raises WrongState."""
    require_retirable(model)
    model.status, model.retired_at = LanguageModel.Status.RETIRED, now
    model.save(update_fields=["status", "retired_at"])
    record_audit(action="model.retired", actor=by, subject=model_subject(model), detail={}, now=now)


@transaction.atomic
def bring_back_model(*, model: LanguageModel, by: User | None, now: datetime) -> None:
    """Back into the inventory, as proposed: somebody has to let it be used anew. Raises WrongState."""
    require_retired(model)
    model.status, model.retired_at = LanguageModel.Status.PROPOSED, None
    model.save(update_fields=["status", "retired_at"])
    record_audit(action="model.brought_back", actor=by, subject=model_subject(model), detail={}, now=now)


def validate_facts(facts: ModelFacts, *, besides: LanguageModel | None = None) -> None:
    """Raises InvalidModel with everything that is wrong; ``besides`` may have this name already."""
    problems = (*_name_problems(facts, besides), *_price_problems(facts), *_limit_problems(facts))
    if problems:
        raise InvalidModel(problems)


def model_subject(model: LanguageModel) -> str:
    """How the audit chain names a model."""
    return f"model:{model.provider.slug}/{model.name}"


def _content(model: LanguageModel) -> dict[str, object]:
    return {
        "provider": model.provider.slug,
        "name": model.name,
        "price_in_nanousd_per_mtok": model.price_in_nanousd_per_mtok,
        "price_out_nanousd_per_mtok": model.price_out_nanousd_per_mtok,
        "price_source": model.price_source,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
    }


def _save(model: LanguageModel, facts: ModelFacts, now: datetime) -> LanguageModel:
    model.provider, model.name, model.price_source = facts.provider, facts.name, facts.price_source
    model.price_in_nanousd_per_mtok = _nanousd(facts.price_in)
    model.price_out_nanousd_per_mtok = _nanousd(facts.price_out)
    model.context_tokens, model.max_output_tokens = facts.context_tokens, facts.max_output_tokens
    try:
        with transaction.atomic():
            model.save()
    except IntegrityError as error:  # somebody took the id in between
        raise InvalidModel((("name", _NAME_TAKEN),)) from error
    note_prices(models=[model], now=now)
    return model


def _nanousd(price: Decimal | None) -> int | None:
    return None if price is None else nanousd_from_dollars(price)


def _name_problems(facts: ModelFacts, besides: LanguageModel | None) -> Iterator[tuple[str, str]]:
    others = LanguageModel.objects.filter(provider=facts.provider, name=facts.name)
    if facts.provider.kind == Provider.Kind.RECORDED:
        yield "provider", RECORDED_STAYS
    if not facts.name.strip():
        yield "name", "Give the provider's own model id."
    elif any(other != besides for other in others):
        yield "name", _NAME_TAKEN


def _price_problems(facts: ModelFacts) -> Iterator[tuple[str, str]]:
    for field, price in (("price_in", facts.price_in), ("price_out", facts.price_out)):
        if price is not None and not (price.is_finite() and 0 <= price <= MAX_PRICE):
            yield field, f"The price must be a number from 0 to {MAX_PRICE:,} dollars, or left empty if unknown."
    if (facts.price_in is None) != (facts.price_out is None):
        missing = "price_in" if facts.price_in is None else "price_out"
        yield missing, "Give both prices, or leave both empty if they are unknown."


def _limit_problems(facts: ModelFacts) -> Iterator[tuple[str, str]]:
    for field, limit in (("context_tokens", facts.context_tokens), ("max_output_tokens", facts.max_output_tokens)):
        if limit is not None and not 1 <= limit <= _MAX_TOKENS:
            yield field, f"The limit must be a number of tokens from 1 to {_MAX_TOKENS:,}, or left empty."
    both = facts.context_tokens and facts.max_output_tokens
    if both and facts.max_output_tokens > facts.context_tokens:  # type: ignore[operator] # both are set
        yield "max_output_tokens", "A model cannot write more tokens than it can hold."
