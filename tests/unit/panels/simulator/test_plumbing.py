from __future__ import annotations

import asyncio
import socket
import struct

from panels.simulator.plumbing import is_left_within, reset_connection


async def test_a_client_that_waits_is_waited_for():
    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    assert await is_left_within(receive, 0) is False


async def test_a_client_that_left_is_noticed_behind_what_else_it_said():
    messages: list[dict[str, object]] = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    assert await is_left_within(receive, 60) is True


class Cycle:
    """As much of uvicorn's request cycle, and of its transport and socket, as a reset touches."""

    def __init__(self) -> None:
        self.transport = self
        self.done: list[object] = []
        self.told: list[dict[str, object]] = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def send(self, message: object) -> None:
        raise AssertionError

    async def receive(self) -> dict[str, object]:
        assert self.done[-1] == "aborted"
        return self.told.pop(0)

    def get_extra_info(self, name: str) -> Cycle:
        assert name == "socket"
        return self

    def setsockopt(self, *option: object) -> None:
        self.done.append(option)

    def abort(self) -> None:
        self.done.append("aborted")


async def test_a_reset_lets_nothing_linger_and_waits_until_the_server_knows():
    cycle = Cycle()
    await reset_connection(cycle.receive, cycle.send)
    assert cycle.done == [(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)), "aborted"]
    assert cycle.told == []
