"""Who may do what in evaluation. Everybody who can log in may read everything."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied

WHO_RUNS_EXPERIMENTS = "Product managers can start, pause and cancel runs."
WHO_EDITS_DATASETS = "Product managers can import datasets."

Person = AbstractBaseUser | AnonymousUser


def require_experimenter(person: Person) -> None:
    """Raises PermissionDenied. One permission covers experiments and their runs: starting either spends money."""
    _require(person, "evaluation.add_run", WHO_RUNS_EXPERIMENTS)


def require_dataset_editor(person: Person) -> None:
    """Raises PermissionDenied."""
    _require(person, "evaluation.add_dataset", WHO_EDITS_DATASETS)


def may_run_experiments(person: Person) -> bool:
    return _may(person, "evaluation.add_run")


def may_edit_datasets(person: Person) -> bool:
    return _may(person, "evaluation.add_dataset")


def _require(person: Person, permission: str, who: str) -> None:
    if not _may(person, permission):
        raise PermissionDenied(who)


def _may(person: Person, permission: str) -> bool:
    return bool(person.has_perm(permission))  # type: ignore[union-attr] # users come with PermissionsMixin
