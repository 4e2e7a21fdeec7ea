"""One line on a terminal that says how far a run is: count, rate, time left, money."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from evaluation.execution.work import Progress
from panels.fusion.pricing import dollars_from_nanousd

_BAR_WIDTH = 24


class ProgressLine:
    """Rewrites its line on a terminal; elsewhere it writes a new one at every tenth of the way."""

    def __init__(
        self, stream: TextIO, *, wanted: int, cap_nanousd: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._wanted = wanted
        self._cap = cap_nanousd
        self._clock = clock
        self._began = clock()
        self._shown_tenth = -1

    def show(self, progress: Progress) -> None:
        if self._stream.isatty():
            self._stream.write(f"\r\x1b[2K{self._text(progress)}")
            self._stream.flush()
            return
        tenth = 10 * progress.done // max(self._wanted, 1)
        if tenth > self._shown_tenth:
            self._shown_tenth = tenth
            self._stream.write(self._text(progress) + "\n")

    def close(self) -> None:
        if self._stream.isatty():
            self._stream.write("\n")

    def _text(self, progress: Progress) -> str:
        filled = _BAR_WIDTH * progress.done // max(self._wanted, 1)
        bar = "█" * filled + "·" * (_BAR_WIDTH - filled)
        return f"{bar} {progress.done:,} of {self._wanted:,} answers · {self._pace(progress)} · {self._money(progress)}"

    def _pace(self, progress: Progress) -> str:
        elapsed = self._clock() - self._began
        if progress.done == 0 or elapsed <= 0:
            return "rate not known yet"
        rate = progress.done / elapsed
        return f"{rate:,.0f} a second · about {max(self._wanted - progress.done, 0) / rate:,.0f} s left"

    def _money(self, progress: Progress) -> str:
        spent = f"${dollars_from_nanousd(progress.spent_nanousd):,.4f} spent"
        if self._cap is None:
            return spent
        cap = dollars_from_nanousd(self._cap)
        return f"{spent} of ${cap:,.{2 if cap >= 1 else 4}f}"
