"""Who may do what: every address and every part of the admin, for every role, what is allowed and what is refused.

An address that is not in the table fails. To add one, say who may read it (GET) and who may write (POST); None is
"there is no such method". Whatever the table does not allow has to be refused: by a 403, by the way to the login, or,
for somebody else's review, by a 404.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.http import HttpResponseBase
from django.test import RequestFactory
from django.urls import URLResolver, get_resolver, reverse

from tests.integration.permission_world import ANYBODY, ROLES, SUPERUSER, Arguments, World, make_world

Roles = frozenset[str]

EVERYBODY = frozenset(ROLES)
MEMBERS = EVERYBODY - {ANYBODY}
# Who only reviews sees nothing else: every other page could tell the arms apart.
READERS = MEMBERS - {"reviewer", "adjudicator"}
MANAGERS = frozenset({"product manager", SUPERUSER})
INVENTORY = MANAGERS | {"administrator"}
GOVERNORS = INVENTORY | {"compliance"}
KEYS = MANAGERS | {"administrator"}
AUDITORS = frozenset({"compliance", "administrator", SUPERUSER})
PEOPLE = frozenset({"administrator", SUPERUSER})
# Being allowed everything is no vote.
DECIDERS = frozenset({"approver", "compliance"})
APPLIERS = MANAGERS | {"approver"}
REVIEWER = frozenset({"reviewer"})
DISPUTES = MANAGERS | {"adjudicator"}
ROOT = frozenset({SUPERUSER})
NOBODY: Roles = frozenset()


def _nothing(_: World) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    read: Roles | None = None
    write: Roles | None = None
    args: Arguments = field(default=_nothing)


def _model(world: World) -> dict[str, Any]:
    return {"pk": world.version.members.get().model_id}


def _provider(world: World) -> dict[str, Any]:
    return {"slug": world.version.members.get().model.provider.slug}


def _panel(world: World) -> dict[str, Any]:
    return {"slug": world.version.panel.slug}


def _version(world: World) -> dict[str, Any]:
    return {"slug": world.version.panel.slug, "number": 1}


def _change(world: World) -> dict[str, Any]:
    return {"pk": world.change.pk}


def _dataset(world: World) -> dict[str, Any]:
    return {"slug": world.dataset.dataset.slug}


def _dataset_version(world: World) -> dict[str, Any]:
    return {"slug": world.dataset.dataset.slug, "number": 1}


def _import(world: World) -> dict[str, Any]:
    return {"pk": world.import_id}


def _run(world: World) -> dict[str, Any]:
    return {"pk": world.run.pk}


def _key(world: World) -> dict[str, Any]:
    return {"pk": world.key.pk}


def _review(world: World) -> dict[str, Any]:
    return {"pk": world.session.pk}


PAGES: dict[str, Page] = {
    # Coming in
    "login": Page(read=EVERYBODY, write=EVERYBODY),
    "logout": Page(write=MEMBERS),
    "health": Page(read=EVERYBODY),
    "csp-report": Page(write=EVERYBODY),
    # Panels and the inventory
    "panels:audit": Page(read=AUDITORS),
    "panels:models": Page(read=READERS),
    "panels:model-create": Page(read=INVENTORY, write=INVENTORY),
    "panels:model": Page(read=READERS, args=_model),
    "panels:model-edit": Page(read=INVENTORY, write=INVENTORY, args=_model),
    "panels:model-use": Page(read=GOVERNORS, write=GOVERNORS, args=_model),
    "panels:model-retire": Page(write=INVENTORY, args=_model),
    "panels:model-bring-back": Page(write=INVENTORY, args=_model),
    "panels:providers": Page(read=READERS),
    "panels:provider": Page(read=READERS, args=_provider),
    "panels:contract-record": Page(read=GOVERNORS, write=GOVERNORS, args=_provider),
    "panels:provider-create": Page(read=INVENTORY, write=INVENTORY),
    "panels:provider-edit": Page(read=INVENTORY, write=INVENTORY, args=_provider),
    "panels:panels": Page(read=READERS),
    "panels:panel-create": Page(read=MANAGERS, write=MANAGERS),
    "panels:panel": Page(read=READERS, args=_panel),
    "panels:version-create": Page(read=MANAGERS, write=MANAGERS, args=_panel),
    "panels:version": Page(read=READERS, args=_version),
    "panels:version-spec": Page(read=READERS, args=_version),
    # What becomes live
    "panels:roll-back": Page(write=APPLIERS, args=_version),
    "panels:changes": Page(read=READERS),
    "panels:changes-waiting": Page(read=READERS),
    "panels:change": Page(read=READERS, args=_change),
    "panels:change-decide": Page(write=DECIDERS, args=_change),
    "panels:change-submit": Page(write=MANAGERS, args=_change),
    "panels:change-withdraw": Page(write=MANAGERS, args=_change),
    "panels:change-apply": Page(write=APPLIERS, args=_change),
    "panels:change-schedule": Page(write=APPLIERS, args=_change),
    "panels:change-unschedule": Page(write=APPLIERS, args=_change),
    "evaluation:change-create": Page(read=MANAGERS, write=MANAGERS, args=_version),
    "evaluation:change-edit": Page(read=MANAGERS, write=MANAGERS, args=_change),
    # Datasets, experiments, runs, answers
    # Sends who only reviews on to their sessions, whatever they ask.
    "evaluation:overview": Page(read=MEMBERS, write=MEMBERS - READERS),
    "evaluation:workflow": Page(read=READERS, args=lambda _: {"slug": "sales"}),
    "evaluation:workflow-edit": Page(read=MANAGERS, write=MANAGERS, args=lambda _: {"slug": "sales"}),
    "evaluation:datasets": Page(read=READERS),
    "evaluation:dataset-upload": Page(read=READERS, write=MANAGERS),
    "evaluation:import": Page(read=READERS, write=MANAGERS, args=_import),
    "evaluation:import-discard": Page(write=MANAGERS, args=_import),
    "evaluation:dataset": Page(read=READERS, args=_dataset),
    "evaluation:dataset-version": Page(read=READERS, args=_dataset_version),
    "evaluation:monitoring": Page(read=READERS),
    "evaluation:monitoring-export": Page(read=READERS, args=lambda world: {"what": "models", "kind": "csv"}),
    "evaluation:experiments": Page(read=READERS),
    "evaluation:experiment-create": Page(read=MANAGERS, write=MANAGERS),
    "evaluation:run": Page(read=READERS, args=_run),
    "evaluation:run-items": Page(read=READERS, args=_run),
    "evaluation:run-export": Page(read=READERS, args=lambda world: {"pk": world.run.pk, "kind": "csv"}),
    "evaluation:run-pause": Page(write=MANAGERS, args=_run),
    "evaluation:run-resume": Page(write=MANAGERS, args=_run),
    "evaluation:run-cancel": Page(write=MANAGERS, args=_run),
    "evaluation:run-retry": Page(write=MANAGERS, args=_run),
    "evaluation:run-repeat": Page(write=MANAGERS, args=_run),
    "evaluation:answer": Page(read=READERS, args=lambda world: {"pk": world.answer.pk}),
    "evaluation:lineage": Page(read=READERS, args=lambda world: {"pk": world.answer.pk}),
    "evaluation:lineage-json": Page(read=READERS, args=lambda world: {"pk": world.answer.pk}),
    "evaluation:panel-answers": Page(read=READERS, args=_panel),
    # Keys of programs
    "evaluation:keys": Page(read=KEYS),
    "evaluation:key-create": Page(read=KEYS, write=KEYS),
    "evaluation:key-rotate": Page(read=KEYS, write=KEYS, args=_key),
    "evaluation:key-revoke": Page(write=KEYS, args=_key),
    # Human review
    "evaluation:reviews": Page(read=MEMBERS),
    "evaluation:reviews-waiting": Page(read=MEMBERS),
    "evaluation:review-create": Page(read=MANAGERS, write=MANAGERS),
    "evaluation:review-import": Page(read=MANAGERS, write=MANAGERS),
    "evaluation:review-session": Page(read=MANAGERS, args=_review),
    "evaluation:review-results": Page(read=MANAGERS, args=_review),
    "evaluation:review-export": Page(
        read=MANAGERS, args=lambda world: {"pk": world.session.pk, "what": "votes", "kind": "csv"}
    ),
    "evaluation:review-open": Page(write=MANAGERS, args=_review),
    "evaluation:review-hold": Page(write=MANAGERS, args=_review),
    "evaluation:review-close": Page(write=MANAGERS, args=_review),
    "evaluation:review-settle": Page(read=DISPUTES, write=DISPUTES, args=_review),
    "evaluation:review-assign": Page(write=MANAGERS, args=_review),
    "evaluation:review": Page(read=REVIEWER, args=_review),
    "evaluation:review-next": Page(write=REVIEWER, args=_review),
    "evaluation:review-votes": Page(write=REVIEWER, args=_review),
    "evaluation:review-skip": Page(write=REVIEWER, args=_review),
    "evaluation:review-undo": Page(write=REVIEWER, args=_review),
    "evaluation:review-reveal": Page(write=REVIEWER, args=_review),
    "evaluation:review-heartbeat": Page(write=REVIEWER, args=_review),
    "evaluation:review-pause": Page(write=REVIEWER, args=_review),
    "evaluation:review-done": Page(read=REVIEWER, args=_review),
    # The administration itself
    "admin:index": Page(read=READERS, write=READERS),
    "admin:login": Page(read=READERS | {ANYBODY}, write=READERS | {ANYBODY}),
    "admin:password_change": Page(read=READERS, write=READERS),
    "admin:password_change_done": Page(read=READERS),
    "admin:auth_user_password_change": Page(
        read=PEOPLE, write=PEOPLE, args=lambda world: {"id": world.people["viewer"].pk}
    ),
}
# Each asks for the permission of the model that it is about, or shows nothing of any.
WITH_THEIR_MODEL = {"admin:autocomplete", "admin:view_on_site", "admin:app_list", "admin:jsi18n", "admin:logout"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Of one model in the admin. ``actions`` are the bulk actions of its list, by who is offered them."""

    view: Roles = ROOT
    add: Roles = NOBODY
    change: Roles = NOBODY
    delete: Roles = NOBODY
    actions: dict[str, Roles] = field(default_factory=dict)


