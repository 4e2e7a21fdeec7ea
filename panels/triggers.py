"""What the database itself refuses, whoever asks: changing what was signed, and applying what was not approved.

Migrations install these, on SQLite and on PostgreSQL, from the columns that a table has at that time. SQLite loses the
triggers of a table when a migration rebuilds it: a migration that changes one of these tables installs them anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

Event: TypeAlias = Literal["INSERT", "UPDATE", "DELETE"]

# What a request may become. The last word on it is here; panels.policies says it to people.
_LEADS_TO = {
    "draft": ("submitted", "withdrawn"),
    "submitted": ("approved", "changes_requested", "rejected", "withdrawn", "expired", "draft"),
    "changes_requested": ("draft", "withdrawn"),
    "approved": ("scheduled", "applied", "withdrawn", "expired", "draft"),
    "scheduled": ("approved", "applied", "withdrawn", "expired", "draft"),
    "applied": ("superseded", "rolled_back"),
}
MOVES = tuple(f"{state}>{then}" for state, thens in _LEADS_TO.items() for then in thens)
# What an approval stands for: it changes only where the request becomes a draft again.
_SIGNED = (
    "panel_id", "candidate_id", "base_id", "summary", "is_rollback", "makes_baseline", "tier", "policy", "envelope",
    "evidence", "evidence_hash", "signed_hash", "revision", "created_at", "created_by_id",
)  # fmt: skip
_VERSION_STAYS = "a panel version never changes"
_CURRENT = (
    "SELECT a.version_id FROM panels_panelapplication a WHERE a.panel_id = NEW.panel_id ORDER BY a.number DESC LIMIT 1"
)
_BASELINE = """
SELECT a.version_id FROM panels_panelapplication a JOIN panels_changerequest b ON b.id = a.request_id
WHERE a.panel_id = NEW.panel_id AND b.makes_baseline ORDER BY a.number DESC LIMIT 1"""
_DECISIONS = "panels_changedecision d WHERE d.request_id = r.id AND d.signed_hash = r.signed_hash"
_APPROVED = f"""
NOT EXISTS (SELECT 1 FROM {_DECISIONS} AND d.verdict <> 'approved')
AND (SELECT COUNT(DISTINCT d.person_id) FROM {_DECISIONS}) >= CASE WHEN r.tier = 1 THEN 1 ELSE 2 END
AND (r.tier < 3 OR EXISTS (SELECT 1 FROM {_DECISIONS} AND d.as_compliance))"""  # noqa: S608 - of constants alone
_APPLICATION_REFUSED = f"""
NOT EXISTS (
  SELECT 1 FROM panels_changerequest r JOIN panels_panelversion v ON v.id = r.candidate_id
  WHERE r.id = NEW.request_id AND r.panel_id = NEW.panel_id AND r.candidate_id = NEW.version_id
  AND v.panel_id = NEW.panel_id AND r.state IN ('approved', 'scheduled') AND r.signed_hash = NEW.signed_hash
  AND COALESCE(r.base_id, 0) = COALESCE(({_CURRENT}), 0)
  AND ((r.tier = 0 AND r.is_rollback AND r.candidate_id = ({_BASELINE})) OR (r.tier > 0 AND {_APPROVED}))
)"""  # noqa: S608 - of constants alone
_MEMBER_REFUSED = (
    "EXISTS (SELECT 1 FROM panels_changerequest r WHERE NEW.version_id IN (r.candidate_id, COALESCE(r.base_id, 0)))"
)
_DECISION_REFUSED = """
NOT EXISTS (
  SELECT 1 FROM panels_changerequest r JOIN panels_panelversion v ON v.id = r.candidate_id
  WHERE r.id = NEW.request_id AND r.signed_hash = NEW.signed_hash
  AND (r.state = 'submitted' OR (r.tier = 0 AND r.state IN ('applied', 'superseded', 'rolled_back')))
  AND COALESCE(v.created_by_id, 0) <> NEW.person_id AND r.created_by_id <> NEW.person_id
  AND NOT EXISTS (SELECT 1 FROM panels_changecontributor c WHERE c.request_id = r.id AND c.person_id = NEW.person_id)
)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Before ``event`` on a row of ``table``: refused with ``message`` where the SQL condition ``refused`` holds."""

    name: str
    table: str
    event: Event
    refused: str
    message: str


def trigger_names() -> tuple[str, ...]:
    return tuple(trigger.name for trigger in _triggers([]))


def install_triggers(editor: BaseDatabaseSchemaEditor) -> None:
    """Replaces those that are there."""
    columns = _columns(editor.connection, "panels_panelversion")
    remove_triggers(editor)
    for trigger in _triggers(columns):
        for statement in _created(trigger, editor.connection.vendor):
            editor.execute(statement)


def remove_triggers(editor: BaseDatabaseSchemaEditor) -> None:
    for trigger in _triggers([]):
        if editor.connection.vendor == "postgresql":
            editor.execute(f"DROP TRIGGER IF EXISTS {trigger.name} ON {trigger.table}")
            editor.execute(f"DROP FUNCTION IF EXISTS {trigger.name}()")
        else:
            editor.execute(f"DROP TRIGGER IF EXISTS {trigger.name}")


def _triggers(version_columns: Iterable[str]) -> Iterator[Trigger]:
    # Who made a version may be deleted, which empties one column; nobody takes that place.
    author = "(NEW.created_by_id IS NOT NULL AND OLD.created_by_id IS DISTINCT FROM NEW.created_by_id)"
    content = _changed(name for name in version_columns if name != "created_by_id")
    yield Trigger(
        name="panels_panelversion_stays",
        table="panels_panelversion",
        event="UPDATE",
        refused=f"{content} OR {author}",
        message=_VERSION_STAYS,
    )
    yield Trigger(
        name="panels_panelversion_is_kept",
        table="panels_panelversion",
        event="DELETE",
        refused="1 = 1",
        message=_VERSION_STAYS,
    )
    yield from _request_triggers()
    yield Trigger(
        name="panels_member_comes_with_its_version",
        table="panels_member",
        event="INSERT",
        refused=_MEMBER_REFUSED,
        message=_VERSION_STAYS,
    )
    yield Trigger(
        name="panels_changedecision_is_anothers",
        table="panels_changedecision",
        event="INSERT",
        refused=_DECISION_REFUSED,
        message="only somebody else decides, on a submitted change request as it is",
    )
    yield Trigger(
        name="panels_panelapplication_is_approved",
        table="panels_panelapplication",
        event="INSERT",
        refused=_APPLICATION_REFUSED,
        message="a version is applied only by a change request that enough people approved",
    )


def _request_triggers() -> Iterator[Trigger]:
    table = "panels_changerequest"
    moves = ", ".join(f"'{move}'" for move in MOVES)
    yield Trigger(
        name=f"{table}_begins_as_draft",
        table=table,
        event="INSERT",
        refused="NEW.state <> 'draft'",
        message="a change request begins as a draft",
    )
    yield Trigger(
        name=f"{table}_stays",
        table=table,
        event="UPDATE",
        refused=f"NEW.state <> 'draft' AND ({_changed(_SIGNED)})",
        message="what approvers sign does not change; edit the request",
    )
    yield Trigger(
        name=f"{table}_moves",
        table=table,
        event="UPDATE",
        refused=f"OLD.state <> NEW.state AND (OLD.state || '>' || NEW.state) NOT IN ({moves})",
        message="a change request does not go from this state to that",
    )
    yield Trigger(
        name=f"{table}_applied",
        table=table,
        event="UPDATE",
        refused="NEW.state = 'applied' AND OLD.state <> 'applied' AND NOT EXISTS "
        "(SELECT 1 FROM panels_panelapplication a WHERE a.request_id = NEW.id)",
        message="a change request is applied only with its version",
    )
    yield Trigger(name=f"{table}_is_kept", table=table, event="DELETE", refused="1 = 1", message="requests are kept")


def _changed(columns: Iterable[str]) -> str:
    return " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in columns) or "1 = 0"


def _columns(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    with connection.cursor() as cursor:
        return [column.name for column in connection.introspection.get_table_description(cursor, table)]


def _created(trigger: Trigger, vendor: str) -> Iterator[str]:
    before = f"CREATE TRIGGER {trigger.name} BEFORE {trigger.event} ON {trigger.table} FOR EACH ROW"
    message = f"{trigger.table}: {trigger.message}"
    if vendor == "postgresql":
        given = "OLD" if trigger.event == "DELETE" else "NEW"
        yield (
            f"CREATE OR REPLACE FUNCTION {trigger.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {trigger.refused} THEN RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; "
            f"END IF; RETURN {given}; END $$"
        )
        yield f"{before} EXECUTE FUNCTION {trigger.name}()"
    else:
        refused = trigger.refused.replace("IS DISTINCT FROM", "IS NOT")  # older than SQLite 3.39 knows no other
        yield f"{before} WHEN {refused} BEGIN SELECT RAISE(ABORT, '{message}'); END"
