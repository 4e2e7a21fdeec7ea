"""Groups and what they may do, as the step of a migration."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations


def grant(permissions: Mapping[str, Collection[str]]) -> migrations.RunPython:
    """Gives each group, made if it is missing, the permissions named ``app.codename``. It takes none away."""

    def give(apps: Any, _schema_editor: Any) -> None:
        wanted = {name for names in permissions.values() for name in names}
        for label in sorted({name.partition(".")[0] for name in wanted}):
            _make_permissions(apps, label)
        known = _known_permissions(apps)
        for group, names in permissions.items():
            row, _ = apps.get_model("auth", "Group").objects.get_or_create(name=group)
            row.permissions.add(*(known[name] for name in names))

    return migrations.RunPython(give, migrations.RunPython.noop)


def _make_permissions(apps: Any, label: str) -> None:
    """They are otherwise made after the last migration, which is too late to hand them out in one."""
    config = apps.get_app_config(label)
    config.models_module = True
    create_permissions(config, apps=apps, verbosity=0)
    config.models_module = None


def _known_permissions(apps: Any) -> dict[str, Any]:
    rows = apps.get_model("auth", "Permission").objects.select_related("content_type")
    return {f"{row.content_type.app_label}.{row.codename}": row for row in rows}
