"""What the database refuses by itself, whoever writes past the services."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from panels.models import ChangeDecision, ChangeRequest, PanelApplication, PanelVersion
from panels.policies import OPEN_FOR
from panels.triggers import install_triggers, remove_triggers, trigger_names
from tests.change_factories import (
    SOON,
    decide,
    make_applied,
    make_approved,
    make_approver,
    make_author,
    make_draft,
    make_first_version,
    make_next_version,
    make_submitted,
)
from tests.factories import NOW, make_model

pytestmark = pytest.mark.django_db


def put_in_force(request, **fields):
    return PanelApplication.objects.create(
        **{
            "panel": request.panel,
            "number": 1,
            "version": request.candidate,
            "request": request,
            "signed_hash": request.signed_hash,
            "applied_at": SOON,
        }
        | fields
    )


def test_the_database_applies_nothing_that_too_few_approved():
    request = make_submitted(make_first_version())
    decide(request, make_approver())
    ChangeRequest.objects.filter(pk=request.pk).update(state="approved")
    with pytest.raises(IntegrityError, match="enough people"), transaction.atomic():
        put_in_force(request)


def test_the_database_wants_compliance_where_it_is_needed():
    request = make_submitted(make_first_version())
    for _ in range(2):  # two approvers, by hand
        ChangeDecision.objects.create(
            request=request,
            person=make_approver(),
            verdict="approved",
            signed_hash=request.signed_hash,
            decided_at=SOON,
        )
    ChangeRequest.objects.filter(pk=request.pk).update(state="approved")
    with pytest.raises(IntegrityError, match="enough people"), transaction.atomic():
        put_in_force(request)


def test_the_database_applies_nothing_else_than_what_was_approved():
    first = make_first_version()
    other = make_next_version(first, weight=0.9)
    request = make_approved(first)
    for wrong in ({"version": other}, {"signed_hash": "0" * 64}, {"panel": make_first_version().panel}):
        with pytest.raises(IntegrityError), transaction.atomic():
            put_in_force(request, **wrong)
    assert put_in_force(request).pk


def test_the_database_applies_nothing_on_another_base():
    first = make_first_version()
    request = make_approved(make_next_version(first, weight=0.9))
    make_applied(first)
    with pytest.raises(IntegrityError, match="enough people"), transaction.atomic():
        put_in_force(request, number=2)


def test_the_database_takes_no_decision_of_the_author_or_on_a_draft():
    author = make_author()
    request = make_draft(make_first_version(), by=author)
    vote = {"request": request, "verdict": "approved", "signed_hash": request.signed_hash, "decided_at": SOON}
    with pytest.raises(IntegrityError, match="somebody else"), transaction.atomic():
        ChangeDecision.objects.create(person=make_approver(), **vote)
    ChangeRequest.objects.filter(pk=request.pk).update(state="submitted", submitted_at=NOW, expires_at=NOW + OPEN_FOR)
    with pytest.raises(IntegrityError, match="somebody else"), transaction.atomic():
        ChangeDecision.objects.create(person=author, **vote)
    with pytest.raises(IntegrityError, match="somebody else"), transaction.atomic():
        ChangeDecision.objects.create(person=make_approver(), **{**vote, "signed_hash": "0" * 64})
    assert ChangeDecision.objects.create(person=make_approver(), **vote).pk


@pytest.mark.parametrize(
    "columns",
    [{"evidence": {}}, {"signed_hash": "0" * 64}, {"tier": 1}, {"summary": "x"}, {"policy": {}}, {"makes_baseline": 1}],
)
def test_the_database_keeps_what_approvers_sign(columns):
    request = make_submitted(make_first_version())
    with pytest.raises(IntegrityError, match="does not change"), transaction.atomic():
        ChangeRequest.objects.filter(pk=request.pk).update(**columns)


@pytest.mark.parametrize(("was", "then"), [("draft", "approved"), ("draft", "applied"), ("approved", "rejected")])
def test_the_database_knows_the_way_a_request_goes(was, then):
    request = {"draft": make_draft, "approved": make_approved}[was](make_first_version())
    with pytest.raises(IntegrityError), transaction.atomic():
        ChangeRequest.objects.filter(pk=request.pk).update(state=then, submitted_at=NOW, expires_at=NOW + OPEN_FOR)


def test_the_database_calls_nothing_applied_without_its_version():
    request = make_approved(make_first_version())
    with pytest.raises(IntegrityError, match="only with its version"), transaction.atomic():
        ChangeRequest.objects.filter(pk=request.pk).update(state="applied")
    request.pk, request.state = None, "approved"
    with pytest.raises(IntegrityError, match="begins as a draft"), transaction.atomic():
        request.save(force_insert=True)


def test_the_database_changes_no_version_no_member_and_no_history():
    request = make_applied(make_first_version())
    version = request.candidate
    rows: list[tuple[Any, dict[str, Any]]] = [
        (PanelVersion.objects.filter(pk=version.pk), {"stop_at": 0.5}),
        (PanelVersion.objects.filter(pk=version.pk), {"created_by": make_author()}),
        (version.members.all(), {"weight": 0.9}),
        (request.decisions.all(), {"verdict": "rejected", "reason": "x"}),
        (request.contributors.all(), {"person": make_author()}),
        (PanelApplication.objects.filter(request=request), {"applied_by": None}),
    ]
    for found, columns in rows:
        with pytest.raises(IntegrityError), transaction.atomic():
            found.update(**columns)
        with pytest.raises(IntegrityError), transaction.atomic():
            found._raw_delete(found.db)
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        version.members.create(model=make_model(), stage=0, seat=9)
    with pytest.raises(IntegrityError, match="are kept"), transaction.atomic():
        ChangeRequest.objects.filter(pk=request.pk)._raw_delete("default")


def test_a_person_who_is_deleted_leaves_the_version_behind():
    version = make_next_version(make_first_version(), by=make_author(), weight=0.9)
    PanelVersion.objects.filter(pk=version.pk).update(created_by=None)  # as deleting the person does
    version.refresh_from_db()
    assert version.created_by is None


def triggers_there():
    catalogue = (
        "pg_trigger WHERE NOT tgisinternal"
        if connection.vendor == "postgresql"
        else "sqlite_master WHERE type = 'trigger'"
    )
    column = "tgname" if connection.vendor == "postgresql" else "name"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {catalogue}")
        return {name for (name,) in cursor.fetchall()}


def test_every_trigger_is_there_and_can_be_taken_out_and_put_back():
    """Also after the last migration: on SQLite one that rebuilds a table loses its triggers."""
    wanted = {*trigger_names(), "panels_member_no_update", "panels_changedecision_no_delete"}
    assert wanted <= triggers_there()
    editor = connection.SchemaEditorClass(connection, atomic=False)
    for act, there in ((remove_triggers, False), (install_triggers, True), (install_triggers, True)):
        act(editor)
        assert (set(trigger_names()) <= triggers_there()) is there


def test_the_trigger_of_versions_knows_every_column():
    """A migration that adds one installs the triggers anew, or the column would not be frozen."""
    of_sqlite = "SELECT sql FROM sqlite_master WHERE name = 'panels_panelversion_stays'"
    of_postgresql = "SELECT prosrc FROM pg_proc WHERE proname = 'panels_panelversion_stays'"
    with connection.cursor() as cursor:
        cursor.execute(of_postgresql if connection.vendor == "postgresql" else of_sqlite)
        (written,) = cursor.fetchone()
    columns = [field.column for field in PanelVersion._meta.concrete_fields]
    assert [column for column in columns if f"NEW.{column} " not in f"{written} ".replace(")", " ")] == []
