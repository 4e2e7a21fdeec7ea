"""What the pages of the inventory read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import F, Q, QuerySet

from fusion_site.lib.paging import Order, Page, page_of
from panels.fusion.pricing import dollars_from_nanousd
from panels.models import AuditEntry, LanguageModel, Member, ModelPrice, PanelVersion, Provider
from panels.selectors.contracts import Standing, written_day
from panels.selectors.orders import chosen_order

SEATS_SHOWN = 20
HISTORY_SHOWN = 20
DEPRECATION_NEAR_DAYS = 90
NAMES_OFFERED = 2_000
MODEL_COLUMNS = (
    "id",
    "provider",
    "kind",
    "model",
    "price_in_usd_per_mtok",
    "price_out_usd_per_mtok",
    "price_source",
    "context_tokens",
    "max_output_tokens",
    "status",
    "pinned_version",
    "licence",
    "output_use",
    "allowed_roles",
    "allowed_data_classes",
    "deprecated_on",
    "replaced_by",
)
_PRICES = {"price_in_nanousd_per_mtok": "price in", "price_out_nanousd_per_mtok": "price out"}
_ORDERS = {
    "name": Order(column="name", read=str),
    "provider": Order(column="provider_name", read=str),
    "price_in": Order(column="price_in_nanousd_per_mtok", nullable=True),
    "price_out": Order(column="price_out_nanousd_per_mtok", nullable=True),
    "added": Order(column="created_at", read=datetime.fromisoformat),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFilter:
    """Empty texts filter nothing, but recorded models show only where their kind or provider is asked for."""

    q: str = ""
    provider: str = ""
    kind: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelList:
    page: Page[LanguageModel]
    total: int
    hidden_recorded: int

    @property
    def note(self) -> str:
        hidden = f", {self.hidden_recorded:,} recorded not shown" if self.hidden_recorded else ""
        return f"{self.total:,} model{'s' if self.total != 1 else ''}{hidden}"

    @property
    def shows_simulated(self) -> bool:
        return any(model.provider.is_simulated for model in self.page.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChange:
    """An entry of the audit chain in words; ``who`` is a login name, or nobody where the service itself did it."""

    at: datetime
    who: str
    what: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPage:
    """A model and the panel versions that seat it, at most SEATS_SHOWN of ``version_count``.

    ``prices`` and ``changes`` (what the audit chain says of it) are the newest first, at most HISTORY_SHOWN of each.
    """

    model: LanguageModel
    versions: tuple[PanelVersion, ...]
    version_count: int
    prices: tuple[ModelPrice, ...]
    changes: tuple[ModelChange, ...]

    @property
    def is_seated(self) -> bool:
        return self.version_count > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedModel:
    """A model as a form names it: the provider's slug, a slash, the provider's own model id."""

    name: str
    about: str


def filtered_models(wanted: ModelFilter) -> QuerySet[LanguageModel]:
    rows = LanguageModel.objects.select_related("provider", "replaced_by").annotate(provider_name=F("provider__name"))
    if wanted.q:
        rows = rows.filter(Q(name__icontains=wanted.q) | Q(provider__name__icontains=wanted.q))
    if wanted.provider:
        rows = rows.filter(provider__slug=wanted.provider)
    if wanted.kind in Provider.Kind.values:
        rows = rows.filter(provider__kind=wanted.kind)
    elif wanted.kind != "all" and not wanted.provider:
        rows = rows.callable()
    if wanted.status == "available":
        return rows.available()
    if wanted.status == "deprecated":
        return rows.available().exclude(deprecated_on=None)
    return rows.filter(status=wanted.status) if wanted.status in LanguageModel.Status.values else rows


def list_models(wanted: ModelFilter, *, sort: str = "", after: str = "", before: str = "") -> ModelList:
    rows = filtered_models(wanted)
    order = chosen_order(_ORDERS, sort, default="name")
    recorded = LanguageModel.objects.filter(provider__kind=Provider.Kind.RECORDED)
    return ModelList(
        page=page_of(rows, order=order, after=after or None, before=before or None),
        total=rows.count(),
        hidden_recorded=0 if wanted.kind or wanted.provider else recorded.count(),
    )


def exported_models(wanted: ModelFilter, *, sort: str = "") -> Iterator[dict[str, Any]]:
    """One row a model under MODEL_COLUMNS. An unknown price is None."""
    rows = chosen_order(_ORDERS, sort, default="name").sorted(filtered_models(wanted))
    return (_export_row(model) for model in rows.iterator(chunk_size=500))


def read_model(pk: int) -> ModelPage | None:
    model = LanguageModel.objects.select_related("provider", "replaced_by__provider").filter(pk=pk).first()
    if model is None:
        return None
    seats = Member.objects.filter(model=model).values("version_id")
    versions = PanelVersion.objects.filter(pk__in=seats)
    shown = versions.select_related("panel").order_by("panel__name", "-number")[:SEATS_SHOWN]
    changes = AuditEntry.objects.filter(subject_kind="model", subject_id=full_name(model))
    return ModelPage(
        model=model,
        versions=tuple(shown),
        version_count=versions.count(),
        prices=tuple(model.prices.order_by("-valid_from", "-pk")[:HISTORY_SHOWN]),
        changes=tuple(map(_change, changes.order_by("-sequence")[:HISTORY_SHOWN])),
    )


def deprecation_of(model: LanguageModel, *, today: date) -> Standing | None:
    """What the vendor's last day for a model means today; None where it has named none, or the model is retired."""
    if model.deprecated_on is None or model.retired_at is not None:
        return None
    left = (model.deprecated_on - today).days
    if left < 0:
        return Standing(state="fail", word=f"Ended by its vendor {written_day(model.deprecated_on)}")
    state = "risk" if left <= DEPRECATION_NEAR_DAYS else "none"
    return Standing(state=state, word=f"Ends {written_day(model.deprecated_on)}", is_open=True)


