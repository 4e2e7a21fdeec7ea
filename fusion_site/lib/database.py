"""Django's database settings for the two databases that are supported."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import dj_database_url

# IMMEDIATE: a transaction that begins by reading and then writes would fail at once, however long the timeout, when
# another writer came between. WAL: readers and the writer do not wait for each other; NORMAL is durable enough in it.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
}
POOL_WAIT_S = 10


def database_settings(*, url: str | None, data_dir: Path, pool_size: int) -> dict[str, Any]:
    """Settings of the database at ``url``, or of SQLite under ``data_dir`` where there is none."""
    config = cast("dict[str, Any]", dj_database_url.parse(url or f"sqlite:///{data_dir / 'quorum.sqlite3'}"))
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"] == "django.db.backends.sqlite3":
        options.update(SQLITE_OPTIONS)
    else:
        options["pool"] = {"min_size": 1, "max_size": pool_size, "timeout": POOL_WAIT_S}
    return config
