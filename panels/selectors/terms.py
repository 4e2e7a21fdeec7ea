"""What a request to a model is made under: the row of its price, and the contract with its provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from panels.gate import is_in_force, speaking_contracts
from panels.models import Contract, LanguageModel, ModelPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTerms:
    """None where there is no such row. ``regions`` are those that the contract allows."""

    price_id: int | None = None
    contract_id: int | None = None
    regions: tuple[str, ...] = ()


NO_TERMS = ModelTerms()


def model_terms(models: Sequence[LanguageModel], *, today: date) -> dict[int, ModelTerms]:
    """By the models' primary keys; two queries."""
    prices = newest_prices(models)
    contracts = speaking_contracts({model.provider_id for model in models}, today=today)
    return {model.pk: _terms(prices.get(model.pk), contracts.get(model.provider_id), today) for model in models}


def newest_prices(models: Sequence[LanguageModel]) -> dict[int, ModelPrice]:
    """The row that each model's price stands in, by the model's primary key."""
    rows = ModelPrice.objects.filter(model__in=[model.pk for model in models]).order_by("valid_from", "pk")
    return {row.model_id: row for row in rows}


def _terms(price: ModelPrice | None, contract: Contract | None, today: date) -> ModelTerms:
    agreed = contract if contract is not None and is_in_force(contract, today) else None
    return ModelTerms(
        price_id=None if price is None else price.pk,
        contract_id=None if agreed is None else agreed.pk,
        regions=() if agreed is None else tuple(agreed.regions),
    )
