from __future__ import annotations

import hashlib
import json
from datetime import UTC

from django.conf import settings
from django.db import models
from django.db.models import Q

GENESIS = "0" * 64


class AuditEntry(models.Model):
    """One thing that was done, written in the transaction that did it and never changed: the database refuses.

    ``entry_hash`` covers all other columns, ``previous_hash`` among them, so a changed or missing row breaks the
    chain there. ``actor_name`` is the login name at the time; who is not known, or is no person, has neither name nor
    key. ``detail`` holds plain values without personal data: people are named by key or login name.
    """

    sequence = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="audit_entries"
    )
    actor_name = models.CharField(max_length=150, blank=True)
    action = models.CharField(max_length=60, db_index=True)
    subject_kind = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=300)
    subject_label = models.CharField(max_length=300, blank=True)
    detail = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64, unique=True)
    entry_hash = models.CharField(max_length=64, unique=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="audit_action_named", condition=~Q(action="")),
            models.CheckConstraint(name="audit_subject_named", condition=~Q(subject_kind="") & ~Q(subject_id="")),
            models.CheckConstraint(
                name="audit_chain_begins_at_one", condition=Q(sequence=1, previous_hash=GENESIS) | Q(sequence__gt=1)
            ),
            models.CheckConstraint(name="audit_actor_has_name", condition=Q(actor=None) | ~Q(actor_name="")),
        ]
        indexes = [models.Index(name="audit_by_subject", fields=["subject_kind", "subject_id"])]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.sequence} {self.action}"

    @property
    def subject(self) -> str:
        return f"{self.subject_kind}:{self.subject_id}"


def hash_entry(entry: AuditEntry) -> str:
    """SHA-256 over the canonical JSON of an entry's columns: sorted names, no spaces, UTF-8."""
    content = {
        "sequence": entry.sequence,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor_id,
        "actor_name": entry.actor_name,
        "action": entry.action,
        "subject": [entry.subject_kind, entry.subject_id, entry.subject_label],
        "detail": entry.detail,
        "previous_hash": entry.previous_hash,
    }
    written = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(written.encode()).hexdigest()