RECORD = Rights(view=READERS)
MODELS: dict[str, Rights] = {
    "auth.user": Rights(view=AUDITORS, add=PEOPLE, change=PEOPLE),
    "auth.group": Rights(view=AUDITORS, add=PEOPLE, change=PEOPLE),
    # Lifting a lock-out is deleting its attempts.
    "axes.accessattempt": Rights(change=ROOT, delete=ROOT, actions={"cleanup_expired_attempts": ROOT}),
    "axes.accesslog": Rights(change=ROOT, delete=ROOT),
    "axes.accessfailurelog": Rights(change=ROOT, delete=ROOT),
    "panels.auditentry": Rights(view=AUDITORS),
    "panels.provider": Rights(view=READERS, add=INVENTORY, change=INVENTORY),
    "panels.languagemodel": Rights(view=READERS, add=INVENTORY, change=INVENTORY),
    "panels.contract": RECORD,
    "panels.modelprice": RECORD,
    "panels.panel": RECORD,
    "panels.panelversion": RECORD,
    "panels.member": RECORD,
    "panels.changerequest": RECORD,
    "panels.panelapplication": RECORD,
    "panels.providerhealth": Rights(),
    "evaluation.workflow": RECORD,
    "evaluation.dataset": RECORD,
    "evaluation.datasetversion": RECORD,
    "evaluation.datasetimport": RECORD,
    "evaluation.example": Rights(),
    "evaluation.recordedoutput": Rights(),
    "evaluation.experiment": RECORD,
    "evaluation.arm": RECORD,
    "evaluation.run": RECORD,
    "evaluation.runresult": Rights(),
    "evaluation.armprogress": Rights(),
    "evaluation.batch": Rights(),
    "evaluation.lease": Rights(),
    "evaluation.answer": RECORD,
    "evaluation.call": RECORD,
    "evaluation.calibration": RECORD,
    "evaluation.liverequest": Rights(),
    "evaluation.callrollup": Rights(),
    "evaluation.answerrollup": Rights(),
    "evaluation.rollupdue": Rights(),
    "evaluation.rollupstate": Rights(),
    "evaluation.apikey": Rights(view=KEYS | {"compliance"}),
    # Votes and what they are about would tell a reviewer more than the page does.
    "evaluation.reviewsession": Rights(view=MANAGERS),
    "evaluation.reviewassignment": Rights(),
    "evaluation.reviewitem": Rights(),
    "evaluation.reviewslot": Rights(),
    "evaluation.reviewvote": Rights(),
    "evaluation.adjudication": Rights(),
    "evaluation.rubricversion": Rights(),
}


