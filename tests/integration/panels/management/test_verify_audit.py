from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from panels.management.commands import verify_audit
from panels.models import AuditEntry
from panels.selectors.audit import audit_head
from panels.services.audit import record_audit
from tests.factories import NOW
from tests.triggers import triggers_off

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain():
    for number in range(1, 4):
        record_audit(action="panel.created", actor=None, subject=f"panel:p{number}", detail={}, now=NOW)


def verify(*options):
    out = StringIO()
    call_command("verify_audit", *options, stdout=out)
    return out.getvalue()


def test_a_whole_chain_shows_its_head(chain):
    assert verify() == f"The audit chain is whole. 3 entries, head {audit_head()}\n"
    assert verify("--head", str(audit_head())) == verify()


def test_the_first_broken_row_is_named(chain):
    with triggers_off():
        AuditEntry.objects.filter(pk__in=[2, 3]).update(subject_id="other")
    with pytest.raises(CommandError, match="broken at entry 2: its content is not what was written") as caught:
        verify()
    assert caught.value.returncode == 1


def test_a_head_that_is_gone_breaks_the_chain(chain):
    noted = str(audit_head())
    with triggers_off():
        AuditEntry.objects.filter(pk=3).delete()
    with pytest.raises(CommandError, match="broken at entry 3: the chain has no link"):
        verify("--head", noted)


def test_without_its_table_it_says_what_to_do(monkeypatch):
    def fail(**_):
        raise DatabaseError("no such table")

    monkeypatch.setattr(verify_audit, "verify_chain", fail)
    with pytest.raises(CommandError, match=r"run: python manage\.py migrate") as caught:
        verify()
    assert caught.value.returncode == 2
