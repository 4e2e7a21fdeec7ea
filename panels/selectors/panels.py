"""What the list of panels and the page of one panel read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db.models import Count, Exists, F, Max, OuterRef, Prefetch, Q, QuerySet

from fusion_site.lib.paging import Order, Page, page_of
from panels.models import LanguageModel, Member, Panel, PanelVersion, Provider
from panels.selectors.applications import all_applied_numbers, applied_numbers, version_states
from panels.selectors.changes import VersionChanges, changes_between
from panels.selectors.orders import chosen_order
from panels.specs import spec_of

VERSIONS_AT_ONCE = 20
PANEL_COLUMNS = (
    "slug",
    "name",
    "version",
    "applied",
    "strategy",
    "members",
    "stages",
    "stop_at",
    "last_stage_settles",
    "arbiter",
    "models",
    "content_hash",
    "created_at",
)
_ORDERS = {
    "name": Order(column="panel_name", read=str),
    "version": Order(column="number"),
    "members": Order(column="seat_count"),
    "stop_at": Order(column="stop_at", read=float, nullable=True),
    "changed": Order(column="created_at", read=datetime.fromisoformat),
}
_VERSIONS = Order(column="number", descending=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelFilter:
    """Empty texts filter nothing. ``kind`` asks for any member of such a provider; ``size`` is single or several."""

    q: str = ""
    strategy: str = ""
    kind: str = ""
    size: str = ""
    model: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRow:
    """A panel by its latest version; ``applied`` is the number of the live one, None where none was ever applied."""

    version: PanelVersion
    members: tuple[Member, ...]
    stages: int
    applied: int | None = None

    @property
    def panel(self) -> Panel:
        return self.version.panel

    @property
    def has_simulated(self) -> bool:
        return has_kind(self.version, Provider.Kind.SIMULATED)

    @property
    def has_recorded(self) -> bool:
        return has_kind(self.version, Provider.Kind.RECORDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelList:
    page: Page[PanelRow]
    total: int

    @property
    def note(self) -> str:
        return f"{self.total:,} panel{'s' if self.total != 1 else ''}"

    @property
    def shows_simulated(self) -> bool:
        return any(row.has_simulated for row in self.page.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """A version, and what changed against the one before it; None for the first. ``state`` is blank if a draft."""

    version: PanelVersion
    changes: VersionChanges | None
    state: str = ""


def list_panels(wanted: PanelFilter, *, sort: str = "", after: str = "", before: str = "") -> PanelList:
    rows = filtered_versions(wanted)
    order = chosen_order(_ORDERS, sort, default="name")
    page = page_of(with_members(rows), order=order, after=after or None, before=before or None)
    applied = applied_numbers(version.panel_id for version in page.rows)
    return PanelList(page=page.map(lambda version: _panel_row(version, applied)), total=rows.count())


def exported_panels(wanted: PanelFilter, *, sort: str = "") -> Iterator[dict[str, Any]]:
    """One row a panel under PANEL_COLUMNS."""
    rows = chosen_order(_ORDERS, sort, default="name").sorted(with_members(filtered_versions(wanted)))
    applied = all_applied_numbers()
    return (_export_row(_panel_row(version, applied)) for version in rows.iterator(chunk_size=500))


def filtered_versions(wanted: PanelFilter) -> QuerySet[PanelVersion]:
    """The latest version of every panel that fits, with ``panel_name`` and ``seat_count``."""
    rows = _latest_versions()
    if wanted.q:
        named = Q(panel__name__icontains=wanted.q) | Q(panel__slug__icontains=wanted.q)
        rows = rows.filter(named | Exists(_seats(model__name__icontains=wanted.q)))
    if wanted.strategy in PanelVersion.Strategy.values:
        rows = rows.filter(strategy=wanted.strategy)
    if wanted.kind in Provider.Kind.values:
        rows = rows.filter(Exists(_seats(model__provider__kind=wanted.kind)))
    if wanted.model is not None:
        rows = rows.filter(Exists(_seats(model=wanted.model)))
    if wanted.size in {"single", "several"}:
        rows = rows.filter(**{"seat_count" if wanted.size == "single" else "seat_count__gt": 1})
    return rows


def list_versions(panel: Panel, *, after: str = "", before: str = "") -> Page[VersionRow]:
    """The panel's versions, newest first, each with its changes."""
    page = page_of(
        with_members(PanelVersion.objects.filter(panel=panel)),
        order=_VERSIONS,
        after=after or None,
        before=before or None,
        size=VERSIONS_AT_ONCE,
    )
    older = previous_version(page.rows[-1]) if page.rows else None
    chain = [*page.rows, *([older] if older else [])]
    states = version_states(panel)
    changes = [(new, version_changes(old, new)) for new, old in pairwise(chain)]
    first = [(page.rows[-1], None)] if older is None and page.rows else []
    rows = [
        VersionRow(version=version, changes=found, state=states.get(version.pk, ""))
        for version, found in (*changes, *first)
    ]
    return Page(rows=tuple(rows), previous_key=page.previous_key, next_key=page.next_key)


