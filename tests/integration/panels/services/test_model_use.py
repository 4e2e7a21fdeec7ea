from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from panels.models import AuditEntry, LanguageModel, Provider
from panels.policies import WrongState
from panels.services.model_use import ModelUse, set_model_use
from panels.services.models import InvalidModel
from tests.factories import NOW, make_model, make_provider, make_user

pytestmark = pytest.mark.django_db

USE = ModelUse(
    status="trial",
    pinned_version="m-2026-10",
    licence="Apache-2.0",
    output_use="evaluation",
    output_terms="https://terms.example",
    allowed_roles=["arbiter", "member"],
    allowed_data_classes=["internal", "public"],
    deprecated_on=date(2027, 1, 1),
    replaced_by=None,
)


def test_what_a_model_may_be_used_for_is_set_and_what_changed_is_recorded():
    model, person = make_model(status="proposed", licence=""), make_user()
    heir = make_model(provider=model.provider)
    set_model_use(model=model, use=replace(USE, replaced_by=heir), by=person, now=NOW)
    model.refresh_from_db()
    assert (model.status, model.pinned_version, model.replaced_by) == ("trial", "m-2026-10", heir)
    assert (model.allowed_roles, model.allowed_data_classes) == (["member", "arbiter"], ["public", "internal"])
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor) == ("model.use_set", person)
    assert entry.detail["status"] == {"from": "proposed", "to": "trial"}
    assert entry.detail["deprecated_on"] == {"from": None, "to": "2027-01-01"}
    assert entry.detail["replaced_by"] == {"from": None, "to": heir.name}
    set_model_use(model=model, use=replace(USE, replaced_by=heir), by=person, now=NOW)
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": "loved"}, "status"),
        ({"status": "retired"}, "status"),
        ({"licence": " "}, "licence"),
        ({"output_use": "unknown"}, "output_use"),
        ({"allowed_roles": []}, "allowed_roles"),
        ({"allowed_roles": ["judge"]}, "allowed_roles"),
        ({"allowed_data_classes": []}, "allowed_data_classes"),
    ],
)
def test_a_model_that_is_used_is_known(changes: dict[str, Any], field):
    model = make_model()
    with pytest.raises(InvalidModel) as caught:
        set_model_use(model=model, use=replace(USE, **changes), by=None, now=NOW)
    assert [name for name, _ in caught.value.problems] == [field]
    assert not AuditEntry.objects.exists()


def test_a_proposed_model_may_be_unknown():
    model = make_model()
    use = replace(USE, status="proposed", licence="", output_use="unknown", allowed_roles=[], allowed_data_classes=[])
    assert set_model_use(model=model, use=use, by=None, now=NOW).status == "proposed"


def test_a_retired_model_stays_retired_here_and_may_name_its_heir():
    model = make_model(retired_at=NOW)
    with pytest.raises(InvalidModel, match="bring it back"):
        set_model_use(model=model, use=USE, by=None, now=NOW)
    set_model_use(model=model, use=replace(USE, status="retired"), by=None, now=NOW)
    assert LanguageModel.objects.get().pinned_version == "m-2026-10"


def test_a_model_does_not_replace_itself():
    model = make_model()
    with pytest.raises(InvalidModel, match="replace itself"):
        set_model_use(model=model, use=replace(USE, replaced_by=model), by=None, now=NOW)


def test_a_recorded_model_stays_as_it_was_imported():
    model = make_model(provider=make_provider(kind=Provider.Kind.RECORDED))
    with pytest.raises(WrongState):
        set_model_use(model=model, use=USE, by=None, now=NOW)
