"""Tables whose rows are written once: the database itself refuses what would change or remove one."""

from __future__ import annotations

from typing import Any

from django.db import migrations

REFUSAL = "is append-only: its rows are neither changed nor removed"

_SQLITE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} {refusal}'); END
"""
_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION quorum_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_TABLE_NAME || ' {refusal}'; END $$
"""
_POSTGRESQL = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
FOR EACH {each} EXECUTE FUNCTION quorum_refuse_change()
"""
_VERBS = {"update": "ROW", "delete": "ROW", "truncate": "STATEMENT"}


def append_only(table: str) -> migrations.RunPython:
    """The step of a migration that makes ``table`` append-only. A write that is refused raises IntegrityError.

    SQLite loses a table's triggers when a later migration rebuilds it (any changed field or constraint), so such a
    migration has to end with this step again.
    """

    def add(_apps: Any, schema_editor: Any) -> None:
        for statement in _statements(table, schema_editor.connection.vendor):
            schema_editor.execute(statement)

    def remove(_apps: Any, schema_editor: Any) -> None:
        on = f" ON {table}" if schema_editor.connection.vendor == "postgresql" else ""
        for verb in _VERBS:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}{on}")

    return migrations.RunPython(add, remove)


def _statements(table: str, vendor: str) -> list[str]:
    if vendor == "postgresql":
        triggers = [_POSTGRESQL.format(table=table, verb=verb, each=each) for verb, each in _VERBS.items()]
        return [_POSTGRESQL_FUNCTION.format(refusal=REFUSAL), *triggers]
    return [_SQLITE.format(table=table, verb=verb, refusal=REFUSAL) for verb in ("update", "delete")]
