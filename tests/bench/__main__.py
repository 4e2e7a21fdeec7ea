"""``make bench``: every bench, or those named, each in a process and on a database of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from tests.bench.server import made_database

# Name to module. What a bench measures stands at the top of its module.
BENCHES = {
    "runner-latency": "tests.bench.runner_latency",
    "runner-rate": "tests.bench.runner_rate",
    "replay": "tests.bench.replay",
    "import": "tests.bench.dataset_import",
    "pages": "tests.bench.pages",
    "review": "tests.bench.review",
    "monitoring": "tests.bench.monitoring",
    "engine": "tests.bench.engine",
}
# These run a second time where DATABASE_URL names a PostgreSQL server.
ON_SERVERS = {"monitoring"}


def main(arguments: Sequence[str]) -> int:
    unknown = [name for name in arguments if name not in BENCHES]
    if unknown:
        sys.stderr.write(f"There is no bench {', '.join(unknown)}. There are: {', '.join(BENCHES)}.\n")
        return 2
    failed = [name for name in arguments or BENCHES if _run(BENCHES[name]) or _run_on_server(name)]
    if failed:
        sys.stderr.write(f"Not measured: {', '.join(failed)}.\n")
    return 1 if failed else 0


def _run(module: str, **environment: str) -> int:
    command = [sys.executable, "-m", "tests.bench.scratch", module]
    with tempfile.TemporaryDirectory(prefix="quorum-bench-") as folder:
        return subprocess.run(command, check=False, env=_environment(folder) | environment).returncode


def _run_on_server(name: str) -> int:
    server = os.environ.get("DATABASE_URL", "")
    if name not in ON_SERVERS or not server.startswith("postgres"):
        return 0
    with made_database(server) as address:
        return _run(BENCHES[name], DATABASE_URL=address)


def _environment(folder: str) -> dict[str, str]:
    """This process's own, without anything that names a database, a broker or a folder of the user's."""
    ours = ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "DEBUG", "QUORUM_STATIC_ROOT", "QUORUM_HTTPS")
    kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
    return kept | {
        "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
        "QUORUM_DATA_DIR": folder,
        "QUORUM_LOG_LEVEL": "WARNING",
        "CELERY_BROKER_URL": "memory://",
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
