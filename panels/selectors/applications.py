"""Which version of a panel is live: the one that was applied last."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from django.db.models import OuterRef, QuerySet, Subquery

from panels.models import ChangeRequest, Panel, PanelApplication, PanelVersion


class VersionState(StrEnum):
    """A retired version was live once and can be rolled back to."""

    APPLIED = "Applied"
    PROPOSED = "Proposed"
    RETIRED = "Retired"


def applied_version(panel: Panel) -> PanelVersion | None:
    """None where no version was ever applied."""
    current = current_application(panel)
    return None if current is None else current.version


def current_application(panel: Panel) -> PanelApplication | None:
    """With its version and the request that applied it."""
    rows = PanelApplication.objects.filter(panel=panel).select_related("version", "request")
    return rows.order_by("-number").first()


def approved_baseline(panel: Panel) -> PanelVersion | None:
    """The version that its approvers agreed one may fall back to at once; the latest such one."""
    rows = PanelApplication.objects.filter(panel=panel, request__makes_baseline=True).select_related("version")
    latest = rows.order_by("-number").first()
    return None if latest is None else latest.version


def applied_numbers(panels: Iterable[int]) -> dict[int, int]:
    """The number of the applied version by panel; those without one are missing."""
    return dict(_current().filter(panel__in=list(panels)).values_list("panel_id", "version__number"))


def applied_number(slug: str) -> int | None:
    """The number of the applied version of the panel of this name; None without one."""
    return _current().filter(panel__slug=slug).values_list("version__number", flat=True).first()


def all_applied_numbers() -> dict[int, int]:
    return dict(_current().values_list("panel_id", "version__number"))


def version_states(panel: Panel) -> dict[int, VersionState]:
    """How each version of the panel stands, by version; those that nobody proposed are missing."""
    applied = list(PanelApplication.objects.filter(panel=panel).order_by("number").values_list("version_id", flat=True))
    found = dict.fromkeys(applied, VersionState.RETIRED)
    waiting = ChangeRequest.objects.open().filter(panel=panel).values_list("candidate_id", flat=True)
    found |= {version: VersionState.PROPOSED for version in waiting if version not in found}
    return found | ({applied[-1]: VersionState.APPLIED} if applied else {})


def _current() -> QuerySet[PanelApplication]:
    newest = PanelApplication.objects.filter(panel=OuterRef("panel")).order_by("-number").values("pk")[:1]
    return PanelApplication.objects.filter(pk=Subquery(newest))


def last_approval(version: PanelVersion) -> PanelApplication | None:
    """The latest time that the version was applied, with the request that people approved; no fall-back."""
    rows = PanelApplication.objects.filter(version=version, request__tier__gt=0).select_related("request")
    return rows.order_by("-number").first()
