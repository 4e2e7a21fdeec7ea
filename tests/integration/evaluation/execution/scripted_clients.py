"""Providers that say what a test wants, at once or when it says so, and remember what they were asked."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from panels.fusion.types import Failure, FailureKind, ModelClient, ModelRequest, Reply, Usage
from panels.models import LanguageModel
from panels.specs import inventory_key
from tests.factories import NOW

Answerer = Callable[[ModelRequest], Reply | Failure]


def reply(
    text: str = "A",
    *,
    prompt_tokens: int | None = 10,
    completion_tokens: int | None = 1,
    earlier: tuple[Failure, ...] = (),
) -> Reply:
    usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
    return Reply(text=text, usage=usage, latency_s=0.25, earlier=earlier)


def failure(kind: FailureKind = FailureKind.SERVER, *, earlier: tuple[Failure, ...] = ()) -> Failure:
    return Failure(kind=kind, detail="as scripted", latency_s=0.1, pause_s=0.5, earlier=earlier)


@dataclass(slots=True, kw_only=True)
class ScriptedProviders:
    """Answers every model with ``answer``. ``asked`` counts requests by (item id, inventory key, twin).

    ``opened`` holds for each worker how many slots it came with; ``most_at_once`` the highest number of requests under
    way at one time, over all workers. ``before`` is called with every request, ``on_open`` when a worker begins.
    """

    answer: Answerer = lambda request: reply()
    before: Callable[[ModelRequest], object] | None = None
    on_open: Callable[[], object] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    asked: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    requests: list[ModelRequest] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    under_way: int = 0
    most_at_once: int = 0

    @asynccontextmanager
    async def clients_for(
        self, models: Sequence[LanguageModel], concurrency: int
    ) -> AsyncIterator[Mapping[str, ModelClient]]:
        self.opened.append(concurrency)
        if self.on_open is not None:
            self.on_open()
        yield {inventory_key(model.pk): self for model in models}

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        self.asked[request.item_id, request.model, request.twin] += 1
        self.requests.append(request)
        with self.lock:
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            if self.before is not None:
                self.before(request)
            await asyncio.sleep(0)
            return self.answer(request)
        finally:
            with self.lock:
                self.under_way -= 1


class Clock:
    """A clock that stands until it is told to move."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **elapsed: float) -> None:
        self.now += timedelta(**elapsed)
