"""Who may change the inventory and the panels. Everybody who can log in may read both.

The audit chain is for those who answer for it.
"""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied

WHO_EDITS_MODELS = "Product managers can change the inventory."
WHO_READS_AUDIT = "The audit chain is read by compliance and administrators."
WHO_EDITS_PANELS = "Product managers can make panels and new versions."
WHO_KEEPS_CONTRACTS = "Product managers and compliance can record contracts."
WHO_GOVERNS_MODELS = "Product managers and compliance can say what a model may be used for."

Person = User | AnonymousUser


def require_model_editor(person: Person) -> User:
    """The person, who may. Raises PermissionDenied.

    One permission covers providers and models: a model is nothing without its provider.
    """
    return _require(person, "panels.add_languagemodel", WHO_EDITS_MODELS)


def require_contract_keeper(person: Person) -> User:
    """The person, who may record contracts. Raises PermissionDenied."""
    return _require(person, "panels.add_contract", WHO_KEEPS_CONTRACTS)


def require_model_governor(person: Person) -> User:
    """The person, who may say what a model may be used for. Raises PermissionDenied.

    A permission of its own: compliance has it, and does not edit prices and addresses.
    """
    return _require(person, "panels.govern_languagemodel", WHO_GOVERNS_MODELS)


def may_keep_contracts(person: Person) -> bool:
    return _may(person, "panels.add_contract")


def may_govern_models(person: Person) -> bool:
    return _may(person, "panels.govern_languagemodel")


def require_panel_editor(person: Person) -> User:
    """The person, who may. Raises PermissionDenied."""
    return _require(person, "panels.add_panelversion", WHO_EDITS_PANELS)


def require_auditor(person: Person) -> User:
    """The person, who may. Raises PermissionDenied."""
    return _require(person, "panels.view_auditentry", WHO_READS_AUDIT)


def may_edit_models(person: Person) -> bool:
    return _may(person, "panels.add_languagemodel")


def may_edit_panels(person: Person) -> bool:
    return _may(person, "panels.add_panelversion")


def _require(person: Person, permission: str, who: str) -> User:
    if not _may(person, permission):
        raise PermissionDenied(who)
    return cast("User", person)  # nobody else has permissions


def _may(person: Person, permission: str) -> bool:
    return person.has_perm(permission)