def names(resolver: URLResolver | None = None, room: str = "") -> Iterator[str]:
    """Every name of an address, with its namespace; the admin has a few addresses without one."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from names(entry, f"{room}{entry.namespace}:" if entry.namespace else room)
        elif entry.name or room != "admin:":
            yield f"{room}{entry.name}"


def of_models() -> set[str]:
    actions = ("changelist", "add", "history", "delete", "change")
    return {f"admin:{label.replace('.', '_')}_{action}" for label in MODELS for action in actions}


def test_every_address_is_in_the_table():
    assert set(names()) == {*PAGES, *WITH_THEIR_MODEL, *of_models()}


def test_every_model_of_the_admin_is_in_the_table():
    assert {model._meta.label_lower for model in admin.site._registry} == set(MODELS)


def outcome(response: HttpResponseBase) -> str:
    if response.status_code == 405:
        return "no such method"
    to_login = "login/?next=" in response.get("Location", "")
    return "refused" if to_login or response.status_code in {403, 404} else "allowed"


def expected(allowed: Roles | None, role: str) -> set[str]:
    """Where there is no such method it may be refused before anybody looks for one, and the other way round."""
    return {"allowed"} if allowed is not None and role in allowed else {"refused", "no such method"}


def ask(world: World, role: str, method: str, address: str) -> str:
    """What came of it; whatever it did is undone."""
    with transaction.atomic():
        response = getattr(world.client(role), method)(address)
        if hasattr(response, "streaming_content"):
            b"".join(response.streaming_content)
        transaction.set_rollback(True)
    return outcome(response)


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_every_address_allows_and_refuses(role):
    world = make_world()
    wrong = {}
    for name, page in PAGES.items():
        address = reverse(name, kwargs=page.args(world))
        for method, allowed in (("get", page.read), ("post", page.write)):
            found = ask(world, role, method, address)
            if found not in expected(allowed, role):
                wrong[f"{method} {name}"] = found
    assert wrong == {}


def rights_of(world: World, role: str) -> dict[str, dict[str, Any]]:
    """What the admin would let this person do with each model, as it says itself."""
    request = RequestFactory().get("/admin/")
    request.user = world.people[role]
    return {
        model._meta.label_lower: {
            "view": room.has_view_permission(request),
            "add": room.has_add_permission(request),
            "change": room.has_change_permission(request),
            "delete": room.has_delete_permission(request),
            "actions": set(room.get_actions(request) if room.has_view_permission(request) else ()),
        }
        for model, room in admin.site._registry.items()
    }


def wanted_rights(role: str) -> dict[str, dict[str, Any]]:
    return {
        label: {
            "view": role in rights.view,
            "add": role in rights.add,
            "change": role in rights.change,
            "delete": role in rights.delete,
            "actions": {name for name, roles in rights.actions.items() if role in roles},
        }
        for label, rights in MODELS.items()
    }


@pytest.mark.django_db
@pytest.mark.parametrize("role", sorted(MEMBERS))
def test_the_admin_says_what_the_table_says(role):
    found, wanted = rights_of(make_world(), role), wanted_rights(role)
    assert {label: found[label] for label in found if found[label] != wanted[label]} == {}


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_the_lists_of_the_admin_open_for_the_same(role):
    """But for those who only review: to them the whole admin is closed, whatever their permissions."""
    world = make_world()
    reads = role in READERS
    wrong = {}
    for label, rights in MODELS.items():
        found = ask(world, role, "get", reverse(f"admin:{label.replace('.', '_')}_changelist"))
        if found != ("allowed" if reads and role in rights.view else "refused"):
            wrong[label] = found
    assert wrong == {}


@pytest.mark.django_db
def test_who_is_not_staff_has_no_admin():
    world = make_world()
    for person in world.people.values():
        person.is_staff = False
        person.save()
    assert {ask(world, role, "get", reverse("admin:index")) for role in ROLES} == {"refused"}
