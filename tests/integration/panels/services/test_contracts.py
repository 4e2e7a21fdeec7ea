from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from panels.models import AuditEntry, Contract, Provider
from panels.policies import WrongState
from panels.services.contracts import ContractTerms, InvalidContract, record_contract
from tests.factories import NOW, make_provider, make_user

pytestmark = pytest.mark.django_db

TERMS = ContractTerms(
    has_dpa="yes",
    has_baa="no",
    trains_on_data="unknown",
    regions=["EU West 1", "us", "us"],
    retention_days=30,
    valid_from=date(2026, 1, 1),
    valid_until=date(2026, 12, 31),
    evidence="https://contracts.example/7",
    checked_on=date(2026, 11, 23),
    owner=" Legal ",
)


def test_a_record_is_kept_with_codes_for_its_regions_and_an_audit_entry():
    provider, person = make_provider(contracted=False), make_user()
    contract = record_contract(provider=provider, terms=TERMS, by=person, now=NOW)
    assert (contract.regions, contract.owner) == (["eu-west-1", "us"], "Legal")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.actor) == ("contract.recorded", f"provider:{provider.slug}", person)
    assert (entry.detail["has_dpa"], entry.detail["valid_until"]) == ("yes", "2026-12-31")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"has_dpa": "perhaps"}, "has_dpa"),
        ({"has_baa": ""}, "has_baa"),
        ({"trains_on_data": "YES"}, "trains_on_data"),
        ({"regions": ["eu", "--"]}, "regions"),
        ({"retention_days": -1}, "retention_days"),
        ({"retention_days": 40_000}, "retention_days"),
        ({"valid_until": date(2025, 12, 31)}, "valid_until"),
        ({"evidence": "the cupboard"}, "evidence"),
        ({"evidence": "javascript:alert(1)"}, "evidence"),
        ({"evidence": "https://[broken"}, "evidence"),
        ({"checked_on": date(2026, 11, 24)}, "checked_on"),
        ({"owner": " "}, "owner"),
    ],
)
def test_wrong_terms_are_named_and_nothing_is_saved(changes: dict[str, Any], field):
    with pytest.raises(InvalidContract) as caught:
        record_contract(provider=make_provider(contracted=False), terms=replace(TERMS, **changes), by=None, now=NOW)
    assert [name for name, _ in caught.value.problems] == [field]
    assert not Contract.objects.exists()
    assert not AuditEntry.objects.exists()


def test_what_is_unknown_may_be_recorded_as_unknown():
    terms = replace(TERMS, regions=[], retention_days=None)
    contract = record_contract(provider=make_provider(contracted=False), terms=terms, by=None, now=NOW)
    assert (contract.regions, contract.retention_days) == ([], None)


def test_a_recorded_provider_has_nothing_to_agree_on():
    with pytest.raises(WrongState, match="Nothing is sent"):
        record_contract(provider=make_provider(kind=Provider.Kind.RECORDED), terms=TERMS, by=None, now=NOW)
