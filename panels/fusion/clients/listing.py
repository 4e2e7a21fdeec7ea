"""What a provider says it offers: ids, and prices and limits where it names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from panels.fusion.clients.exchange import WireFormat
from panels.fusion.pricing import Price, nanousd_from_dollars

_TOKENS_PER_PRICE = 1_000_000


class ListingFailed(Exception):
    """The provider did not say what it offers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """One model of a provider's list. ``price`` is None where the provider names none, or none that can be meant."""

    name: str
    price: Price | None
    context_tokens: int | None


def list_models(
    *,
    wire: WireFormat,
    base_url: str,
    api_key: str | None,
    timeout_s: float = 15.0,
    transport: httpx.BaseTransport | None = None,
) -> tuple[ListedModel, ...]:
    """The models behind the listing address of the wire format, in the provider's order. Raises ListingFailed."""
    headers = wire.headers(api_key or "")
    try:
        with httpx.Client(timeout=timeout_s, trust_env=False, transport=transport) as client:
            response = client.get(wire.listing_address(base_url), headers=headers)
            response.raise_for_status()
            return tuple(_read_list(response.json()))
    except (httpx.HTTPError, TypeError, ValueError) as error:
        raise ListingFailed(f"{base_url} did not list its models: {str(error) or type(error).__name__}") from error


def _read_list(body: Any) -> Iterator[ListedModel]:
    entries = body.get("data") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise TypeError("the answer has no list of models")
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry["id"]:
            yield ListedModel(name=entry["id"], price=_price(entry.get("pricing")), context_tokens=_context(entry))


def _price(pricing: Any) -> Price | None:
    """OpenRouter's dollars per token as text. A negative price is its word for a router without one of its own."""
    if not isinstance(pricing, Mapping):
        return None
    price_in, price_out = _per_mtok(pricing.get("prompt")), _per_mtok(pricing.get("completion"))
    return Price.known(price_in, price_out)


def _per_mtok(dollars_per_token: Any) -> int | None:
    try:
        amount = Decimal(str(dollars_per_token))
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount < 0:
        return None
    return nanousd_from_dollars(amount * _TOKENS_PER_PRICE)


def _context(entry: Mapping[str, Any]) -> int | None:
    length = entry.get("context_length")
    return length if isinstance(length, int) and not isinstance(length, bool) and length > 0 else None
