"""Worker processes as far as providers go: a registry each, and a board that tells and hears the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from panels.fusion.breaker import BreakerRules, Verdict
from panels.fusion.registry import ModelKey, Registry
from panels.fusion.types import Failure, FailureKind, ModelRequest, Reply, Sampling
from panels.redis_board import RedisBoard

KEY = ModelKey("house", "large")
REQUEST = ModelRequest(model="large", messages=(), sampling=Sampling())
RULES = BreakerRules(first_pause_s=0.3, growth=20.0, longest_pause_s=6.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What one process has."""

    board: RedisBoard
    registry: Registry


@dataclass(slots=True, kw_only=True)
class Upstream:
    """A provider that fails until it is mended, and counts what it is asked."""

    broken: bool = True
    asked: int = 0

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        self.asked += 1
        await asyncio.sleep(0.3)
        if self.broken:
            return Failure(kind=FailureKind.SERVER, detail="HTTP 500", status_code=500)
        return Reply(text="A")


def start_worker(url: str, prefix: str, stack: ExitStack) -> Worker:
    board = RedisBoard(url, prefix=prefix, refresh_s=0.02, linger_s=0.02)
    registry = Registry(shared=board, rules=RULES)
    stack.enter_context(board.running())
    return Worker(board=board, registry=registry)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def open_up(registry: Registry) -> None:
    breaker = registry.breaker(KEY)
    for _ in range(5):
        ticket = breaker.enter()
        assert ticket is not None
        breaker.leave(ticket, Verdict.ILL)
