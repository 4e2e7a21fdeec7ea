"""What a constraint test needs: the constraints of an app by name, and a write that one of them has to refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from tests.triggers import triggers_off


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """``make`` saves a good row; ``changes`` make it bad."""

    make: Callable[[], models.Model]
    changes: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """``make`` saves a row, each time another; two of them may not share ``fields``."""

    make: Callable[[], models.Model]
    fields: Sequence[str]
    also: dict[str, Any] = field(default_factory=dict)


def constraints_of(app: str) -> dict[str, tuple[type[models.Model], models.BaseConstraint]]:
    return {
        constraint.name: (model, constraint)
        for model in apps.get_app_config(app).get_models()
        for constraint in model._meta.constraints
    }


def refuse(app: str, name: str, breach: Check | Unique) -> None:
    """Save good rows, then make one bad; only the constraint ``name`` may stop that."""
    row = breach.make()
    changes = breach.changes if isinstance(breach, Check) else _same_as(breach.make(), breach)
    model, _ = constraints_of(app)[name]
    with triggers_off(), pytest.raises(IntegrityError) as caught, transaction.atomic():
        model._default_manager.filter(pk=row.pk).update(**changes)
    assert _sign_of(app, name) in str(caught.value)


def _same_as(other: models.Model, breach: Unique) -> dict[str, Any]:
    return {name: getattr(other, name) for name in breach.fields} | breach.also


def _sign_of(app: str, name: str) -> str:
    """What the database says of the constraint. SQLite names the columns of a unique one, if it is of plain columns."""
    model, constraint = constraints_of(app)[name]
    if connection.vendor != "sqlite" or not isinstance(constraint, models.UniqueConstraint) or not constraint.fields:
        return name
    columns = [model._meta.get_field(field).column for field in constraint.fields]
    return "failed: " + ", ".join(f"{model._meta.db_table}.{column}" for column in columns)
