"""Answers per second fused, scored and stored from recorded outputs: 2,000 examples, one panel of five.

The measure beside it, in the same process and on the same disk: SQLite taking rows of the same columns with nothing
computed, one statement for many rows.
"""

from __future__ import annotations

import sqlite3
import statistics
from pathlib import Path
from time import perf_counter
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet

from evaluation.models import Answer, Call, Run
from tests.bench.figures import peak_memory, report
from tests.bench.synthetic import ArmPlan, import_recorded, start_comparison, work_through

EXAMPLES = 2_000
ROUNDS = 3
MEMBERS = ("able", "fair", "quick", "small", "tiny")


def main(folder: Path) -> None:
    version = import_recorded("replayed", folder=folder, count=EXAMPLES, models=MEMBERS)
    arms = [ArmPlan(name="five", stages=(MEMBERS,))]
    rounds, ratios = [], []
    for number in range(ROUNDS):
        run = start_comparison(version, title=f"replay {number}", arms=arms)
        worked = work_through(run)
        rounds.append(worked)
        ratios.append(worked.stored_s / insert_bare(run, folder / f"bare-{number}.sqlite3"))
    stored_s = statistics.median(worked.stored_s for worked in rounds)
    cpu = statistics.median(worked.cpu_s for worked in rounds)
    answers, calls = rounds[0].answers, rounds[0].calls
    report(
        "replay",
        f"{answers / stored_s:,.0f} answers/s with {calls / stored_s:,.0f} calls/s stored",
        f"{statistics.median(ratios):.1f} times the time of the bare inserts",
        f"processor {cpu / answers * 1000:.2f} ms an answer of {calls // answers} calls, the result included",
        peak_memory(),
    )


def insert_bare(run: Run, path: Path) -> float:
    """Seconds for the run's rows to be inserted once more, into tables with the same indexes, 500 at a time."""
    with sqlite3.connect(path, isolation_level=None) as bare:
        bare.execute("PRAGMA journal_mode=WAL")
        bare.execute("PRAGMA synchronous=NORMAL")
        with connection.cursor() as cursor:
            return sum(
                _insert_again(rows, source=cursor, target=bare)
                for rows in (Answer.objects.filter(run=run), Call.objects.filter(answer__run=run))
            )


def _insert_again(rows: QuerySet[Any], *, source: CursorWrapper, target: sqlite3.Connection) -> float:
    table, columns = rows.model._meta.db_table, [field.column for field in rows.model._meta.concrete_fields]
    source.execute("SELECT sql FROM sqlite_master WHERE tbl_name = %s AND sql IS NOT NULL", [table])
    for (statement,) in source.fetchall():
        target.execute(statement)
    source.execute(*rows.query.sql_with_params())
    values = source.fetchall()
    names = ", ".join(f'"{column}"' for column in columns)
    insert = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"
    started = perf_counter()
    for start in range(0, len(values), 500):
        target.execute("BEGIN")
        target.executemany(insert, values[start : start + 500])
        target.execute("COMMIT")
    return perf_counter() - started
