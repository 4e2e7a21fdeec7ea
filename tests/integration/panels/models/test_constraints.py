from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from panels.fusion.types import StrategyName
from panels.models import (
    AuditEntry,
    ChangeContributor,
    ChangeDecision,
    ChangeRequest,
    Member,
    ModelPrice,
    PanelApplication,
    PanelVersion,
    Provider,
    ProviderHealth,
)
from panels.services.audit import record_audit
from tests.change_factories import make_applied, make_draft, make_first_version
from tests.constraints import Check, Unique, constraints_of, refuse
from tests.factories import NOW, make_contract, make_model, make_panel_version, make_provider, make_user

pytestmark = pytest.mark.django_db


def make_version() -> PanelVersion:
    return make_panel_version([[make_model()]])


def make_arbitrated() -> PanelVersion:
    return make_panel_version([[make_model()]], strategy=StrategyName.SYNTHESIS, arbiter=make_model())


def make_seat() -> Member:
    return make_version().members.get()


def make_recorded_provider() -> Provider:
    return make_provider(kind=Provider.Kind.RECORDED)


def make_health() -> ProviderHealth:
    return ProviderHealth.objects.create(
        worker="w", provider=make_provider(), limit=1, ceiling=1, waiting=0, seen_at=NOW
    )


def make_price() -> ModelPrice:
    return ModelPrice.objects.create(
        model=make_model(), in_nanousd_per_mtok=1, out_nanousd_per_mtok=2, source="a list", valid_from=NOW
    )


def make_request() -> ChangeRequest:
    return make_draft(make_first_version())


def make_live() -> ChangeRequest:
    return make_applied(make_first_version())


def make_application() -> PanelApplication:
    return make_live().application


def make_contributor() -> ChangeContributor:
    return make_request().contributors.get()


def make_decision() -> ChangeDecision:
    return make_live().decisions.earliest("pk")


def make_entry() -> AuditEntry:
    return record_audit(action="panel.created", actor=make_user(), subject="panel:sales", detail={}, now=NOW)


CONSTRAINTS: dict[str, Check | Unique] = {
    "audit_action_named": Check(make=make_entry, changes={"action": ""}),
    "audit_subject_named": Check(make=make_entry, changes={"subject_id": ""}),
    "audit_chain_begins_at_one": Check(make=make_entry, changes={"sequence": 1, "previous_hash": "0"}),
    "audit_actor_has_name": Check(make=make_entry, changes={"actor_name": ""}),
    "change_request_state_known": Check(make=make_request, changes={"state": "guessed"}),
    "change_request_tier_known": Check(make=make_request, changes={"tier": 4}),
    "change_request_has_summary": Check(make=make_request, changes={"summary": ""}),
    "change_request_changes_something": Check(make=make_request, changes={"base": F("candidate")}),
    "change_request_falls_back_by_roll_back": Check(make=make_request, changes={"tier": 0}),
    "change_request_submitted_expires": Check(make=make_request, changes={"state": "submitted"}),
    "change_request_scheduled_has_time": Check(make=make_request, changes={"scheduled_for": NOW}),
    "change_request_revision_from_one": Check(make=make_request, changes={"revision": 0}),
    "change_request_one_applied": Unique(make=make_live, fields=["panel"]),
    "change_contributor_unique": Unique(make=make_contributor, fields=["request", "person"]),
    "change_decision_once": Unique(make=make_decision, fields=["request", "signed_hash", "person"]),
    "change_decision_verdict_known": Check(make=make_decision, changes={"verdict": "perhaps", "reason": "x"}),
    "change_decision_refusal_has_reason": Check(make=make_decision, changes={"verdict": "rejected"}),
    "panel_application_number_unique": Unique(make=make_application, fields=["panel", "number"]),
    "panel_application_number_from_one": Check(make=make_application, changes={"number": 0}),
    "provider_kind_known": Check(make=make_provider, changes={"kind": "guessed"}),
    "provider_has_url_unless_recorded": Check(make=make_provider, changes={"base_url": ""}),
    "model_unique_in_provider": Unique(make=make_model, fields=["provider", "name"]),
    "model_name_not_empty": Check(make=make_model, changes={"name": ""}),
    "model_prices_not_negative": Check(make=make_model, changes={"price_in_nanousd_per_mtok": -1}),
    "model_prices_out_not_negative": Check(make=make_model, changes={"price_out_nanousd_per_mtok": -1}),
    "model_price_known_on_both_sides": Check(make=make_model, changes={"price_out_nanousd_per_mtok": None}),
    "model_retired_after_created": Check(
        make=make_model, changes={"status": "retired", "retired_at": NOW - timedelta(seconds=1)}
    ),
    "model_status_known": Check(make=make_model, changes={"status": "loved"}),
    "model_output_use_known": Check(make=make_model, changes={"output_use": "anything"}),
    "model_retired_has_its_time": Check(make=make_model, changes={"status": "retired"}),
    "model_does_not_replace_itself": Check(make=make_model, changes={"replaced_by": F("pk")}),
    "contract_terms_known_words": Check(make=make_contract, changes={"has_dpa": "perhaps"}),
    "contract_days_in_order": Check(make=make_contract, changes={"valid_until": date(2019, 12, 31)}),
    "contract_has_evidence": Check(make=make_contract, changes={"evidence": ""}),
    "contract_has_owner": Check(make=make_contract, changes={"owner": ""}),
    "price_known_on_both_sides": Check(make=make_price, changes={"out_nanousd_per_mtok": None}),
    "price_not_negative": Check(make=make_price, changes={"in_nanousd_per_mtok": -1}),
    "panel_version_number_unique": Unique(make=make_version, fields=["panel", "number"], also={"content_hash": "x"}),
    "panel_version_content_unique": Unique(make=make_version, fields=["panel", "content_hash"], also={"number": 2}),
    "panel_version_number_from_one": Check(make=make_version, changes={"number": 0}),
    "panel_version_stop_at_is_share": Check(make=make_version, changes={"stop_at": 0.0}),
    "panel_version_strategy_known": Check(make=make_version, changes={"strategy": "loudest"}),
    "panel_version_arbiter_is_whole": Check(make=make_arbitrated, changes={"arbiter_prompt": ""}),
    "panel_version_arbitration_has_arbiter": Check(make=make_version, changes={"strategy": "synthesis"}),
    "panel_version_votes_without_arbiter": Check(make=make_arbitrated, changes={"strategy": "majority"}),
    "panel_version_arbiter_when_known": Check(make=make_arbitrated, changes={"arbiter_when": "never"}),
    "panel_version_waits_positive": Check(make=make_version, changes={"deadline_s": 0.0}),
    "panel_version_ceiling_positive": Check(make=make_version, changes={"max_cost_nanousd": 0}),
    "member_seat_unique": Unique(make=make_seat, fields=["version", "seat"]),
    "member_weight_not_negative": Check(make=make_seat, changes={"weight": -0.1}),
    "member_skill_is_share": Check(make=make_seat, changes={"skill": 1.0}),
    "member_max_tokens_positive": Check(make=make_seat, changes={"max_tokens": 0}),
    "provider_health_unique": Unique(make=make_health, fields=["worker", "provider"]),
    "provider_health_limit_from_one": Check(make=make_health, changes={"limit": 0}),
}


