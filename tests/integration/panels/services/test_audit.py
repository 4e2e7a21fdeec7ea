from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from panels.models import AuditEntry
from panels.models.audit_entry import GENESIS, hash_entry
from panels.selectors.audit import AuditHead, BrokenLink, audit_head, verify_chain
from panels.services.audit import NoTransaction, UnfitDetail, record_audit
from panels.services.models import ModelFacts, bring_back_model, change_model, create_model, retire_model
from panels.services.providers import InvalidProvider, change_provider, create_provider
from tests.factories import NOW, make_model, make_panel_version, make_provider, make_user
from tests.triggers import triggers_off

pytestmark = pytest.mark.django_db


def record(number=0, *, actor=None, **detail):
    return record_audit(
        action="panel.created", actor=actor, subject=f"panel:sales@{number}", detail=detail, now=NOW, label="Sales"
    )


def tamper(sequence, **columns):
    with triggers_off():
        AuditEntry.objects.filter(pk=sequence).update(**columns)


def test_the_first_entry_follows_from_nothing_and_each_other_from_the_one_before():
    first, second = record(1), record(2)
    assert (first.sequence, first.previous_hash) == (1, GENESIS)
    assert (second.sequence, second.previous_hash) == (2, first.entry_hash)
    assert audit_head() == AuditHead(sequence=2, entry_hash=second.entry_hash)


def test_the_hash_is_that_of_the_canonical_text():
    entry = record(3, actor=None, weight=0.5, names=("ä", None))
    text = (
        '{"action":"panel.created","actor":null,"actor_name":"","at":"2026-11-23T12:00:00.000000+00:00",'
        '"detail":{"names":["ä",null],"weight":0.5},"previous_hash":"' + GENESIS + '","sequence":1,'
        '"subject":["panel","sales@3","Sales"]}'
    )
    assert entry.entry_hash == hashlib.sha256(text.encode()).hexdigest()


def test_an_entry_keeps_the_name_its_actor_had():
    person = make_user()
    was = person.username
    record(actor=person)
    person.username = "renamed"
    person.save()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.actor_name) == (person, was)
    assert verify_chain() == audit_head()


def test_who_has_an_entry_is_not_deleted():
    person = make_user()
    record(actor=person)
    with pytest.raises(ProtectedError):
        person.delete()


NUMBERS = [0, 1.0, -0.0, 0.1, 1e22, 5e-324, 2**70, True, None, [1.5, {"deep": [2.0]}], "€ \U0001f600", "line\nline"]


@pytest.mark.parametrize("value", NUMBERS, ids=repr)
def test_a_detail_comes_back_as_it_was_hashed(value):
    record(value=value)
    assert verify_chain() == audit_head()


@pytest.mark.parametrize("value", [NOW, object, float("nan"), float("inf"), "a\0b", "\ud800", {1: 2}, {1, 2}], ids=repr)
def test_a_detail_that_would_not_come_back_is_refused(value):
    with pytest.raises(UnfitDetail):
        record(value=value)
    assert audit_head().sequence == 0


@pytest.mark.django_db(transaction=True)
def test_an_entry_needs_the_transaction_it_describes():
    with pytest.raises(NoTransaction):
        record()
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_entry_falls_with_its_transaction():
    with transaction.atomic():
        record()
        transaction.set_rollback(True)
    assert audit_head().sequence == 0


