"""What this process knows of the providers it asks, and what its fellow processes tell it.

Worker processes tell each other through Redis, where the broker is one. Elsewhere every process goes by what it sees
itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from panels.fusion.registry import Health, Registry

if TYPE_CHECKING:
    from panels.redis_board import RedisBoard

_NOTE_EVERY = timedelta(seconds=3)


class _Process:
    """What this process knows, from its first question on."""

    def __init__(self) -> None:
        self.board = _open_board(settings.SHARED_STATE_URL)
        self.registry = Registry(shared=self.board)
        self.noted: tuple[object, datetime] | None = None


_lock = threading.Lock()
_process: list[_Process] = []


def _open_board(url: str | None) -> RedisBoard | None:
    if url is None:
        return None
    # Loading Redis' library takes a tenth of a second, which a process without Redis need not pay.
    from panels.redis_board import RedisBoard

    return RedisBoard(url)


@contextmanager
def provider_state() -> Iterator[Registry]:
    """This process's registry, telling and hearing the other processes meanwhile."""
    process = _current()
    with nullcontext() if process.board is None else process.board.running():
        yield process.registry


def provider_health() -> Health:
    """What this process knows now."""
    return _current().registry.health()


def health_to_note(*, now: datetime, at_once: bool) -> Health | None:
    """What this process knows, if it has not been given out yet as it is, nor anything a moment ago; else None."""
    process = _current()
    health = process.registry.health()
    content = _content(health)
    with _lock:
        known, at = process.noted or (None, None)
        too_soon = at is not None and now - at < _NOTE_EVERY and not at_once
        if not health.limits or too_soon or content == known:
            return None
        process.noted = (content, now)
        return health


def _content(health: Health) -> object:
    """Health without what passes by itself."""
    return [(key, replace(reading, left_s=0.0)) for key, reading in health.models], [
        (provider, limit.limit, limit.ceiling) for provider, limit in health.limits
    ]


def forget_provider_state() -> None:
    """As if the process had just begun. For tests."""
    with _lock:
        _process.clear()


def _current() -> _Process:
    with _lock:
        if not _process:
            _process.append(_Process())
        return _process[0]
