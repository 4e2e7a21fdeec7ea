"""What the simulator was asked: counts for ever, details of the latest requests. Bounded by the catalogue's size."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass

LATEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request that was answered. ``outcome`` is ok or a fault.

    ``key`` is the same for the same user messages; an arbiter's, whose ``task`` is named, has that of its question.
    """

    model: str
    outcome: str
    key: str
    item_id: str | None = None
    task: str | None = None
    right: bool | None = None
    stream: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nanousd: int = 0
    latency_s: float = 0.0


class Ledger:
    """Counts and the latest entries; ``in_flight`` and its peak show how many requests are held at once."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.clear()

    def clear(self) -> None:
        self.received = 0
        self.peak_in_flight = self.in_flight
        self._counts: Counter[tuple[str, str]] = Counter()
        self._latest: deque[Entry] = deque(maxlen=LATEST)

    def enter(self) -> None:
        self.received += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def leave(self) -> None:
        self.in_flight -= 1

    def record(self, entry: Entry) -> None:
        self._counts[entry.model, entry.outcome] += 1
        self._latest.append(entry)

    def as_json(self) -> dict[str, object]:
        counts: dict[str, dict[str, int]] = {}
        for (model, outcome), count in sorted(self._counts.items()):
            counts.setdefault(model, {})[outcome] = count
        return {
            "simulated": True,
            "received": self.received,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "counts": counts,
            "latest": [asdict(entry) for entry in self._latest],
        }