@pytest.mark.django_db(transaction=True)
def test_entries_made_at_the_same_time_make_one_chain():
    def write(number):
        try:
            with transaction.atomic():
                record(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert verify_chain() == audit_head()
    assert audit_head().sequence == 40


CHANGES = [
    lambda rows: rows.update(action="panel.removed"),
    lambda rows: rows.delete(),
    lambda rows: rows.get().save(),
    lambda rows: rows.get().delete(),
    lambda rows: AuditEntry.objects.bulk_update([AuditEntry(pk=1, action="x")], ["action"]),
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_database_refuses_to_change_or_remove_an_entry(change):
    record()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        change(AuditEntry.objects.all())
    assert AuditEntry.objects.get().action == "panel.created"


EMPTYING = {
    "sqlite": "DELETE FROM panels_auditentry",
    "postgresql": "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE panels_auditentry",
}


def test_the_database_refuses_to_empty_the_chain():
    record()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(EMPTYING[connection.vendor])


TAMPERED = {
    "at": NOW + timedelta(microseconds=1),
    "actor_name": "somebody else",
    "action": "panel.retired",
    "subject_kind": "provider",
    "subject_id": "other",
    "subject_label": "Other",
    "detail": {"weight": 2},
}


@pytest.mark.parametrize("column", sorted(TAMPERED))
def test_a_changed_row_is_named(column):
    for number in range(4):
        record(number, weight=1)
    tamper(2, **{column: TAMPERED[column]})
    assert verify_chain() == BrokenLink(sequence=2, reason="its content is not what was written")


def test_a_changed_actor_is_noticed():
    record(actor=make_user())
    tamper(1, actor=make_user())
    assert verify_chain() == BrokenLink(sequence=1, reason="its content is not what was written")


def test_a_row_with_a_hash_made_to_fit_does_not_lead_to_the_next():
    for number in range(3):
        record(number)
    entry = AuditEntry.objects.get(pk=2)
    entry.detail = {"weight": 2}
    tamper(2, detail=entry.detail, entry_hash=hash_entry(entry))
    assert verify_chain() == BrokenLink(sequence=3, reason="it does not follow from the entry before it")


def test_a_missing_row_is_named_by_the_next():
    for number in range(3):
        record(number)
    with triggers_off():
        AuditEntry.objects.filter(pk=2).delete()
    assert verify_chain() == BrokenLink(sequence=3, reason="entry 2 is missing before it")


def test_a_noted_head_shows_that_the_end_was_cut_off():
    heads = [AuditHead(sequence=entry.sequence, entry_hash=entry.entry_hash) for entry in (record(1), record(2))]
    assert verify_chain(noted=str(heads[0])) == verify_chain(noted=str(heads[1])) == heads[1]
    with triggers_off():
        AuditEntry.objects.filter(pk=2).delete()
    assert verify_chain() == heads[0]
    lost = verify_chain(noted=str(heads[1]))
    assert isinstance(lost, BrokenLink)
    assert lost.sequence == 2
    assert verify_chain(noted="nonsense") == BrokenLink(
        sequence=1, reason=f"the chain has no link nonsense; it ends at {heads[0]}"
    )


def test_an_empty_chain_is_whole():
    assert verify_chain() == audit_head() == AuditHead(sequence=0, entry_hash=GENESIS)
    assert verify_chain(noted=f"0:{GENESIS}") == audit_head()


# What the services write


def written():
    return [(entry.action, entry.subject, entry.actor, entry.detail) for entry in AuditEntry.objects.order_by("pk")]


def test_what_is_done_to_a_provider_is_recorded():
    person = make_user()
    said = {"name": "Acme", "kind": "openai", "base_url": "https://acme.example/v1", "api_key_env": "ACME_API_KEY"}
    provider = create_provider(**said, by=person, now=NOW)
    change_provider(provider=provider, **said, by=person, now=NOW)
    change_provider(provider=provider, **(said | {"base_url": "https://acme.example/v2"}), by=person, now=NOW)
    address = {"from": "https://acme.example/v1", "to": "https://acme.example/v2"}
    assert written() == [
        ("provider.created", "provider:acme", person, said),
        ("provider.changed", "provider:acme", person, {"base_url": address}),
    ]


def test_a_price_change_is_recorded_with_both_prices():
    person = make_user()
    facts = ModelFacts(provider=make_provider(slug="acme"), name="big", price_in=Decimal(1), price_out=Decimal(2))
    model = create_model(facts=facts, by=person, now=NOW)
    change_model(model=model, facts=facts, by=person, now=NOW)
    change_model(model=model, facts=replace(facts, price_in=Decimal(3)), by=person, now=NOW)
    retire_model(model=model, by=person, now=NOW)
    bring_back_model(model=model, by=None, now=NOW)
    assert [entry[0] for entry in written()] == [
        "model.created",
        "model.changed",
        "model.retired",
        "model.brought_back",
    ]
    assert {entry[1] for entry in written()} == {"model:acme/big"}
    price = {"price_in_nanousd_per_mtok": {"from": 10**9, "to": 3 * 10**9}}
    assert written()[1] == ("model.changed", "model:acme/big", person, price)


def test_a_panel_version_is_recorded_with_its_hash():
    version = make_panel_version([[make_model()]])
    detail = {"content_hash": version.content_hash, "strategy": "majority", "members": 1}
    assert written() == [("panel.version_created", f"panel:{version.panel.slug}@1", None, detail)]


def test_what_fails_is_not_recorded():
    provider = make_provider()
    with pytest.raises(InvalidProvider):
        change_provider(provider=provider, name="", kind="x", base_url="", api_key_env="", by=None, now=NOW)
    assert written() == []
