"""The web service in processes of its own, on the test's database: what a test can kill with signal 9."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

from tests.conftest import REPOSITORY


@dataclass(frozen=True, slots=True, kw_only=True)
class WebProcess:
    """One that runs, where it listens, and where it writes its log."""

    process: subprocess.Popen[bytes]
    origin: str
    log: Path

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def web_processes(folder: Path, number: int) -> Iterator[list[WebProcess]]:
    """They log and keep their files in ``folder``."""
    with ExitStack() as stack:
        yield [stack.enter_context(_web_process(folder, f"web-{place}")) for place in range(number)]


@contextmanager
def _web_process(folder: Path, name: str) -> Iterator[WebProcess]:
    with socket.socket() as listener, (folder / f"{name}.log").open("wb") as log:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port, number = listener.getsockname()[1], listener.fileno()
        command = [sys.executable, "-m", "uvicorn", "fusion_site.asgi:application", "--lifespan=off", f"--fd={number}"]
        web = subprocess.Popen(
            [*command, "--log-level=warning"],
            cwd=REPOSITORY, env=_environment(folder), stdout=log, stderr=log, pass_fds=[number],
        )  # fmt: skip
        # Theirs alone from here on: with the process its port goes, as it would in service.
        listener.close()
        try:
            yield WebProcess(process=web, origin=f"http://127.0.0.1:{port}", log=folder / f"{name}.log")
        finally:
            web.kill()
            web.wait(10)


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "fusion_site.settings",
        "SECRET_KEY": settings.SECRET_KEY,
        "QUORUM_DATA_DIR": str(folder),
        "DATABASE_URL": database_url(),
    }


def database_url() -> str:
    """That of the test's database."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{quote(name)}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))
