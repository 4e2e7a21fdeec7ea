from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User

from panels.models import ChangeRequest
from panels.services.audit import record_audit


def record_change(action: str, request: ChangeRequest, by: User | None, now: datetime, **more: object) -> None:
    """``action`` is what became of the request: submitted, applied. What it stands for goes with every entry."""
    detail = {
        "panel": request.panel.slug,
        "version": request.candidate.number,
        "base": None if request.base is None else request.base.number,
        "tier": request.tier,
        "revision": request.revision,
        "signed_hash": request.signed_hash,
        **more,
    }
    record_audit(
        action=f"change_request.{action}",
        actor=by,
        subject=f"change_request:{request.pk}",
        label=f"{request.panel.name} v{request.candidate.number}",
        detail=detail,
        now=now,
    )
