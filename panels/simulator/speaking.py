"""Saying a reply on the wire, at the model's pace and with whatever evil befalls it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate

from panels.simulator.behaviour import Conduct
from panels.simulator.chat_request import ChatRequest
from panels.simulator.dialects import Dialect
from panels.simulator.faults import FAULT_ERRORS, HTML_PAGES, LATE_ERROR
from panels.simulator.model import Fault, SimulatedModel
from panels.simulator.plumbing import (
    EVENTS,
    JSON,
    Receive,
    Send,
    end_parts,
    is_left_within,
    reset_connection,
    send_body,
    send_events,
    send_part,
    start_parts,
)
from panels.simulator.wire import Completion

_RETRY_AFTER_S = 1
_KEEPALIVE_EVERY_S = 0.5
_ENDLESS_EVERY_S = 0.05
_FLOOD_PARTS = 1024
_FLOOD_CHARS = 2**16
# What was said is read before the connection breaks.
_BREATH_S = 0.05
_SILENT_FAULTS = frozenset({Fault.HANG, Fault.SLOW_FIRST_BYTE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """One reply, said in a dialect as the model's conduct wants it."""

    dialect: Dialect
    model: SimulatedModel
    request: ChatRequest
    conduct: Conduct
    completion: Completion
    receive: Receive
    send: Send

    async def say(self) -> None:
        fault = self.conduct.fault
        if fault is None:
            await self._say_reply()
        elif fault not in _SILENT_FAULTS or not await self._is_left_within(self.model.hang_s):
            await self._say_with(fault)

    async def _say_with(self, fault: Fault) -> None:
        if fault in FAULT_ERRORS:
            await self._say_error(fault)
        elif fault in HTML_PAGES:
            await self._say_page(fault)
        elif fault in _WAYS:
            await _WAYS[fault](self)
        else:
            await self._say_reply()

    async def _say_reply(self) -> None:
        if self.request.stream and self.conduct.fault is not Fault.ERROR_BODY:
            await send_events(self.send, self._time_events(), headers=self._region())
            return
        await asyncio.sleep(self.conduct.latency_s)
        await send_body(self.send, self._body(), headers=self._region())

    def _region(self) -> tuple[tuple[bytes, bytes], ...]:
        return ((b"x-region", self.model.region.encode()),) if self.model.region else ()

    async def _say_error(self, fault: Fault) -> None:
        error = FAULT_ERRORS[fault]
        headers = ((b"retry-after", self._retry_after()),) if fault is Fault.RATE_LIMITED else ()
        await asyncio.sleep(self.conduct.latency_s)
        await send_body(self.send, self.dialect.error_body(error), status=error.status, headers=headers)

    def _retry_after(self) -> bytes:
        if self.model.retry_after_date:
            # Dates have whole seconds: one more, so that it does not pass while it travels.
            return formatdate(time.time() + 1 + _RETRY_AFTER_S, usegmt=True).encode()
        return str(_RETRY_AFTER_S).encode()

    async def _say_page(self, fault: Fault) -> None:
        status, page = HTML_PAGES[fault]
        await asyncio.sleep(self.conduct.latency_s)
        await send_body(self.send, page, status=status, content_type=b"text/html")

    def _body(self) -> bytes:
        if self.conduct.fault is Fault.ERROR_BODY:
            return self.dialect.error_body(LATE_ERROR)
        if self.conduct.fault is Fault.ERROR_CHUNK:
            return self.dialect.broken_body(self.completion, LATE_ERROR)
        body = self.dialect.completion_body(self.completion)
        return body[: len(body) // 2] if self.conduct.fault is Fault.MALFORMED else body

    async def _time_events(self) -> AsyncIterator[bytes]:
        """Events at the pace of the model: the first after its share of the latency, the rest evenly over the rest."""
        events = self._events()
        first_s = self.conduct.latency_s * self.model.first_token_share
        pause_s = (self.conduct.latency_s - first_s) / max(1, len(events) - 1)
        for index, event in enumerate(events):
            await asyncio.sleep(pause_s if index else first_s)
            yield event

    def _events(self) -> list[bytes]:
        events = self.dialect.stream_pieces(self.completion, self.request)
        half = events[: -(-len(events) // 2)]
        if self.conduct.fault is Fault.MALFORMED:
            return half
        if self.conduct.fault is Fault.ERROR_CHUNK:
            return [*half, *self.dialect.late_error(self.completion, LATE_ERROR)]
        # The last two leave together: nothing is left to wait for.
        return [*events[:-1], events[-1] + self.dialect.stream_end]

    async def _reset(self) -> None:
        await asyncio.sleep(self.conduct.latency_s)
        await reset_connection(self.receive, self.send)

    async def _reset_midway(self) -> None:
        await self._start_and_say_half()
        await self._is_left_within(_BREATH_S)
        await reset_connection(self.receive, self.send)

    async def _keep_alive(self) -> None:
        """Signs of life alone, for as long as the model hangs; then the reply, if one is to come."""
        await self._start()
        sign = self.dialect.keepalive if self.request.stream else b"\n"
        for _ in range(int(self.model.hang_s / _KEEPALIVE_EVERY_S)):
            await send_part(self.send, sign)
            if await self._is_left_within(_KEEPALIVE_EVERY_S):
                return
        if self.conduct.fault is Fault.KEEPALIVE:
            await send_part(self.send, b"".join(self._events()) if self.request.stream else self._body())
        await end_parts(self.send)

    async def _never_end(self) -> None:
        parts = int(self.model.hang_s / _ENDLESS_EVERY_S)
        await self._start_and_say_half()
        await self._go_on(self._more("and-so-on-"), parts=parts, pause_s=_ENDLESS_EVERY_S)

    async def _flood(self) -> None:
        await self._start_and_say_half()
        await self._go_on(self._more("x" * _FLOOD_CHARS), parts=_FLOOD_PARTS, pause_s=0)

    async def _go_on(self, part: bytes, *, parts: int, pause_s: float) -> None:
        for _ in range(parts):
            await send_part(self.send, part)
            if await self._is_left_within(pause_s):
                return
        await end_parts(self.send)

    def _more(self, text: str) -> bytes:
        """More of the same reply: an event with this text, or the bare text in the middle of a body."""
        if not self.request.stream:
            return text.encode()
        return self.dialect.stream_pieces(replace(self.completion, text=text), self.request)[1]

    async def _start(self) -> None:
        await start_parts(self.send, content_type=EVENTS if self.request.stream else JSON)

    async def _start_and_say_half(self) -> None:
        await self._start()
        await asyncio.sleep(self.conduct.latency_s)
        if self.request.stream:
            events = self.dialect.stream_pieces(self.completion, self.request)
            await send_part(self.send, b"".join(events[: len(events) // 2]))
        else:
            body = self.dialect.completion_body(self.completion)
            await send_part(self.send, body[: len(body) // 2])

    async def _is_left_within(self, seconds: float) -> bool:
        return await is_left_within(self.receive, seconds)


# The faults in which the connection itself takes part.
_WAYS: Mapping[Fault, Callable[[Speaker], Awaitable[None]]] = {
    Fault.RESET: Speaker._reset,
    Fault.RESET_MIDWAY: Speaker._reset_midway,
    Fault.KEEPALIVE: Speaker._keep_alive,
    Fault.KEEPALIVE_ONLY: Speaker._keep_alive,
    Fault.ENDLESS: Speaker._never_end,
    Fault.FLOOD: Speaker._flood,
}
