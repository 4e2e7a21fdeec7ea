"""The transport against bytes as a server could send them, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from panels.fusion.clients import transport as module
from panels.fusion.clients.peers import PeerRules
from panels.fusion.clients.transport import KEEPALIVE_S, MAX_HEAD_BYTES, Connection, LeanTransport, shared_ssl_context

OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"Content-Type: text/plain\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: Chunked\r\n\r\n3;note=1\r\nhel\r\n02 \r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n"


class Wire(asyncio.Transport):
    """The other end of a connection: what was written to it, and whether it is read from."""

    def __init__(self, answer: Callable[[Wire], None], peer: str = "") -> None:
        super().__init__(extra={"peername": (peer, 443)} if peer else None)
        self.answer = answer
        self.connection: Connection | None = None
        self.written = b""
        self.aborted = self.paused = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.written += data
        asyncio.get_running_loop().call_soon(self.answer, self)

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def say(self, *parts: bytes) -> None:
        assert self.connection is not None
        for part in parts:
            self.connection.data_received(part)

    def end(self, error: Exception | None = None) -> None:
        assert self.connection is not None
        if error is None:
            self.connection.eof_received()
        self.connection.connection_lost(error)


class Network:
    """Connections opened so far; each answers every request by calling ``answer``."""

    def __init__(self, answer: Callable[[Wire], None], peer: str = "") -> None:
        self.answer = answer
        self.peer = peer
        self.wires: list[Wire] = []

    async def connect(self, url: httpx.URL, *, timeout_s: float | None) -> Connection:
        wire = Wire(self.answer, self.peer)
        wire.connection = Connection()
        wire.connection.connection_made(wire)
        self.wires.append(wire)
        return wire.connection


@pytest.fixture
def network(monkeypatch):
    def install(answer: Callable[[Wire], None], peer: str = "") -> Network:
        made = Network(answer, peer)
        monkeypatch.setattr(module, "_connect", made.connect)
        return made

    return install


async def fetch(transport: LeanTransport, **settings) -> tuple[httpx.Response, bytes]:
    request = httpx.Request("POST", "http://provider.test/v1/x?y=1", content=b"body", **settings)
    response = await transport.handle_async_request(request)
    try:
        return response, b"".join([part async for part in response.aiter_bytes()])
    finally:
        await response.aclose()


async def test_a_request_is_written_as_http_asks(network):
    opened = network(lambda wire: wire.say(COUNTED))
    await fetch(LeanTransport(), headers={"X-Title": "Quorum"})
    head, _, body = opened.wires[0].written.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST /v1/x?y=1 HTTP/1.1"
    assert {b"Host: provider.test", b"Content-Length: 4", b"X-Title: Quorum"} <= set(head.split(b"\r\n"))
    assert body == b"body"


@pytest.mark.parametrize("peer", ["169.254.169.254", "10.0.0.1", "127.0.0.1", "fe80::1%eth0"])
async def test_nothing_is_sent_where_a_name_leads_to_the_inside(network, peer):
    opened = network(lambda wire: wire.say(COUNTED), peer)
    with pytest.raises(httpx.ConnectError, match="nothing was sent to"):
        await fetch(LeanTransport())
    (wire,) = opened.wires
    assert (wire.written, wire.aborted) == (b"", True)


async def test_a_public_peer_is_asked_and_a_private_one_where_that_is_allowed(network):
    network(lambda wire: wire.say(COUNTED), "8.8.8.8")
    assert (await fetch(LeanTransport()))[1] == b"hello"
    network(lambda wire: wire.say(COUNTED), "10.0.0.1")
    assert (await fetch(LeanTransport(peers=PeerRules(allows_private=True))))[1] == b"hello"


@pytest.mark.parametrize("response", [COUNTED, CHUNKED])
async def test_a_response_may_come_cut_anywhere(network, response):
    async def fetch_cut(cut: int) -> tuple[int, bytes]:
        def answer(wire: Wire) -> None:
            wire.say(response[:cut])
            asyncio.get_running_loop().call_later(0.001, wire.say, response[cut:])

        opened = network(answer)
        transport = LeanTransport()
        answered, body = await fetch(transport)
        assert not opened.wires[0].aborted
        return answered.status_code, body

    for cut in range(1, len(response)):
        assert await fetch_cut(cut) == (200, b"hello")


async def test_a_response_may_come_byte_by_byte(network):
    network(lambda wire: wire.say(*(CHUNKED[index : index + 1] for index in range(len(CHUNKED)))))
    assert (await fetch(LeanTransport()))[1] == b"hello"


async def test_interim_responses_are_passed_over(network):
    network(lambda wire: wire.say(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", COUNTED))
    response, body = await fetch(LeanTransport())
    assert (response.status_code, response.headers["content-type"], body) == (200, "text/plain", b"hello")


async def test_a_body_without_a_length_ends_with_the_connection(network):
    def answer(wire: Wire) -> None:
        wire.say(OK + b"\r\nhel", b"lo")
        asyncio.get_running_loop().call_soon(wire.end)

    network(answer)
    assert (await fetch(LeanTransport()))[1] == b"hello"


async def test_a_reset_is_no_end_of_a_body_without_a_length(network):
    def answer(wire: Wire) -> None:
        wire.say(OK + b"\r\nhello")
        wire.end(ConnectionResetError("reset by peer"))

    network(answer)
    with pytest.raises(httpx.ReadError, match="reset by peer"):
        await fetch(LeanTransport())


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_some_statuses_have_no_body(network, status):
    network(lambda wire: wire.say(b"HTTP/1.1 %s\r\n\r\n" % status))
    assert (await fetch(LeanTransport()))[1] == b""


@pytest.mark.parametrize(
    ("response", "connections"),
    [
        (COUNTED, 1),
        (CHUNKED, 1),
        (OK + b"content-length: 0\r\n\r\n", 1),
        (OK + b"connection: Close\r\ncontent-length: 5\r\n\r\nhello", 2),
        (COUNTED.replace(b"HTTP/1.1", b"HTTP/1.0"), 2),
        (COUNTED + b"left over", 2),
    ],
)
async def test_a_connection_is_used_again_where_it_may_be(network, response, connections):
    opened = network(lambda wire: wire.say(response))
    transport = LeanTransport()
    for _ in range(2):
        await fetch(transport)
    assert len(opened.wires) == connections
    await transport.aclose()
    assert all(wire.aborted for wire in opened.wires)


async def test_a_connection_that_ended_while_idle_is_not_used_again(network):
    opened = network(lambda wire: wire.say(COUNTED))
    transport = LeanTransport()
    await fetch(transport)
    opened.wires[0].end()
    await fetch(transport)
    assert len(opened.wires) == 2


async def test_a_connection_that_was_idle_for_long_is_not_used_again(network, monkeypatch):
    opened = network(lambda wire: wire.say(COUNTED))
    transport = LeanTransport()
    await fetch(transport)
    later = asyncio.get_running_loop().time() + KEEPALIVE_S
    monkeypatch.setattr(opened.wires[0].connection._loop, "time", lambda: later)
    await fetch(transport)
    assert len(opened.wires) == 2


async def test_a_body_that_was_not_read_costs_its_connection(network):
    opened = network(lambda wire: wire.say(COUNTED))
    response = await LeanTransport().handle_async_request(httpx.Request("POST", "http://provider.test"))
    await response.aclose()
    assert opened.wires[0].aborted


async def test_a_connection_comes_back_once_however_often_its_body_is_closed(network):
    network(lambda wire: wire.say(COUNTED))
    transport = LeanTransport()
    response = await transport.handle_async_request(httpx.Request("POST", "http://provider.test"))
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    await response.aread()
    await stream.aclose()
    assert len(transport._idle) == 1


async def test_what_comes_back_after_the_end_is_closed(network):
    opened = network(lambda wire: wire.say(COUNTED))
    transport = LeanTransport()
    response = await transport.handle_async_request(httpx.Request("POST", "http://provider.test"))
    await transport.aclose()
    assert await response.aread() == b"hello"
    assert opened.wires[0].aborted


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\n\r\n",
        b"x" * (MAX_HEAD_BYTES + 1),
        OK + b"no colon\r\n\r\n",
        OK + b"space before : colon\r\n\r\n",
        OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        OK + b"content-length: -5\r\n\r\nhello",
        OK + b"content-length: 5x\r\n\r\nhello",
        OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n-1\r\nhello\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_an_error_and_costs_the_connection(network, response):
    opened = network(lambda wire: wire.say(response))
    with pytest.raises(httpx.RemoteProtocolError):
        await fetch(LeanTransport())
    assert opened.wires[0].aborted


@pytest.mark.parametrize("cut", [0, 10, len(OK) + 4, len(COUNTED) - 1])
@pytest.mark.parametrize(
    ("error", "expected"), [(None, httpx.RemoteProtocolError), (ConnectionResetError(), httpx.ReadError)]
)
async def test_an_end_before_the_end_is_an_error(network, cut, error, expected):
    def answer(wire: Wire) -> None:
        wire.say(COUNTED[:cut])
        asyncio.get_running_loop().call_soon(wire.end, error)

    network(answer)
    with pytest.raises(expected):
        await fetch(LeanTransport())


@pytest.mark.parametrize("cut", [0, len(COUNTED) - 1])
async def test_silence_is_a_timeout(network, cut):
    network(lambda wire: wire.say(COUNTED[:cut]))
    with pytest.raises(httpx.ReadTimeout):
        await fetch(LeanTransport(), extensions={"timeout": {"read": 0.01}})


async def test_a_response_that_comes_in_the_moment_of_its_timeout_counts():
    waiter = asyncio.get_running_loop().create_future()
    waiter.set_result(None)
    module._expire(waiter)
    assert waiter.result() is None


async def test_a_flood_is_held_back_until_it_is_read(network):
    size = 2**20
    opened = network(lambda wire: wire.say(OK + b"content-length: %d\r\n\r\n" % (2 * size) + b"x" * size))
    transport = LeanTransport()
    response = await transport.handle_async_request(httpx.Request("POST", "http://provider.test"))
    (wire,) = opened.wires
    assert wire.paused
    parts = response.aiter_bytes()
    assert len(await anext(parts)) == size
    rest = asyncio.ensure_future(anext(parts))
    await asyncio.sleep(0)
    assert not wire.paused
    wire.say(b"y" * size)
    assert len(await rest) == size
    await response.aclose()


async def test_a_cancelled_request_costs_its_connection(network):
    opened = network(lambda wire: None)
    call = asyncio.ensure_future(fetch(LeanTransport()))
    for _ in range(5):
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert opened.wires[0].aborted


async def test_a_header_cannot_smuggle_in_another(network):
    opened = network(lambda wire: wire.say(COUNTED))
    with pytest.raises(httpx.LocalProtocolError):
        await fetch(LeanTransport(), headers={"X-Title": "a\r\nX-Evil: 1"})
    assert opened.wires[0].written == b""


def test_connections_share_the_certificate_store():
    assert shared_ssl_context() is shared_ssl_context()
