"""The embedded message broker: kombu's filesystem transport, made safe for several processes.

The stock transport writes a message or a routing table in place, so a reader can meet half a file and dies of it, and
it moves a taken message to the system's temporary folder, which may be another file system where a move is a copy.
Here a file appears whole by one rename, and a message is taken by one rename.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

Route = filesystem.exchange_queue_t
FOLDERS = ("messages", "taken", "control")


def broker_options(folder: Path) -> dict[str, str]:
    """Transport options for a broker under ``folder``, whose folders are made."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    messages = str(folder / "messages")
    return {
        "data_folder_in": messages,
        "data_folder_out": messages,
        "processed_folder": str(folder / "taken"),
        "control_folder": str(folder / "control"),
    }


def write_whole(path: Path, text: str) -> None:
    """Put ``text`` at ``path`` so that a reader sees all of it or none. A draft begins with a dot and is never read."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)


class Channel(filesystem.Channel):
    def get_table(self, exchange: str) -> list[Route]:  # type: ignore[override] # the stubs contradict each other
        try:
            rows = loads(self._table_file(exchange).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return [Route(*row) for row in rows]

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None) -> None:
        route = Route(routing_key or "", pattern or "", queue or "")
        with self._locked_tables():
            table = self.get_table(exchange)
            if route not in table:
                write_whole(self._table_file(exchange), dumps([route, *table]))

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any) -> None:
        virtual.Channel._delete(self, queue, exchange, routing_key, pattern, *args, **kwargs)
        route = Route(routing_key or "", pattern or "", queue or "")
        with self._locked_tables():
            table = self.get_table(exchange)
            if route in table:
                write_whole(self._table_file(exchange), dumps([other for other in table if other != route]))

    def _put_fanout(self, exchange: str, payload: dict[str, Any], routing_key: str, **_: Any) -> None:
        for route in self.get_table(exchange):
            self._put(route.queue, payload)

    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]
        name = f"{time.time_ns():020d}_{secrets.token_hex(6)}.{queue}.msg"
        write_whole(Path(self.data_folder_out) / name, dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        """Take the oldest message; who loses the race for one goes on to the next."""
        for path in self._waiting(queue):
            taken = Path(self.processed_folder) / path.name
            try:
                path.rename(taken)
            except FileNotFoundError:
                continue
            text = taken.read_text(encoding="utf-8")
            taken.unlink()
            return loads(text)
        raise Empty

    def _purge(self, queue: str) -> int:
        paths = self._waiting(queue)
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def _size(self, queue: str) -> int:
        return len(self._waiting(queue))

    def _waiting(self, queue: str) -> list[Path]:
        folder = Path(self.data_folder_in)
        names = (name for name in os.listdir(folder) if not name.startswith("."))
        return [folder / name for name in sorted(names) if name.partition(".")[2] == f"{queue}.msg"]

    def _table_file(self, exchange: str) -> Path:
        """The stock channel checks the name: it becomes part of a path."""
        return Path(self._exchange_file(exchange))  # type: ignore[attr-defined] # not in the stubs

    @contextmanager
    def _locked_tables(self) -> Iterator[None]:
        """Writers of routing tables, one at a time; the lock falls with its process."""
        with (self.control_folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    Channel = Channel
