"""Who had let a panel version into production when it answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from panels.models import ChangeDecision, PanelApplication, PanelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A change request that was applied for a version. ``approvers`` are login names; they signed ``signed_hash``."""

    request: str
    tier: int
    approvers: tuple[str, ...]
    signed_hash: str
    applied_at: datetime


def approvals_in_force(version: PanelVersion, *, at: datetime) -> tuple[Approval, ...]:
    """What let the version answer at that time; nothing if it was not the applied one then, so that it was on trial.

    A fall-back, which nobody approves, comes with the approval that made the version the baseline.
    """
    applied = PanelApplication.objects.filter(panel=version.panel_id, applied_at__lte=at).select_related("request")
    newest_first = applied.order_by("-number")
    current = newest_first.first()
    if current is None or current.version_id != version.pk:
        return ()
    found = [current]
    if current.request.tier == 0:
        found += newest_first.filter(version=version, request__tier__gt=0)[:1]
    return tuple(_approval(application) for application in found)


def _approval(application: PanelApplication) -> Approval:
    request = application.request
    approved = ChangeDecision.Verdict.APPROVED
    rows = request.decisions.filter(signed_hash=application.signed_hash, verdict=approved).order_by("decided_at", "pk")
    return Approval(
        request=str(request),
        tier=request.tier,
        approvers=tuple(rows.values_list("person__username", flat=True)),
        signed_hash=application.signed_hash,
        applied_at=application.applied_at,
    )
