from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from panels.fusion.types import StrategyName
from panels.gate import (
    DataPolicy,
    GateClosed,
    Purpose,
    contract_day,
    gate_findings,
    require_gate,
    version_seats,
)
from panels.models import LanguageModel, Provider
from tests.factories import NOW, make_contract, make_model, make_panel_version, make_provider

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 23)
PUBLIC = DataPolicy(data_class="public", forbids_training=False)
STRICT = DataPolicy(
    data_class="personal", regions=("eu",), max_retention_days=30, forbids_training=True, purpose=Purpose.PRODUCT
)


def findings(policy, *models, today=TODAY, roles=("member",)):
    asked = {model.pk: set(roles) for model in models}
    return gate_findings(policy=policy, models=models, roles=asked, today=today)


def rules(policy, model, **kwargs):
    return [finding.rule for finding in findings(policy, model, **kwargs)]


def contracted(**terms: Any) -> LanguageModel:
    return make_model(provider=make_contract(**terms).provider)


def test_what_a_contract_and_a_model_allow_passes():
    assert findings(STRICT, contracted(), make_model(), roles=("member", "arbiter")) == ()
    require_gate(policy=STRICT, models=[make_model()], roles={}, today=TODAY)


@pytest.mark.parametrize(
    ("policy", "terms", "rule"),
    [
        (replace(PUBLIC, data_class="personal"), {"has_dpa": "no"}, "DPA"),
        (replace(PUBLIC, data_class="personal"), {"has_dpa": "unknown"}, "DPA"),
        (replace(PUBLIC, data_class="health"), {"has_baa": "no"}, "BAA"),
        (replace(PUBLIC, data_class="health"), {"has_baa": "unknown"}, "BAA"),
        (replace(PUBLIC, regions=("eu",)), {"regions": []}, "region"),
        (replace(PUBLIC, regions=("eu",)), {"regions": ["eu", "us"]}, "region"),
        (replace(PUBLIC, max_retention_days=29), {"retention_days": 30}, "retention"),
        (replace(PUBLIC, max_retention_days=29), {"retention_days": None}, "retention"),
        (replace(PUBLIC, forbids_training=True), {"trains_on_data": "yes"}, "training"),
        (replace(PUBLIC, forbids_training=True), {"trains_on_data": "unknown"}, "training"),
    ],
)
def test_a_term_that_is_against_the_policy_or_unknown_closes_the_gate(policy, terms, rule):
    model = contracted(**terms)
    assert rules(policy, model) == [rule]
    assert rules(PUBLIC, model) == []


@pytest.mark.parametrize("data_class", ["public", "internal"])
def test_what_a_data_class_does_not_ask_for_may_be_missing(data_class):
    model = contracted(has_dpa="no", has_baa="no", regions=[], retention_days=None)
    assert rules(DataPolicy(data_class=data_class), model) == []


@pytest.mark.parametrize(
    ("policy", "fields", "rule"),
    [
        (PUBLIC, {"status": "proposed"}, "status"),
        (replace(PUBLIC, purpose=Purpose.PRODUCT), {"status": "proposed"}, "status"),
        (replace(PUBLIC, purpose=Purpose.PRODUCT), {"status": "trial"}, "status"),
        (PUBLIC, {"status": "retired", "retired_at": NOW}, "status"),
        (PUBLIC, {"allowed_roles": ["arbiter"]}, "role"),
        (PUBLIC, {"allowed_data_classes": ["internal"]}, "data class"),
        (PUBLIC, {"licence": " "}, "licence"),
        (PUBLIC, {"output_use": "unknown"}, "output terms"),
        (replace(PUBLIC, purpose=Purpose.PRODUCT), {"output_use": "evaluation"}, "output terms"),
    ],
)
def test_a_model_that_may_not_be_used_for_this_closes_the_gate(policy, fields, rule):
    assert rules(policy, make_model(**fields)) == [rule]


@pytest.mark.parametrize("fields", [{"status": "trial"}, {"status": "restricted"}, {"output_use": "evaluation"}])
def test_an_evaluation_needs_less_than_a_product(fields):
    assert rules(PUBLIC, make_model(**fields)) == []


def test_a_model_that_nobody_has_looked_at_may_be_used_for_nothing():
    model = LanguageModel.objects.create(provider=make_provider(), name="new", created_at=NOW)
    assert set(rules(PUBLIC, model)) == {"status", "role", "data class", "licence", "output terms"}


def test_a_provider_without_a_contract_gets_nothing():
    model = make_model(provider=make_provider(contracted=False))
    assert rules(PUBLIC, model) == ["contract"]


