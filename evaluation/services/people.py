"""What the audit chain keeps of a change to who may do what. The admin makes the change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import Group, Permission, User
from django.db.models import QuerySet

from panels.services.audit import differences, record_audit

Access = Mapping[str, object]
_NONE: Access = {"active": False, "staff": False, "superuser": False, "groups": [], "permissions": []}


def access_of(person: User) -> Access:
    """What a person may do, in plain values."""
    return {
        "active": person.is_active,
        "staff": person.is_staff,
        "superuser": person.is_superuser,
        "groups": sorted(person.groups.values_list("name", flat=True)),
        "permissions": _names(person.user_permissions.all()),
    }


def permissions_of(group: Group) -> Access:
    return {"name": group.name, "permissions": _names(group.permissions.all())}


def record_new_person(*, person: User, by: User, now: datetime) -> None:
    detail = differences(_NONE, access_of(person))
    record_audit(action="user.created", actor=by, subject=_subject(person), detail=detail, now=now)


def record_access_change(*, person: User, before: Access, by: User, now: datetime) -> None:
    """Nothing is recorded where nothing changed but, say, a name."""
    changed = differences(before, access_of(person))
    if changed:
        record_audit(action="user.access_changed", actor=by, subject=_subject(person), detail=changed, now=now)


def record_password_change(*, person: User, by: User, now: datetime) -> None:
    record_audit(action="user.password_set", actor=by, subject=_subject(person), detail={}, now=now)


def record_new_group(*, group: Group, by: User, now: datetime) -> None:
    detail = permissions_of(group)
    record_audit(
        action="group.created", actor=by, subject=f"group:{group.pk}", label=group.name, detail=detail, now=now
    )


def record_group_change(*, group: Group, before: Access, by: User, now: datetime) -> None:
    detail = differences(before, permissions_of(group))
    if detail:
        record_audit(
            action="group.changed", actor=by, subject=f"group:{group.pk}", label=group.name, detail=detail, now=now
        )


def _subject(person: User) -> str:
    return f"user:{person.get_username()}"


def _names(permissions: QuerySet[Permission]) -> list[str]:
    rows = permissions.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{codename}" for app, codename in rows)