def offered_models() -> tuple[OfferedModel, ...]:
    """The models that a new panel version can seat, hosted ones first, at most NAMES_OFFERED."""
    rows = LanguageModel.objects.seatable().select_related("provider")
    return tuple(
        OfferedModel(name=full_name(model), about=_about(model))
        for model in rows.order_by("provider__kind", "provider__slug", "name")[:NAMES_OFFERED]
    )


def full_name(model: LanguageModel) -> str:
    """Needs ``model.provider`` loaded."""
    return f"{model.provider.slug}/{model.name}"


def named_model(text: str) -> LanguageModel | None:
    """The model of this full name, retired or not, or else the only available one that has this id."""
    slug, _, name = text.partition("/")
    rows = LanguageModel.objects.select_related("provider")
    exact = rows.filter(provider__slug=slug, name=name).first()
    if exact is not None:
        return exact
    same = list(rows.available().filter(name=text)[:2])
    return same[0] if len(same) == 1 else None


def _change(entry: AuditEntry) -> ModelChange:
    what = entry.action.partition(".")[2].replace("_", " ")
    told = [_changed_words(name, value) for name, value in entry.detail.items() if isinstance(value, dict)]
    return ModelChange(at=entry.at, who=entry.actor_name, what=what, told="; ".join(told))


def _changed_words(name: str, value: Mapping[str, Any]) -> str:
    before, after = value.get("from"), value.get("to")
    if name in _PRICES:
        before, after = _price_words(before), _price_words(after)
    return f"{_PRICES.get(name, name.replace('_', ' '))}: {_value_words(before)} → {_value_words(after)}"


def _price_words(nanousd: object) -> str:
    return f"${_dollars(nanousd):g}" if isinstance(nanousd, int) else "unknown"


def _value_words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)


def _about(model: LanguageModel) -> str:
    real = model.provider.kind in (Provider.Kind.OPENAI, Provider.Kind.ANTHROPIC)
    kind = "" if real else f", {model.provider.get_kind_display().lower()}"
    return f"{model.provider.name}{kind}"


def _export_row(model: LanguageModel) -> dict[str, Any]:
    return {
        "id": model.pk,
        "provider": model.provider.name,
        "kind": model.provider.kind,
        "model": model.name,
        "price_in_usd_per_mtok": _dollars(model.price_in_nanousd_per_mtok),
        "price_out_usd_per_mtok": _dollars(model.price_out_nanousd_per_mtok),
        "price_source": model.price_source,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "status": model.status,
        "pinned_version": model.pinned_version,
        "licence": model.licence,
        "output_use": model.output_use,
        "allowed_roles": " ".join(model.allowed_roles),
        "allowed_data_classes": " ".join(model.allowed_data_classes),
        "deprecated_on": None if model.deprecated_on is None else model.deprecated_on.isoformat(),
        "replaced_by": "" if model.replaced_by is None else model.replaced_by.name,
    }


def _dollars(nanousd: int | None) -> float | None:
    return None if nanousd is None else float(dollars_from_nanousd(nanousd))
