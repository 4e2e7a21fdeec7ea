from __future__ import annotations

from dataclasses import dataclass

from panels.models import AuditEntry
from panels.models.audit_entry import GENESIS, hash_entry


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