def test_recorded_outputs_reach_nobody_and_pass_no_gate():
    model = make_model(provider=make_provider(kind=Provider.Kind.RECORDED), status="proposed", licence="")
    assert findings(STRICT, model) == ()


@pytest.mark.parametrize(
    ("today", "is_open"),
    [
        (date(2026, 10, 31), False),
        (date(2026, 11, 1), True),
        (date(2026, 11, 30), True),
        (date(2026, 12, 1), False),
    ],
)
def test_both_days_of_a_contract_belong_to_it(today, is_open):
    model = contracted(valid_from=date(2026, 11, 1), valid_until=date(2026, 11, 30))
    assert rules(PUBLIC, model, today=today) == ([] if is_open else ["contract"])


@pytest.mark.parametrize(
    ("zone", "now", "is_open"),
    [
        ("UTC", datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC), True),
        ("UTC", datetime(2026, 12, 1, 0, 0, tzinfo=UTC), False),
        ("Europe/Berlin", datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC), True),
        ("Europe/Berlin", datetime(2026, 11, 30, 23, 0, tzinfo=UTC), False),
        ("America/New_York", datetime(2026, 12, 1, 4, 59, tzinfo=UTC), True),
    ],
)
def test_a_contract_ends_at_midnight_of_the_services_time_zone(zone, now, is_open):
    model = contracted(valid_until=date(2026, 11, 30))
    with timezone.override(ZoneInfo(zone)):
        assert rules(PUBLIC, model, today=contract_day(now)) == ([] if is_open else ["contract"])


def test_of_the_contracts_that_have_begun_the_one_that_began_last_speaks():
    provider = make_provider()
    model = make_model(provider=provider)
    make_contract(provider, valid_from=TODAY, trains_on_data="yes")
    make_contract(provider, valid_from=TODAY + timedelta(days=1), has_dpa="no")
    strict = DataPolicy(data_class="personal")
    assert rules(strict, model, today=TODAY - timedelta(days=1)) == []
    assert rules(strict, model) == ["training"]
    assert rules(strict, model, today=TODAY + timedelta(days=1)) == ["DPA"]


def test_a_contract_that_ended_early_is_not_replaced_by_the_one_before():
    provider = make_provider()
    make_contract(provider, valid_from=TODAY, valid_until=TODAY)
    model = make_model(provider=provider)
    assert rules(PUBLIC, model) == []
    (finding,) = findings(PUBLIC, model, today=TODAY + timedelta(days=1))
    assert finding.why == "its contract ended on 2026-11-23"


def test_of_two_contracts_of_one_day_the_newest_speaks():
    provider = make_provider(contracted=False)
    for dpa in ("yes", "no"):
        make_contract(provider, has_dpa=dpa)
    assert rules(DataPolicy(data_class="personal"), make_model(provider=provider)) == ["DPA"]


def test_the_message_names_every_member_and_every_rule_it_fails():
    bare = make_model(name="bare", provider=make_provider(name="Nobody", contracted=False), licence="")
    keen = make_model(name="keen", provider=make_contract(trains_on_data="yes", has_dpa="no").provider)
    good = make_model(name="good")
    roles = {model.pk: {"member"} for model in (bare, keen, good)}
    with pytest.raises(GateClosed) as caught:
        require_gate(policy=STRICT, models=[bare, keen, good], roles=roles, today=TODAY)
    told = str(caught.value)
    assert told.startswith("Nothing was sent. bare (Nobody) fails the rule on licence: its licence is unknown. ")
    assert "bare (Nobody) fails the rule on contract: no contract is recorded that has begun" in told
    assert "fails the rule on DPA: personal data needs a DPA, and there is none" in told
    assert "fails the rule on training: it trains on what it is sent" in told
    assert "good" not in told
    assert {(finding.model, finding.rule) for finding in caught.value.findings} == {
        ("bare", "licence"),
        ("bare", "contract"),
        ("keen", "DPA"),
        ("keen", "training"),
    }


def test_many_models_take_one_query(django_assert_num_queries):
    models = [make_model() for _ in range(5)]
    with django_assert_num_queries(1):
        findings(STRICT, *models)


def test_the_seats_of_a_version_are_its_members_and_its_arbiter():
    member, both = make_model(), make_model()
    version = make_panel_version([[member], [both]], strategy=StrategyName.SYNTHESIS, arbiter=both, may_be_member=True)
    models, roles = version_seats(version)
    assert {model.pk for model in models} == {member.pk, both.pk}
    assert roles == {member.pk: {"member"}, both.pk: {"member", "arbiter"}}
    assert version_seats(make_panel_version([[member]]))[1] == {member.pk: {"member"}}
