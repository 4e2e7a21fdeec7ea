"""The one thread in which a worker touches the database, so that its event loop never does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from django.db import connections

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DatabaseThread:
    """Runs functions one after the other on a thread with its own connections, which are closed with it."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="run-database")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Waited for even when the worker is being cancelled: an open connection outlives its thread otherwise.
        closing = self._executor.submit(connections.close_all)
        closing.result()
        self._executor.shutdown()

    async def run(self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)
