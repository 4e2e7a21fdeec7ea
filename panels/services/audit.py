"""The audit chain: what was done, by whom and to what, each entry bound to all before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.db import connection

from panels.models import AuditEntry
from panels.models.audit_entry import hash_entry
from panels.selectors.audit import audit_head

# Any number that nothing else in this database locks.
_CHAIN_LOCK = 0x51554F52554D


class NoTransaction(Exception):
    """An entry has to stand or fall with what it describes, so it is written in that transaction."""


class UnfitDetail(Exception):
    """The detail holds what would not come back from the database as it was written."""


def record_audit(
    *, action: str, actor: User | None, subject: str, detail: Mapping[str, object], now: datetime, label: str = ""
) -> AuditEntry:
    """Adds an entry to the chain. Call it last in the transaction: until that ends, every other entry waits.

    ``action`` is a noun and a verb in the past, such as ``panel.created``. ``subject`` is a kind and an id, such as
    ``panel:sales@3``; ``label`` is how a page names it, where that says more. ``detail`` holds texts, numbers, truth
    values, None, and lists and mappings of those; nobody's personal data. Raises NoTransaction and UnfitDetail.
    """
    if not connection.in_atomic_block:
        raise NoTransaction(action)
    _lock_chain()
    head = audit_head()
    kind, _, identity = subject.partition(":")
    entry = AuditEntry(
        sequence=head.sequence + 1,
        at=now,
        actor=actor,
        actor_name="" if actor is None else actor.get_username(),
        action=action,
        subject_kind=kind,
        subject_id=identity,
        subject_label=label,
        detail=_plain(dict(detail)),
        previous_hash=head.entry_hash,
    )
    entry.entry_hash = hash_entry(entry)
    entry.save(force_insert=True)
    return entry


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, object]:
    """What a detail says of a change: the values that are another, each before and after."""
    return {name: {"from": before[name], "to": value} for name, value in after.items() if before[name] != value}


def _lock_chain() -> None:
    """Two transactions would otherwise follow from the same entry. SQLite lets one write at a time anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CHAIN_LOCK])


def _plain(value: object) -> object:
    """The value as both databases give it back: 1.0 is 1, and a tuple is a list. Raises UnfitDetail."""
    if isinstance(value, Mapping):
        return {_plain_text(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return _plain_number(value)
    if value is None or isinstance(value, bool | int):
        return value
    return _plain_text(value)


def _plain_number(value: float) -> float | int:
    if not math.isfinite(value):
        raise UnfitDetail(f"{value} is no number")
    return int(value) if value.is_integer() else value


def _plain_text(value: object) -> str:
    if not isinstance(value, str):
        raise UnfitDetail(f"{type(value).__name__} is no plain value")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise UnfitDetail("the text holds what no database stores")
    return str(value)
