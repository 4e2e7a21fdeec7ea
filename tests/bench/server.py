"""A database of the bench's own on a PostgreSQL server, dropped afterwards: the one that was named is somebody's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit


@contextmanager
def made_database(server: str) -> Iterator[str]:
    """The address of an empty database beside the one that ``server`` names."""
    name = f"quorum_bench_{os.getpid()}"
    _execute(server, f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())
