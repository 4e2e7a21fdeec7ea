"""The models file: list prices of the models whose outputs were recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from evaluation.intake.columns import Role
from evaluation.intake.fields import RowFields
from evaluation.intake.files import Intake, SourceFile
from evaluation.intake.native import read_native
from evaluation.intake.outputs import MAX_MODEL_CHARS
from panels.fusion.pricing import nanousd_from_dollars

MAX_SOURCE_CHARS = 300
# A million dollars per million tokens is a slip of the units, and stays far inside a 64-bit integer.
_MAX_DOLLARS = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """A model's list price in nano-dollars per million tokens; both None if it is unknown."""

    model: str
    in_nanousd_per_mtok: int | None = None
    out_nanousd_per_mtok: int | None = None
    source: str = ""


def read_prices(source: SourceFile, intake: Intake) -> dict[str, ModelPrice]:
    """Prices by model. Numbers are read as decimals, so that 0.1 dollars are 100,000,000 nano-dollars."""
    prices: dict[str, ModelPrice] = {}
    for row in read_native(source, Role.MODELS, intake, parse_number=Decimal):
        fields = RowFields(row, source, intake)
        price = _read_price(fields)
        if price.model in prices:
            fields.refuse("model", f"“{price.model}” stands there twice; keep one price")
        if fields.ok:
            prices[price.model] = price
    return prices


def _read_price(fields: RowFields) -> ModelPrice:
    model = fields.required_text("model", max_chars=MAX_MODEL_CHARS, what="model")
    price_in, price_out = _read_dollars(fields, "price_in_per_mtok"), _read_dollars(fields, "price_out_per_mtok")
    if fields.ok and (price_in is None) != (price_out is None):
        absent = "price_in_per_mtok" if price_in is None else "price_out_per_mtok"
        fields.refuse(absent, "only one of the two prices is known; give both, or null for both")
    return ModelPrice(
        model=model,
        in_nanousd_per_mtok=price_in,
        out_nanousd_per_mtok=price_out,
        source=str(fields.raw("price_source") or "")[:MAX_SOURCE_CHARS],
    )


def _read_dollars(fields: RowFields, field: str) -> int | None:
    value = fields.raw(field)
    if value is None or value == "":
        return None
    dollars = _as_decimal(value)
    if dollars is None or not dollars.is_finite():
        fields.refuse(
            field, "this is not a finite number of dollars per million tokens; correct it, or null if unknown"
        )
    elif dollars < 0:
        fields.refuse(field, f"{value} is negative; write 0 or more, or null if the price is unknown")
    elif dollars > _MAX_DOLLARS:
        fields.refuse(field, f"{value} is more than {_MAX_DOLLARS:,} dollars per million tokens; check the unit")
    else:
        return nanousd_from_dollars(dollars)
    return None


def _as_decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        return None


def canonical_prices(prices: Iterable[ModelPrice]) -> bytes:
    rows = sorted([one.model, one.in_nanousd_per_mtok, one.out_nanousd_per_mtok, one.source] for one in prices)
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
