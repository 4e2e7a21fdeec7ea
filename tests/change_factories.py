"""People, and change requests in the states that tests begin from; made by the services, as everybody makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from django.contrib.auth.models import Group, Permission, User

from panels.fusion.types import StrategyName
from panels.models import ChangeRequest, LanguageModel, PanelVersion
from panels.selectors.panels import with_members
from panels.services.change_applications import apply_change_request
from panels.services.change_decisions import decide_change_request
from panels.services.change_requests import Change, open_change_request, submit_change_request
from panels.services.panels import add_version, create_panel
from panels.specs import MemberSpec, PanelSpec, StageSpec, spec_of
from tests.factories import NOW, make_model, make_user

GROUPS = import_module("panels.migrations.0010_refuse_what_nobody_approved").GROUPS
POLICY: dict[str, Any] = {"data_class": "public", "regions": [], "max_retention_days": None, "forbids_training": True}
SOON = NOW + timedelta(hours=1)


def make_author(**fields: Any) -> User:
    return _in_group("product manager", fields)


def make_approver(**fields: Any) -> User:
    return _in_group("approver", fields)


def make_compliance(**fields: Any) -> User:
    return _in_group("compliance", fields)


def _in_group(name: str, fields: dict[str, Any]) -> User:
    make_group(name)
    return make_user(name, **fields)


def make_group(name: str) -> None:
    """With its part in changes: a test whose work is committed leaves no groups to the next one."""
    group, _ = Group.objects.get_or_create(name=name)
    codenames = [permission.removeprefix("panels.") for permission in GROUPS.get(name, ())]
    group.permissions.add(*Permission.objects.filter(content_type__app_label="panels", codename__in=codenames))


def make_first_version(models: Sequence[LanguageModel] = (), **fields: Any) -> PanelVersion:
    """A weighted panel, by nobody."""
    seats = tuple(MemberSpec(model_id=model.pk, weight=0.3) for model in models or (make_model(), make_model()))
    spec = PanelSpec(strategy=StrategyName.WEIGHTED, stages=(StageSpec(members=seats),), **fields)
    return create_panel(name=f"Panel of {seats[0].model_id}", description="", spec=spec, by=None, now=NOW)


def make_next_version(version: PanelVersion, *, by: User | None = None, **changes: Any) -> PanelVersion:
    """``weight`` is that of the first member, ``added`` another member; the rest are fields of the spec."""
    spec = spec_of(with_members(PanelVersion.objects.filter(pk=version.pk)).get())
    weight, added = changes.pop("weight", None), changes.pop("added", None)
    members = spec.members
    if weight is not None:
        members = (replace(members[0], weight=weight), *members[1:])
    if added is not None:
        members = (*members, MemberSpec(model_id=added.pk, weight=0.3))
    changed = replace(spec, stages=(StageSpec(members=members),), **changes)
    return add_version(panel=version.panel, spec=changed, by=by, now=NOW)


def evidence_for(version: PanelVersion, **more: Any) -> dict[str, Any]:
    """As little as a request needs; evaluation gathers the real one."""
    return {"candidate_hash": version.content_hash, "run": {"id": 1, "title": "Measured", "number": 1}, **more}


def make_change(version: PanelVersion, **fields: Any) -> Change:
    defaults: dict[str, Any] = {"candidate": version, "summary": "Better on our tickets.", "policy": POLICY}
    return Change(**(defaults | {"evidence": evidence_for(version)} | fields))


def make_draft(version: PanelVersion, *, by: User | None = None, **fields: Any) -> ChangeRequest:
    return open_change_request(change=make_change(version, **fields), by=by or make_author(), now=NOW)


def make_submitted(version: PanelVersion, *, by: User | None = None, **fields: Any) -> ChangeRequest:
    request = make_draft(version, by=by, **fields)
    return submit_change_request(request=request, by=request.created_by, now=NOW)


def decide(
    request: ChangeRequest, by: User, verdict: str = "approved", reason: str = "", now: datetime = SOON
) -> ChangeRequest:
    request.refresh_from_db()
    return decide_change_request(
        request=request, verdict=verdict, reason=reason, signed_hash=request.signed_hash, by=by, now=now
    )


def make_approved(version: PanelVersion, *, by: User | None = None, **fields: Any) -> ChangeRequest:
    """By one approver and compliance, which is enough for any risk."""
    request = make_submitted(version, by=by, **fields)
    if request.tier > 1:
        decide(request, make_compliance())
    return decide(request, make_approver())


def make_applied(version: PanelVersion, *, by: User | None = None, **fields: Any) -> ChangeRequest:
    request = make_approved(version, by=by, **fields)
    return apply_change_request(request=request, by=make_approver(), now=SOON)
