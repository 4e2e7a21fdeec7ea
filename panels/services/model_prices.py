from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from panels.models import LanguageModel, ModelPrice
from panels.selectors.terms import newest_prices


def note_prices(*, models: Sequence[LanguageModel], now: datetime) -> list[ModelPrice]:
    """Adds a row to the history of each model whose price, or the source of it, is not what its newest row says.

    Rows that are there stay: calls name the one that they were costed by.
    """
    known = newest_prices(models)
    return ModelPrice.objects.bulk_create(
        ModelPrice(
            model=model,
            in_nanousd_per_mtok=model.price_in_nanousd_per_mtok,
            out_nanousd_per_mtok=model.price_out_nanousd_per_mtok,
            source=model.price_source,
            valid_from=now,
        )
        for model in models
        if _is_news(model, known.get(model.pk))
    )


def _is_news(model: LanguageModel, row: ModelPrice | None) -> bool:
    if row is None:
        return model.has_price
    told = (row.in_nanousd_per_mtok, row.out_nanousd_per_mtok, row.source)
    return told != (model.price_in_nanousd_per_mtok, model.price_out_nanousd_per_mtok, model.price_source)
