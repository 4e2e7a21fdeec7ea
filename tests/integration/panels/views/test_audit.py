from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from bs4 import BeautifulSoup
from django.urls import reverse

from panels.models import AuditEntry
from panels.models.audit_entry import hash_entry
from panels.selectors.audit import audit_head
from panels.services.audit import record_audit
from tests.factories import make_user
from tests.triggers import triggers_off

pytestmark = pytest.mark.django_db
AUDIT = reverse("panels:audit")


@pytest.fixture(params=["compliance", "administrator"])
def auditor(request, client):
    client.force_login(make_user(request.param, username="cleo"))
    return client


@pytest.fixture
def chain():
    """Three entries of three days, before anybody signs in."""
    mara = make_user(username="mara")
    record("panel.version_created", "panel:sales@1", 1, label="Sales desk")
    record("model.changed", "model:acme/big", 2, actor=mara, price={"from": 1, "to": None}, names=["a", "b"], none=[])
    record("panel.version_created", "panel:support@1", 3, actor=mara)


def record(action, subject, day, *, actor=None, label="", **detail):
    at = datetime(2026, 3, day, 12, tzinfo=UTC)
    return record_audit(action=action, actor=actor, subject=subject, detail=detail, now=at, label=label)


def page_of(answer):
    return BeautifulSoup(answer.content, "html.parser")


def entries(answer):
    return [int(head.text) for head in page_of(answer).select("#rows tbody th")]


FILTERS = {
    "": [4, 3, 2, 1],
    "?actor=mara": [3, 2],
    "?action=model.changed": [2],
    "?subject=panel": [3, 1],
    "?subject=panel:s": [3, 1],
    "?subject=panel:sales@1": [1],
    "?subject=desk": [1],
    "?subject=acme": [2],
    "?since=2026-03-02&until=2026-03-02": [2],
    "?until=2026-03-01": [1],
    "?since=2026-03-03&actor=mara": [3],
    "?since=nonsense&until=2026-02-31&subject=%00&actor=+": [4, 3, 2, 1],
    "?since=0001-01-01&until=9999-12-31": [4, 3, 2, 1],
    "?after=3~3": [2, 1],
}


@pytest.mark.parametrize("query", FILTERS)
def test_the_page_is_filtered_by_its_address(chain, auditor, query):
    assert entries(auditor.get(AUDIT + query)) == FILTERS[query]


def test_what_matches_nothing_says_so(chain, auditor):
    assert "No entry matches" in auditor.get(f"{AUDIT}?actor=nobody").content.decode()


def test_a_change_reads_from_old_to_new(chain, auditor):
    detail = page_of(auditor.get(f"{AUDIT}?action=model.changed")).select_one("details dl")
    assert [cell.text for cell in detail.select("dd")] == ["a, b", "none", "1 → null"]


def test_the_head_is_shown_and_the_chain_verified_when_asked(chain, auditor):
    page = page_of(auditor.get(AUDIT))
    assert str(audit_head()) in page.select_one("#chain").text
    assert "Not verified on this page" in page.select_one("#chain").text
    assert "Verified" in page_of(auditor.get(f"{AUDIT}?verify=1")).select_one("#chain .state[data-state=pass]").text


def test_a_broken_chain_is_named_on_the_page(chain, auditor):
    with triggers_off():
        AuditEntry.objects.filter(pk=2).update(subject_id="acme/other")
    shown = page_of(auditor.get(f"{AUDIT}?verify=1")).select_one("#chain").text
    assert "Broken" in shown
    assert "at entry 2: its content is not what was written" in shown


def test_fragments_are_parts_of_the_page(chain, auditor):
    for target in ("rows", "chain"):
        answer = auditor.get(AUDIT, headers={"HX-Request": "true", "HX-Target": target})
        assert page_of(answer).find(id=target)
        assert not page_of(answer).find("html")


def test_exported_lines_can_be_verified_elsewhere(chain, auditor):
    rows = [json.loads(line) for line in auditor.get(f"{AUDIT}?export=jsonl").getvalue().splitlines()]
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4]
    for row in rows:
        made = AuditEntry(**(row | {"at": datetime.fromisoformat(row["at"]), "actor": None}))
        made.actor_id = row["actor"]
        assert hash_entry(made) == row["entry_hash"]


def test_a_filtered_table_is_exported(chain, auditor):
    text = auditor.get(f"{AUDIT}?export=csv&action=model.changed").getvalue().decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["actor_name"], row["subject_id"]) == ("mara", "acme/big")
    assert json.loads(row["detail"])["names"] == ["a", "b"]


def test_a_long_chain_takes_few_queries(chain, auditor, django_assert_max_num_queries):
    for number in range(60):
        record("panel.version_created", f"panel:p{number}@1", 5)
    with django_assert_max_num_queries(8):
        answer = auditor.get(AUDIT)
    assert len(entries(answer)) == 50
    assert "64 entries" in page_of(answer).select_one(".pager").text


def test_the_way_there_is_shown_to_those_who_may(auditor):
    assert page_of(auditor.get("/")).select_one(f'.site-nav a[href="{AUDIT}"]')


@pytest.mark.parametrize("role", ["viewer", "product manager", "approver", "reviewer"])
def test_others_are_turned_away(client, role):
    client.force_login(make_user(role))
    for query in ("", "?export=csv", "?verify=1"):
        answer = client.get(AUDIT + query)
        assert answer.status_code == 403
    assert not page_of(client.get("/review/")).select_one(f'.site-nav a[href="{AUDIT}"]')
    if role != "reviewer":
        assert "read by compliance and administrators" in client.get(AUDIT).content.decode()
