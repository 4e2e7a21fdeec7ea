"""How much longer a live run takes than its calls alone: 4,000 calls of 200 ms, 100 at a time, everything stored.

The ideal is calls × latency / concurrency. At most 1.25 times that is required, 1.05 the goal. The bare loop shows
what the simulator and this machine leave of the ideal at that moment.
"""

from __future__ import annotations

from pathlib import Path

from tests.bench.bare_loop import ask_bare
from tests.bench.figures import peak_memory, report
from tests.bench.live import CALLS, CONCURRENCY, start_live, write_questions
from tests.bench.synthetic import work_through
from tests.bench.upstream import serve_upstream

LATENCY_MS = 200
ROUNDS = 2


def main(folder: Path) -> None:
    ideal_s = CALLS * LATENCY_MS / 1000 / CONCURRENCY
    bare, rounds = [], []
    for seed in range(ROUNDS):
        items = write_questions(folder, seed=seed)
        with serve_upstream(latency_ms=LATENCY_MS, answers=items) as base_url:
            run = start_live(items, base_url=base_url)
            bare.append(ask_bare(run, base_url=base_url) / ideal_s)
            rounds.append(work_through(run, calls=CALLS))
    best = min(rounds, key=lambda worked: worked.stored_s)
    report(
        f"runner at {LATENCY_MS} ms",
        f"{best.answers:,} answers and {best.calls:,} calls stored in {best.stored_s:.2f} s",
        f"wall / ideal {best.stored_s / ideal_s:.3f} (at most 1.25), with the result {best.finished_s / ideal_s:.3f}",
        f"other rounds up to {max(worked.stored_s for worked in rounds) / ideal_s:.3f}, bare loop {min(bare):.3f}",
        f"processor {best.cpu_s / CALLS * 1000:.2f} ms a call",
        peak_memory(),
    )