@pytest.mark.parametrize("name", sorted(CONSTRAINTS))
def test_the_database_refuses(name):
    refuse("panels", name, CONSTRAINTS[name])


def test_every_constraint_has_its_test():
    assert set(CONSTRAINTS) == set(constraints_of("panels"))


def test_a_recorded_provider_has_no_address():
    with_address = Check(make=make_recorded_provider, changes={"base_url": "http://127.0.0.1:9/v1"})
    refuse("panels", "provider_has_url_unless_recorded", with_address)


@pytest.mark.parametrize("field", ["price_in_nanousd_per_mtok", "price_out_nanousd_per_mtok"])
def test_half_a_price_is_no_price(field):
    refuse("panels", "model_price_known_on_both_sides", Check(make=make_model, changes={field: None}))


@pytest.mark.parametrize("stop_at", [-0.5, 0.0, 1.01])
def test_a_stop_lies_above_none_and_within_all(stop_at):
    refuse("panels", "panel_version_stop_at_is_share", Check(make=make_version, changes={"stop_at": stop_at}))


@pytest.mark.parametrize("skill", [0.0, 1.0])
def test_a_skill_is_never_certain(skill):
    refuse("panels", "member_skill_is_share", Check(make=make_seat, changes={"skill": skill}))


@pytest.mark.parametrize("make", [make_provider, make_version])
def test_a_slug_names_one_thing(make):
    one, other = ((row.panel if isinstance(row, PanelVersion) else row) for row in (make(), make()))
    with pytest.raises(IntegrityError), transaction.atomic():
        type(other).objects.filter(pk=other.pk).update(slug=one.slug)


def test_a_model_that_is_retired_has_a_time_and_no_other_has_one():
    model = make_model()
    with pytest.raises(IntegrityError, match="model_retired_has_its_time"), transaction.atomic():
        type(model).objects.filter(pk=model.pk).update(retired_at=NOW + timedelta(seconds=1))


@pytest.mark.parametrize("terms", [{"has_baa": "maybe"}, {"trains_on_data": "maybe"}])
def test_every_term_of_a_contract_is_a_known_word(terms: dict[str, Any]):
    with pytest.raises(IntegrityError, match="contract_terms_known_words"), transaction.atomic():
        make_contract(**terms)


@pytest.mark.parametrize("make", [make_contract, make_price])
def test_what_was_written_of_a_contract_or_a_price_stays(make):
    row = make()
    rows = type(row).objects.filter(pk=row.pk)
    for change in (lambda: rows.update(valid_from=row.valid_from), rows.delete):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            change()


def test_an_unknown_price_is_a_row_of_the_history():
    price = make_price()
    ModelPrice.objects.create(model=price.model, valid_from=NOW)
