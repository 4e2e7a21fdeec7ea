"""Figures and the line they are printed on."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence


def report(name: str, *figures: str) -> None:
    """One line: what was measured, the figures, and on how many cores."""
    sys.stdout.write(f"{name}: {'; '.join(figures)}; {os.cpu_count()} cores\n")
    sys.stdout.flush()


def peak_memory() -> str:
    """The most this process ever held, as Linux counts it."""
    return f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB"


def cpu_s() -> float:
    """Processor seconds of this process so far, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of ``values`` do not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, -(-int(share * 100) * len(ranked) // 100) - 1)]
