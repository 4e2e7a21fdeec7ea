from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from fusion_site.lib.paging import Order, Page, page_of
from panels.models import Contract, LanguageModel, Provider
from panels.selectors.contracts import SOON_DAYS, ContractHistory, Standing, contract_history, provider_standing
from panels.selectors.orders import chosen_order

MODELS_SHOWN = 20
PROVIDER_COLUMNS = (
    "slug", "name", "kind", "base_url", "api_key_env", "models", "contract", "contract_until",
)  # fmt: skip
_ORDERS = {
    "name": Order(column="name", read=str),
    "kind": Order(column="kind", read=str),
    "models": Order(column="available"),
    "contract": Order(column="contract_until", read=date.fromisoformat, nullable=True),
    "added": Order(column="created_at", read=datetime.fromisoformat),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFilter:
    """Recorded providers show only where their kind is asked for. ``contract`` is missing, ended, soon or open."""

    q: str = ""
    kind: str = ""
    contract: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRow:
    provider: Provider
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderList:
    """Providers of the page carry ``available``, the number of their models that are not retired."""

    page: Page[Provider]
    total: int
    today: date

    @property
    def rows(self) -> tuple[ProviderRow, ...]:
        return tuple(ProviderRow(provider=each, standing=_standing(each, self.today)) for each in self.page.rows)

    @property
    def note(self) -> str:
        return f"{self.total:,} provider{'s' if self.total != 1 else ''}"

    @property
    def shows_simulated(self) -> bool:
        return any(provider.is_simulated for provider in self.page.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPage:
    """A provider with its contract records, and its models, at most MODELS_SHOWN of ``model_count``."""

    provider: Provider
    contracts: ContractHistory
    models: tuple[LanguageModel, ...]
    model_count: int


def list_providers(
    wanted: ProviderFilter, *, today: date, sort: str = "", after: str = "", before: str = ""
) -> ProviderList:
    rows = _filtered(wanted, today)
    order = chosen_order(_ORDERS, sort, default="name")
    page = page_of(rows, order=order, after=after or None, before=before or None)
    return ProviderList(page=page, total=rows.count(), today=today)


def exported_providers(wanted: ProviderFilter, *, today: date, sort: str = "") -> Iterator[dict[str, Any]]:
    """One row a provider under PROVIDER_COLUMNS."""
    rows = chosen_order(_ORDERS, sort, default="name").sorted(_filtered(wanted, today))
    return (_export_row(provider, today) for provider in rows.iterator(chunk_size=500))


def provider_page(provider: Provider, *, today: date) -> ProviderPage:
    models = provider.language_models.available()
    return ProviderPage(
        provider=provider,
        contracts=contract_history(provider, today=today),
        models=tuple(models.order_by("name", "pk")[:MODELS_SHOWN]),
        model_count=models.count(),
    )


def hosting_providers() -> QuerySet[Provider]:
    """Providers that a person may add models to."""
    return Provider.objects.exclude(kind=Provider.Kind.RECORDED).order_by("name", "pk")


def _filtered(wanted: ProviderFilter, today: date) -> QuerySet[Provider]:
    rows: QuerySet[Provider] = Provider.objects.annotate(
        available=Count("language_models", filter=Q(language_models__retired_at=None), distinct=True),
        contract_until=_speaking_until(today),
    )
    if wanted.q:
        rows = rows.filter(Q(name__icontains=wanted.q) | Q(base_url__icontains=wanted.q))
    rows = _with_contract(rows, wanted.contract, today)
    if wanted.kind in Provider.Kind.values:
        return rows.filter(kind=wanted.kind)
    return rows if wanted.kind == "all" else rows.exclude(kind=Provider.Kind.RECORDED)


def _speaking_until(today: date) -> Subquery:
    begun = Contract.objects.filter(provider=OuterRef("pk"), valid_from__lte=today).order_by("-valid_from", "-pk")
    return Subquery(begun.values("valid_until")[:1])


def _with_contract(rows: QuerySet[Provider], state: str, today: date) -> QuerySet[Provider]:
    conditions = {
        "missing": Q(contract_until=None),
        "ended": Q(contract_until__lt=today),
        "soon": Q(contract_until__range=(today, today + timedelta(days=SOON_DAYS))),
        "open": Q(contract_until__gte=today),
    }
    return rows.filter(conditions[state]) if state in conditions else rows


def _standing(provider: Provider, today: date) -> Standing:
    return provider_standing(provider, provider.contract_until, today=today)  # type: ignore[attr-defined] # annotated


def _export_row(provider: Provider, today: date) -> dict[str, Any]:
    until = provider.contract_until  # type: ignore[attr-defined] # annotated above
    return {
        "slug": provider.slug,
        "name": provider.name,
        "kind": provider.kind,
        "base_url": provider.base_url,
        "api_key_env": provider.api_key_env,
        "models": provider.available,  # type: ignore[attr-defined] # annotated above
        "contract": _standing(provider, today).word,
        "contract_until": None if until is None else until.isoformat(),
    }
