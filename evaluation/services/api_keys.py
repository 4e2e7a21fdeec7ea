"""Keys of the programs that ask panels: made, replaced, withdrawn, and recognised."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from evaluation.models import ApiKey, Workflow
from evaluation.policies import require_revocable, require_rotatable
from panels.services.audit import record_audit

Problems = tuple[tuple[str, str], ...]

SCHEME = "qk"  # how a key begins, so that a scanner for leaked secrets can know one
_SECRET_BYTES = 32
_SEEN_AGAIN = timedelta(minutes=1)
_LONGEST_OVERLAP = timedelta(days=7)
# What a key that does not exist is compared with, so that it takes as long to refuse.
_NOTHING = hashlib.sha256(b"").hexdigest()


class InvalidApiKey(Exception):
    """A key that cannot be made. ``problems`` are (field, message) pairs."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{field}: {message}" for field, message in problems))


class RefusedApiKey(Exception):
    """The text is no key that lets anybody in. It does not say why: whoever holds a stolen one need not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshApiKey:
    """A key and its text, which nobody can see again."""

    key: ApiKey
    text: str


@transaction.atomic
def create_api_key(
    *, name: str, workflows: Collection[Workflow], expires_at: datetime | None, by: User | None, now: datetime
) -> FreshApiKey:
    """Raises InvalidApiKey."""
    problems = _problems(name, workflows, expires_at, now)
    if problems:
        raise InvalidApiKey(problems)
    fresh = _make(ApiKey(name=name.strip(), created_by=by, created_at=now, expires_at=expires_at), workflows)
    _record("key.created", fresh.key, by, now, **_scope(fresh.key, workflows))
    return fresh


@transaction.atomic
def rotate_api_key(*, key: ApiKey, overlap: timedelta, by: User | None, now: datetime) -> FreshApiKey:
    """A key of the same name and scope, which lives as long as this one was given; this one ends after ``overlap``.

    Raises WrongState for a key that is of no use any more or has been replaced before.
    """
    old = ApiKey.objects.select_for_update().get(pk=key.pk)
    require_rotatable(old, now, is_replaced=ApiKey.objects.filter(rotated_from=old).exists())
    workflows = list(old.workflows.all())
    lives_until = None if old.expires_at is None else now + (old.expires_at - old.created_at)
    fresh = _make(
        ApiKey(name=old.name, created_by=by, created_at=now, expires_at=lives_until, rotated_from=old), workflows
    )
    _end(old, now + min(overlap, _LONGEST_OVERLAP), now)
    _record("key.rotated", fresh.key, by, now, replaces=old.prefix, **_scope(fresh.key, workflows))
    return fresh


@transaction.atomic
def revoke_api_key(*, key: ApiKey, by: User | None, now: datetime) -> None:
    """From now on it lets nobody in. Raises WrongState."""
    old = ApiKey.objects.select_for_update().get(pk=key.pk)
    require_revocable(old)
    old.revoked_at = now
    old.save(update_fields=["revoked_at"])
    _record("key.revoked", old, by, now)


def authenticate_api_key(*, text: str, now: datetime) -> ApiKey:
    """The key that this is the text of, its use noted. Raises RefusedApiKey.

    It lets in for its own workflows alone: ask ``require_key_scope``.
    """
    scheme, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    key = ApiKey.objects.filter(prefix=prefix.replace("\0", "")).first()
    fits = hmac.compare_digest(_NOTHING if key is None else key.secret_hash, _hash(secret))
    if key is None or not fits or scheme != SCHEME or not key.is_usable(now):
        raise RefusedApiKey
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - _SEEN_AGAIN)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    return key


def _make(key: ApiKey, workflows: Collection[Workflow]) -> FreshApiKey:
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    key.prefix, key.secret_hash = secrets.token_hex(4), _hash(secret)
    key.save()
    key.workflows.set(workflows)
    return FreshApiKey(key=key, text=f"{SCHEME}_{key.prefix}_{secret}")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _end(key: ApiKey, at: datetime, now: datetime) -> None:
    """A replaced key ends at ``at``, or earlier where it would have anyway; without an overlap it is revoked."""
    if at <= now:
        key.revoked_at = now
    elif key.expires_at is None or key.expires_at > at:
        key.expires_at = at
    key.save(update_fields=["revoked_at", "expires_at"])


def _problems(
    name: str, workflows: Collection[Workflow], expires_at: datetime | None, now: datetime
) -> tuple[tuple[str, str], ...]:
    problems = []
    if not name.strip():
        problems.append(("name", "Say which program uses the key."))
    elif ApiKey.objects.usable(now).filter(name=name.strip()).exists():
        problems.append(("name", "A key of this name is in use. Rotate it, or choose another name."))
    if not workflows:
        problems.append(("workflows", "Choose at least one workflow: a key without any lets nobody in."))
    if expires_at is not None and expires_at <= now:
        problems.append(("expires_at", "The key would end before it begins. Choose a later day."))
    return tuple(problems)


def _scope(key: ApiKey, workflows: Collection[Workflow]) -> dict[str, object]:
    ends = None if key.expires_at is None else key.expires_at.isoformat()
    return {"workflows": sorted(workflow.slug for workflow in workflows), "expires_at": ends}


def _record(action: str, key: ApiKey, by: User | None, now: datetime, **detail: object) -> None:
    record_audit(action=action, actor=by, subject=f"key:{key.prefix}", label=key.name, detail=detail, now=now)
