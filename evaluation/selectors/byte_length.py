from __future__ import annotations

from typing import Any

from django.db.models import Func, IntegerField


class ByteLength(Func):
    """Bytes of a text in UTF-8."""

    output_field = IntegerField()
    template = "OCTET_LENGTH(%(expressions)s)"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "LENGTH(CAST(%(expressions)s AS BLOB))"
        return super().as_sql(compiler, connection, template=template, **context)
