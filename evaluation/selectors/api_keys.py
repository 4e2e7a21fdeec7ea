"""The list of API keys. Nothing here knows a key's text, and its hash is not shown either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from evaluation.models import ApiKey
from fusion_site.lib.paging import Order, Page, page_of

STATES = (("usable", "In use"), ("expired", "Expired"), ("revoked", "Revoked"))
KEY_COLUMNS = (
    "prefix", "name", "state", "workflows", "created_by", "created_at", "expires_at", "revoked_at", "last_used_at",
    "replaces",
)  # fmt: skip
_ORDERS = {
    "name": Order(column="name", read=str),
    "made": Order(column="created_at", read=datetime.fromisoformat),
    "used": Order(column="last_used_at", read=datetime.fromisoformat, nullable=True),
}
_DEFAULT = "-made"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFilter:
    """What the query string asks for; what it does not know asks for nothing."""

    text: str = ""
    state: str = ""
    workflow: str = ""
    sort: str = _DEFAULT

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> KeyFilter:
        sort = query.get("sort", "")
        return cls(
            text=query.get("q", "").replace("\0", "").strip()[:200],
            state=query.get("state", ""),
            workflow=query.get("workflow", "").replace("\0", ""),
            sort=sort if sort.removeprefix("-") in _ORDERS else _DEFAULT,
        )

    @property
    def is_on(self) -> bool:
        return bool(self.text or self.state or self.workflow)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """``state`` is one of STATES' words; ``scope`` the names of its workflows."""

    key: ApiKey
    state: str
    scope: tuple[str, ...]
    is_replaced: bool

    @property
    def is_rotatable(self) -> bool:
        return self.state == "usable" and not self.is_replaced


def keys_page(wanted: KeyFilter, now: datetime, *, after: str | None = None, before: str | None = None) -> Page[KeyRow]:
    order = replace(_ORDERS[wanted.sort.removeprefix("-")], descending=wanted.sort.startswith("-"))
    return page_of(_found(wanted, now), order=order, after=after, before=before).map(lambda key: _row(key, now))


def export_keys(wanted: KeyFilter, now: datetime) -> Iterator[dict[str, Any]]:
    for key in _found(wanted, now).order_by("-created_at", "-pk"):
        row = _row(key, now)
        yield {
            "prefix": key.prefix,
            "name": key.name,
            "state": row.state,
            "workflows": " ".join(workflow.slug for workflow in key.workflows.all()),
            "created_by": "" if key.created_by is None else key.created_by.get_username(),
            "created_at": key.created_at.isoformat(),
            "expires_at": _moment(key.expires_at),
            "revoked_at": _moment(key.revoked_at),
            "last_used_at": _moment(key.last_used_at),
            "replaces": "" if key.rotated_from is None else key.rotated_from.prefix,
        }


def _found(wanted: KeyFilter, now: datetime) -> QuerySet[ApiKey]:
    keys = ApiKey.objects.select_related("created_by", "rotated_from", "rotated_to").prefetch_related("workflows")
    if wanted.text:
        keys = keys.filter(Q(name__icontains=wanted.text) | Q(prefix__startswith=wanted.text))
    if wanted.workflow:
        keys = keys.filter(workflows__slug=wanted.workflow)
    of_state = {"usable": keys.usable, "expired": keys.expired}.get(wanted.state)
    if of_state is not None:
        return of_state(now)
    return keys.filter(revoked_at__isnull=False) if wanted.state == "revoked" else keys


def _row(key: ApiKey, now: datetime) -> KeyRow:
    ended = "revoked" if key.revoked_at is not None else "expired"
    return KeyRow(
        key=key,
        state="usable" if key.is_usable(now) else ended,
        scope=tuple(sorted(workflow.name for workflow in key.workflows.all())),
        is_replaced=hasattr(key, "rotated_to"),
    )


def _moment(value: datetime | None) -> str:
    return "" if value is None else value.isoformat()
