"""Who may change the inventory and the panels, and who decides. Everybody who can log in may read both.

The audit chain is for those who answer for it.
"""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import AnonymousUser, Permission, User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet

WHO_EDITS_MODELS = "Product managers can change the inventory."
WHO_READS_AUDIT = "The audit chain is read by compliance and administrators."
WHO_EDITS_PANELS = "Product managers can make panels and new versions."
WHO_KEEPS_CONTRACTS = "Product managers and compliance can record contracts."
WHO_GOVERNS_MODELS = "Product managers and compliance can say what a model may be used for."
WHO_REQUESTS_CHANGES = "Product managers can open and submit change requests."
WHO_DECIDES = "Approvers and compliance decide on change requests."
WHO_APPLIES = "Product managers and approvers can apply what was approved, and roll back."
_DECIDES, _AS_COMPLIANCE = "decide_changerequest", "decide_as_compliance"

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


def require_change_author(person: Person) -> User:
    """The person, who may. Raises PermissionDenied."""
    return _require(person, "panels.add_changerequest", WHO_REQUESTS_CHANGES)


def require_applier(person: Person) -> User:
    """The person, who may. Raises PermissionDenied."""
    return _require(person, "panels.apply_changerequest", WHO_APPLIES)


def require_approver(person: Person) -> User:
    """The person, who may. Raises PermissionDenied."""
    if not may_decide(person):
        raise PermissionDenied(WHO_DECIDES)
    return cast("User", person)


def may_request_changes(person: Person) -> bool:
    return _may(person, "panels.add_changerequest")


def may_apply(person: Person) -> bool:
    return _may(person, "panels.apply_changerequest")


def may_decide(person: Person) -> bool:
    """Only who was made an approver: being allowed everything is no vote."""
    return _is_granted(person, _DECIDES)


def decides_as_compliance(person: Person) -> bool:
    return _is_granted(person, _AS_COMPLIANCE)


def approvers() -> QuerySet[User]:
    """Everybody who may decide and can log in."""
    granted = Permission.objects.filter(content_type__app_label="panels", codename=_DECIDES)
    holds = Q(user_permissions__in=granted) | Q(groups__permissions__in=granted)
    return User.objects.filter(holds, is_active=True).distinct()


def _is_granted(person: Person, codename: str) -> bool:
    if not (isinstance(person, User) and person.is_active):
        return False
    if not person.is_superuser:
        return _may(person, f"panels.{codename}")
    # Django tells of a superuser only that everything is allowed.
    given = Q(user=person) | Q(group__user=person)
    return Permission.objects.filter(given, content_type__app_label="panels", codename=codename).exists()


def _require(person: Person, permission: str, who: str) -> User:
    if not _may(person, permission):
        raise PermissionDenied(who)
    return cast("User", person)  # nobody else has permissions


def _may(person: Person, permission: str) -> bool:
    return person.has_perm(permission)
