"""Many rows at once. Making model instances and compiling every value of each, as ``bulk_create`` does, was the
greatest part of a replay's work; plain values go straight to the driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, models

Row = Mapping[str, Any]

# What drivers take as it is. Fields of other kinds are asked for their database value.
_PLAIN = (
    models.BooleanField,
    models.CharField,
    models.FloatField,
    models.ForeignKey,
    models.IntegerField,
    models.TextField,
)


def insert_rows(model: type[models.Model], rows: Sequence[Row]) -> None:
    """Inserts rows given by attribute name, every column but the primary key, which nobody reads back."""
    if not rows:
        return
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    names = [field.attname for field in fields]
    values = [[row[name] for name in names] for row in rows]
    for place, field in enumerate(fields):
        if not isinstance(field, _PLAIN):
            _adapt_column(values, place, field)
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({marks})", values)  # noqa: S608


def _adapt_column(values: Sequence[list[Any]], place: int, field: models.Field[Any, Any]) -> None:
    # Rows of one flush mostly carry the same value here: the time, or an empty list.
    adapted: dict[str, Any] = {}
    for row in values:
        written = repr(row[place])
        if written not in adapted:
            adapted[written] = field.get_db_prep_save(row[place], connection)
        row[place] = adapted[written]
