from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from fusion_site.lib.paging import Order, Page, page_of
from panels.models import Provider
from panels.selectors.orders import chosen_order

PROVIDER_COLUMNS = ("slug", "name", "kind", "base_url", "api_key_env", "models")
_ORDERS = {
    "name": Order(column="name", read=str),
    "kind": Order(column="kind", read=str),
    "models": Order(column="available"),
    "added": Order(column="created_at", read=datetime.fromisoformat),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFilter:
    """Recorded providers show only where their kind is asked for."""

    q: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderList:
    """Rows carry ``available``, the number of their models that are not retired."""

    page: Page[Provider]
    total: int

    @property
    def note(self) -> str:
        return f"{self.total:,} provider{'s' if self.total != 1 else ''}"

    @property
    def shows_simulated(self) -> bool:
        return any(provider.is_simulated for provider in self.page.rows)


def list_providers(wanted: ProviderFilter, *, sort: str = "", after: str = "", before: str = "") -> ProviderList:
    rows = _filtered(wanted)
    order = chosen_order(_ORDERS, sort, default="name")
    page = page_of(rows, order=order, after=after or None, before=before or None)
    return ProviderList(page=page, total=rows.count())


def exported_providers(wanted: ProviderFilter, *, sort: str = "") -> Iterator[dict[str, Any]]:
    """One row a provider under PROVIDER_COLUMNS."""
    rows = chosen_order(_ORDERS, sort, default="name").sorted(_filtered(wanted))
    return (_export_row(provider) for provider in rows.iterator(chunk_size=500))


def hosting_providers() -> QuerySet[Provider]:
    """Providers that a person may add models to."""
    return Provider.objects.exclude(kind=Provider.Kind.RECORDED).order_by("name", "pk")


def _filtered(wanted: ProviderFilter) -> QuerySet[Provider]:
    rows = Provider.objects.annotate(
        available=Count("language_models", filter=Q(language_models__retired_at=None), distinct=True)
    )
    if wanted.q:
        rows = rows.filter(Q(name__icontains=wanted.q) | Q(base_url__icontains=wanted.q))
    if wanted.kind in Provider.Kind.values:
        return rows.filter(kind=wanted.kind)
    return rows if wanted.kind == "all" else rows.exclude(kind=Provider.Kind.RECORDED)


def _export_row(provider: Provider) -> dict[str, Any]:
    return {
        "slug": provider.slug,
        "name": provider.name,
        "kind": provider.kind,
        "base_url": provider.base_url,
        "api_key_env": provider.api_key_env,
        "models": provider.available,  # type: ignore[attr-defined] # annotated above
    }
