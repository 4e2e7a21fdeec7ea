"""Who had let a panel version into production when it answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from panels.models import PanelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A change request that was applied for a version. ``approvers`` are login names; they signed ``signed_hash``."""

    request: str
    tier: int
    approvers: tuple[str, ...]
    signed_hash: str
    applied_at: datetime


def approvals_in_force(version: PanelVersion, *, at: datetime) -> tuple[Approval, ...]:
    """What let the version answer at that time. Versions are not applied yet, so there is nothing to find."""
    del version, at
    return ()