def previous_version(version: PanelVersion) -> PanelVersion | None:
    older = PanelVersion.objects.filter(panel=version.panel_id, number__lt=version.number)
    return with_members(older).order_by("-number").first()


def version_changes(old: PanelVersion, new: PanelVersion) -> VersionChanges:
    """Needs ``members`` of both loaded, with their models."""
    names = {key: model.name for version in (old, new) for key, model in models_of(version).items()}
    return changes_between(spec_of(old), spec_of(new), names=names)


def with_members(versions: QuerySet[PanelVersion]) -> QuerySet[PanelVersion]:
    """Members in panel order and the arbiter, with model and provider; the panel and who made the version too."""
    seats = Member.objects.select_related("model__provider").order_by("seat")
    related = ("panel", "created_by", "arbiter_model__provider")
    return versions.select_related(*related).prefetch_related(Prefetch("members", queryset=seats))


def models_of(version: PanelVersion) -> dict[int, LanguageModel]:
    """Every model of the version by its key, the arbiter's too. Needs ``with_members``."""
    models = {seat.model_id: seat.model for seat in version.members.all()}
    if version.arbiter_model is not None:
        models[version.arbiter_model.pk] = version.arbiter_model
    return models


def has_kind(version: PanelVersion, kind: str) -> bool:
    """Whether a provider of this kind answers for any of the version's models. Needs ``with_members``."""
    return any(model.provider.kind == kind for model in models_of(version).values())


def _latest_versions() -> QuerySet[PanelVersion]:
    newer = PanelVersion.objects.filter(panel=OuterRef("panel"), number__gt=OuterRef("number"))
    rows = PanelVersion.objects.filter(~Exists(newer))
    return rows.annotate(panel_name=F("panel__name"), seat_count=Count("members"))


def _seats(**wanted: object) -> QuerySet[Member]:
    return Member.objects.filter(version=OuterRef("pk"), **wanted)


def _panel_row(version: PanelVersion, applied: Mapping[int, int]) -> PanelRow:
    members = tuple(version.members.all())
    stages = len({member.stage for member in members})
    return PanelRow(version=version, members=members, stages=stages, applied=applied.get(version.panel_id))


def latest_number(panel: Panel) -> int:
    return int(panel.versions.aggregate(latest=Max("number"))["latest"] or 0)


def _export_row(row: PanelRow) -> dict[str, Any]:
    version = row.version
    return {
        "slug": version.panel.slug,
        "name": version.panel.name,
        "version": version.number,
        "applied": row.applied,
        "strategy": version.strategy,
        "members": len(row.members),
        "stages": row.stages,
        "stop_at": version.stop_at,
        "last_stage_settles": version.last_stage_settles,
        "arbiter": version.arbiter_model.name if version.arbiter_model is not None else "",
        "models": ", ".join(f"{member.model.provider.slug}/{member.model.name}" for member in row.members),
        "content_hash": version.content_hash,
        "created_at": version.created_at.isoformat(),
    }
