from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from fusion_site.lib.paging import Order, Page, page_of
from panels.models import AuditEntry
from panels.models.audit_entry import GENESIS, hash_entry

AUDIT_COLUMNS = (
    "sequence", "at", "actor", "actor_name", "action", "subject_kind", "subject_id", "subject_label", "detail",
    "previous_hash", "entry_hash",
)  # fmt: skip
_NEWEST_FIRST = Order(column="sequence", tie="sequence", descending=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """The last link of the chain: whoever noted it can tell later whether anything before it was changed."""

    sequence: int
    entry_hash: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.entry_hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLink:
    """The first entry that does not fit, and why."""

    sequence: int
    reason: str


EMPTY_CHAIN = AuditHead(sequence=0, entry_hash=GENESIS)


def audit_head() -> AuditHead:
    last = AuditEntry.objects.order_by("-sequence").values("sequence", "entry_hash").first()
    return EMPTY_CHAIN if last is None else AuditHead(**last)


def verify_chain(*, noted: str = "") -> AuditHead | BrokenLink:
    """Recomputes every hash from the first entry on: the head where all fits, else the first entry that does not.

    A chain whose last entries are gone still fits. ``noted`` is a head that somebody kept, ``number:hash``: it has to
    be one of the links.
    """
    head, seen = EMPTY_CHAIN, {str(EMPTY_CHAIN)} & {noted}
    for entry in AuditEntry.objects.order_by("sequence").iterator():
        reason = _fault(entry, head)
        if reason:
            return BrokenLink(sequence=entry.sequence, reason=reason)
        head = AuditHead(sequence=entry.sequence, entry_hash=entry.entry_hash)
        seen |= {str(head)} & {noted}
    return head if seen or not noted else _lost(noted, head)


def _lost(noted: str, head: AuditHead) -> BrokenLink:
    number = noted.partition(":")[0]
    sequence = int(number) if number.isdecimal() else head.sequence
    return BrokenLink(sequence=sequence, reason=f"the chain has no link {noted}; it ends at {head}")


def _fault(entry: AuditEntry, before: AuditHead) -> str:
    if entry.sequence != before.sequence + 1:
        return f"entry {before.sequence + 1} is missing before it"
    if entry.previous_hash != before.entry_hash:
        return "it does not follow from the entry before it"
    if hash_entry(entry) != entry.entry_hash:
        return "its content is not what was written"
    return ""


# The page


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Empty texts and None filter nothing. ``subject`` is a kind, a kind and the beginning of an id, or part of one."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    since: datetime | None = None
    before: datetime | None = None

    @property
    def is_on(self) -> bool:
        return self != AuditFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """``detail`` has a name and words for each value; a change reads ``old → new``."""

    entry: AuditEntry
    detail: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditList:
    page: Page[AuditRow]
    total: int

    @property
    def note(self) -> str:
        return f"{self.total:,} {'entry' if self.total == 1 else 'entries'}"


def list_audit(wanted: AuditFilter, *, after: str = "", before: str = "") -> AuditList:
    rows = _found(wanted)
    page = page_of(rows, order=_NEWEST_FIRST, after=after or None, before=before or None)
    return AuditList(page=page.map(_row), total=rows.count())


def export_audit(wanted: AuditFilter) -> Iterator[dict[str, Any]]:
    """Oldest first, with all that the hashes cover: whoever has the lines can recompute them."""
    for entry in _found(wanted).order_by("sequence").iterator():
        row = {column: getattr(entry, column) for column in AUDIT_COLUMNS if column not in {"at", "actor"}}
        yield {**row, "at": entry.at.isoformat(timespec="microseconds"), "actor": entry.actor_id}


def audit_actions() -> list[str]:
    return list(AuditEntry.objects.order_by("action").values_list("action", flat=True).distinct())


def _row(entry: AuditEntry) -> AuditRow:
    return AuditRow(entry=entry, detail=tuple((name, _words(value)) for name, value in sorted(entry.detail.items())))


def _words(value: Any) -> str:
    if isinstance(value, dict) and value.keys() == {"from", "to"}:
        return f"{_words(value['from'])} → {_words(value['to'])}"
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "none"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _found(wanted: AuditFilter) -> QuerySet[AuditEntry]:
    rows = AuditEntry.objects.filter(_about(wanted.subject))
    asked = {
        "actor_name": wanted.actor,
        "action": wanted.action,
        "at__gte": wanted.since,
        "at__lt": wanted.before,
    }
    return rows.filter(**{name: value for name, value in asked.items() if value})


def _about(subject: str) -> Q:
    kind, colon, identity = subject.partition(":")
    if colon:
        return Q(subject_kind=kind, subject_id__startswith=identity)
    if not subject:
        return Q()
    return Q(subject_kind=subject) | Q(subject_id__icontains=subject) | Q(subject_label__icontains=subject)
