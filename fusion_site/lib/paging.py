"""Pages of a list by key: stable while rows arrive, and as quick on the last page as on the first.

A key names a row by its sort value and a tie-breaker, and travels in the URL as ``value~tie``. Rows without a value
come last in either direction. A key that cannot be read, or that leads past the end, shows the first page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import F, Model, Q, QuerySet

PAGE_SIZE = 50
M = TypeVar("M", bound=Model)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Rows of one page, and the keys that lead to its neighbours (None: there is none)."""

    rows: tuple[T, ...]
    previous_key: str | None = None
    next_key: str | None = None

    def map(self, change: Callable[[T], Any]) -> Page[Any]:
        return Page(
            rows=tuple(change(row) for row in self.rows), previous_key=self.previous_key, next_key=self.next_key
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A sort by ``column`` (a field or annotation), then by ``tie``, a unique integer field, always ascending.

    ``read`` turns the text of a key back into the column's type; ``nullable`` columns sort their nulls last.
    """

    column: str
    read: Callable[[str], Any] = int
    tie: str = "pk"
    descending: bool = False
    nullable: bool = False

    def key_of(self, row: Model) -> str:
        value = getattr(row, self.column)
        return f"{_written(value)}~{getattr(row, self.tie)}"

    def position_of(self, key: str) -> tuple[Any, int] | None:
        """The value and tie that a key names, None if it cannot be read."""
        text, _, tie = key.rpartition("~")
        try:
            return (None if self.nullable and not text else self.read(text)), int(tie)
        except ValueError:
            return None

    def sorted(self, rows: QuerySet[M], *, backwards: bool = False) -> QuerySet[M]:
        turned = self.descending != backwards
        nulls = {"nulls_first" if backwards else "nulls_last": True} if self.nullable else {}
        column = F(self.column).desc(**nulls) if turned else F(self.column).asc(**nulls)
        return rows.order_by(column, f"-{self.tie}" if backwards else self.tie)

    def beyond(self, at: tuple[Any, int], *, backwards: bool = False) -> Q:
        """What lies after the position in this order, or before it."""
        value, tie = at
        later = Q(**{f"{self.tie}__{'lt' if backwards else 'gt'}": tie})
        if value is None:
            unknown = Q(**{f"{self.column}__isnull": True}) & later
            return unknown | Q(**{f"{self.column}__isnull": False}) if backwards else unknown
        further = Q(**{f"{self.column}__{'lt' if self.descending != backwards else 'gt'}": value})
        reach = further | (Q(**{self.column: value}) & later)
        return reach | Q(**{f"{self.column}__isnull": True}) if self.nullable and not backwards else reach


def _written(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def page_of(
    rows: QuerySet[M], *, order: Order, after: str | None = None, before: str | None = None, size: int = PAGE_SIZE
) -> Page[M]:
    """The page that follows the key ``after`` or precedes the key ``before``; one query, two at the list's end."""
    backwards = bool(before) and not after
    key = after or before
    at = order.position_of(key) if key else None
    chosen = rows if at is None else rows.filter(order.beyond(at, backwards=backwards))
    found = list(order.sorted(chosen, backwards=at is not None and backwards)[: size + 1])
    if at is not None and not found:
        return page_of(rows, order=order, size=size)
    return _page(found, order=order, size=size, started=at is not None, backwards=at is not None and backwards)


def _page(found: list[M], *, order: Order, size: int, started: bool, backwards: bool) -> Page[M]:
    more = len(found) > size
    shown = found[:size][::-1] if backwards else found[:size]
    has_previous, has_next = (more, True) if backwards else (started, more)
    return Page(
        rows=tuple(shown),
        previous_key=order.key_of(shown[0]) if shown and has_previous else None,
        next_key=order.key_of(shown[-1]) if shown and has_next else None,
    )
