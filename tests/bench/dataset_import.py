"""How fast a dataset with recorded outputs comes in, and in how much memory.

``QUORUM_BENCH_LARGE=1`` takes files of 200 MB (unpacked) instead of 40 MB.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from time import perf_counter

from tests.bench.figures import cpu_s, peak_memory, report
from tests.bench.synthetic import import_dataset, write_items, write_outputs, write_prices

MODELS = ("able", "fair", "quick", "small")
WORDS = 200


def main(folder: Path) -> None:
    count = 28_000 if os.environ.get("QUORUM_BENCH_LARGE") == "1" else 5_600
    items = write_items(folder / "items.jsonl.gz", count=count)
    outputs = write_outputs(folder / "outputs.jsonl.gz", count=count, models=MODELS, words=WORDS)
    prices = write_prices(folder / "models.json", models=MODELS)
    unpacked_mb = sum(_unpacked_bytes(path) for path in (items, outputs)) / 1e6
    used, started = cpu_s(), perf_counter()
    version = import_dataset("imported", items=items, outputs=outputs, prices=prices)
    taken_s, used_s = perf_counter() - started, cpu_s() - used
    rows = version.example_count + version.output_count
    if rows != count * (1 + len(MODELS)):
        raise SystemExit(f"{rows} rows came in, not {count * (1 + len(MODELS))}.")
    report(
        f"import of {unpacked_mb:,.0f} MB",
        f"{rows / taken_s:,.0f} rows/s, {unpacked_mb / taken_s:.1f} MB/s",
        f"{rows:,} rows checked, then loaded, in {taken_s:.1f} s",
        f"processor {used_s / rows * 1000:.2f} ms a row",
        peak_memory(),
    )


def _unpacked_bytes(path: Path) -> int:
    with gzip.open(path, "rb") as file:
        return sum(len(chunk) for chunk in iter(lambda: file.read(1 << 20), b""))
