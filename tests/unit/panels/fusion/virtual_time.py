"""An event loop whose clock jumps to the next thing that is due: seconds cost nothing, nothing is left to chance."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for a timer it is the time of that timer. Waiting for nothing at all is a mistake."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else")
        self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run_virtually(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What ``main`` brings, at virtual time from 0. No task may be left when it is done."""

    async def whole() -> T:
        try:
            return await main()
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"left behind: {left}"

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(whole())


def now() -> float:
    return asyncio.get_running_loop().time()
