"""A worker's hold on an import: claimed, kept alive and told of by conditional updates of its row."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from evaluation.models import DatasetImport

HEARTBEAT_TTL = timedelta(seconds=60)
_BEAT_EVERY_S = 1.0


class LostImport(Exception):
    """The import is no longer ours: it was swept because no sign of life came in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgress:
    """How far an import is. ``bytes_total`` counts a file as often as it is read."""

    phase: str
    bytes_done: int
    bytes_total: int
    rows_done: int


Watcher = Callable[[ImportProgress], None]


@dataclass(slots=True, kw_only=True)
class ImportLease:
    """The right to load one import. Every write of the loader goes with ``beat`` in the same transaction."""

    import_id: int
    token: uuid.UUID
    clock: Callable[[], datetime]
    bytes_total: int = 0
    watch: Watcher | None = None
    phase: str = "checking"
    bytes_done: int = 0
    rows_done: int = 0
    _told_at: float = field(default_factory=time.monotonic)

    def beat(self, **changes: object) -> None:
        """A sign of life with the progress so far. Raises LostImport if the import was taken away."""
        changes |= {"bytes_done": self.bytes_done, "rows_done": self.rows_done, "phase": self.phase}
        held = DatasetImport.objects.filter(
            pk=self.import_id, state=DatasetImport.State.RUNNING, lease_token=self.token
        )
        if held.update(heartbeat_at=self.clock(), **changes) != 1:
            raise LostImport(self.import_id)

    def count_bytes(self, read: int) -> None:
        self.bytes_done += read
        if time.monotonic() - self._told_at >= _BEAT_EVERY_S:
            self.tell()
            self.beat()

    def enter(self, phase: str) -> None:
        self.phase = phase
        self.tell()
        self.beat()

    def tell(self) -> None:
        self._told_at = time.monotonic()
        if self.watch:
            self.watch(
                ImportProgress(
                    phase=self.phase,
                    bytes_done=self.bytes_done,
                    bytes_total=self.bytes_total,
                    rows_done=self.rows_done,
                )
            )


def claim_import(*, import_id: int, clock: Callable[[], datetime]) -> ImportLease | None:
    """The lease of a queued import, None if another worker has it or it has ended."""
    token = uuid.uuid4()
    queued = DatasetImport.objects.filter(pk=import_id, state=DatasetImport.State.QUEUED)
    claimed = queued.update(
        state=DatasetImport.State.RUNNING, lease_token=token, heartbeat_at=clock(), phase="checking"
    )
    if not claimed:
        return None
    return ImportLease(import_id=import_id, token=token, clock=clock)
