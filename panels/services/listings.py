from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from panels.fusion.clients.listing import ListedModel, list_models
from panels.gateway import api_key, client_class
from panels.models import LanguageModel, Provider
from panels.services.audit import record_audit
from panels.services.model_prices import note_prices

# Beyond this a provider's name for a model does not fit the inventory.
_MAX_NAME_CHARS = 200


def take_over_listing(
    *, provider: Provider, by: User | None, now: datetime, environ: Mapping[str, str] = os.environ
) -> int:
    """Adds the models that the provider lists and the inventory lacks; gives how many.

    What is in the inventory stays as it is, prices too: those are changed by a person. Raises ListingFailed and
    MissingKey.
    """
    listed = list_models(
        wire=client_class(provider.kind).wire,
        base_url=provider.base_url,
        api_key=api_key(provider, environ=environ),
    )
    return _add_missing(provider, listed, by, now)


@transaction.atomic
def _add_missing(provider: Provider, listed: Iterable[ListedModel], by: User | None, now: datetime) -> int:
    known = set(LanguageModel.objects.filter(provider=provider).values_list("name", flat=True))
    fresh = {model.name: model for model in listed if model.name not in known and len(model.name) <= _MAX_NAME_CHARS}
    models = LanguageModel.objects.bulk_create(_row(provider, model, now) for model in fresh.values())
    note_prices(models=models, now=now)
    if fresh:
        subject, detail = f"provider:{provider.slug}", {"models": sorted(fresh)}
        record_audit(action="provider.listing_taken_over", actor=by, subject=subject, detail=detail, now=now)
    return len(fresh)


def _row(provider: Provider, model: ListedModel, now: datetime) -> LanguageModel:
    return LanguageModel(
        provider=provider,
        name=model.name,
        price_in_nanousd_per_mtok=model.price.in_nanousd_per_mtok if model.price else None,
        price_out_nanousd_per_mtok=model.price.out_nanousd_per_mtok if model.price else None,
        price_source=f"listed by {provider.name} on {now:%Y-%m-%d}" if model.price else "",
        context_tokens=model.context_tokens,
        created_at=now,
    )
