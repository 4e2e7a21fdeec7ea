"""Emptying tables after a test, which the triggers of append-only tables would refuse; and writing past them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models


@contextmanager
def triggers_off() -> Iterator[None]:
    """What a person with the database's own tools could do. Nothing in the product switches a trigger off."""
    if connection.vendor == "postgresql":
        yield from _switched_off_on_postgresql()
    else:
        yield from _dropped_on_sqlite()


def rewrite(rows: models.QuerySet[Any], **columns: Any) -> None:
    """Changes rows that the product never changes, where a test needs a version to be another than it was made."""
    with triggers_off():
        rows.update(**columns)


def _switched_off_on_postgresql() -> Iterator[None]:
    _run(["SET CONSTRAINTS ALL IMMEDIATE"])  # a table with checks still to come cannot be altered
    tables = _read("SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")
    _run(f"ALTER TABLE {table} DISABLE TRIGGER USER" for (table,) in tables)
    try:
        yield
    finally:
        _run(f"ALTER TABLE {table} ENABLE TRIGGER USER" for (table,) in tables)


def _dropped_on_sqlite() -> Iterator[None]:
    triggers = _read("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    _run(f"DROP TRIGGER {name}" for name, _ in triggers)
    try:
        yield
    finally:
        _run(sql for _, sql in triggers)


def _read(sql: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _run(statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
