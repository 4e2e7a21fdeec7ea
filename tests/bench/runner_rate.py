"""The runner against a bare loop over the same 4,000 requests at 0 ms: at least half of its rate is required.

Both ask the same simulator, one after the other; each round has requests of its own.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from tests.bench.bare_loop import ask_bare
from tests.bench.figures import peak_memory, report
from tests.bench.live import CALLS, start_live, write_questions
from tests.bench.synthetic import work_through
from tests.bench.upstream import serve_upstream

ROUNDS = 3


def main(folder: Path) -> None:
    bare, rounds = [], []
    for seed in range(ROUNDS):
        items = write_questions(folder, seed=seed)
        with serve_upstream(latency_ms=0, answers=items) as base_url:
            run = start_live(items, base_url=base_url)
            bare.append(CALLS / ask_bare(run, base_url=base_url))
            rounds.append(work_through(run, calls=CALLS))
    ours = [worked.calls / worked.stored_s for worked in rounds]
    ratio = statistics.median(our / their for our, their in zip(ours, bare, strict=True))
    report(
        "runner at 0 ms",
        f"{statistics.median(ours):,.0f} calls/s stored against {statistics.median(bare):,.0f} of the bare loop",
        f"ratio {ratio:.2f} (at least 0.5)",
        f"processor {rounds[-1].cpu_s / CALLS * 1000:.2f} ms a call",
        peak_memory(),
    )
