"""What a transport cannot fake: sockets that refuse, stay silent, break or never stop."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from panels.fusion.clients.anthropic import AnthropicClient
from panels.fusion.clients.exchange import HostedClient
from panels.fusion.clients.openai import OpenAIClient
from panels.fusion.types import Failure, FailureKind, Message, ModelRequest, Reply, Sampling

REQUEST = ModelRequest(model="m", messages=(Message(role="user", content="Hello"),), sampling=Sampling())
BODY = b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'
MESSAGE_EVENT = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}\n\n'
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(behaviour: Behaviour) -> AsyncIterator[str]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaviour(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def reset(writer: asyncio.StreamWriter) -> None:
    # Closing with a linger of zero seconds sends RST in place of FIN.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def saying(*parts: bytes, then: Callable[[asyncio.StreamWriter], None] | None = None) -> Behaviour:
    async def behaviour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if then:
            then(writer)

    return behaviour


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await reader.read()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(chunk(b" "))
        await writer.drain()
        await asyncio.sleep(0.01)


async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(chunk(b" " * 2**16))
        await writer.drain()


CLIENTS = [OpenAIClient, AnthropicClient]


async def ask(behaviour: Behaviour, client_class: type[HostedClient] = OpenAIClient, **settings) -> Reply | Failure:
    async with (
        serving(behaviour) as base_url,
        client_class(base_url=base_url, api_key=None, concurrency=1, **settings) as client,
    ):
        return await client.complete(REQUEST)


@pytest.mark.parametrize("client_class", CLIENTS)
@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (saying(then=reset), FailureKind.CONNECTION),
        (saying(b"HTTP/1.1 20"), FailureKind.CONNECTION),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), FailureKind.CONNECTION),
        (saying(WHOLE[:-5]), FailureKind.STREAM_CUT),
        (saying(WHOLE[:-5], then=reset), FailureKind.STREAM_CUT),
        (saying(HEAD + b"\r\n" + BODY[:-5]), FailureKind.MALFORMED),
        (flooding, FailureKind.MALFORMED),
    ],
)
async def test_a_connection_that_breaks_is_a_failure(behaviour, kind, client_class):
    result = await ask(behaviour, client_class)
    assert isinstance(result, Failure)
    assert result.kind is kind
    assert result.detail


@pytest.mark.parametrize(("client_class", "event"), [(OpenAIClient, EVENT), (AnthropicClient, MESSAGE_EVENT)])
@pytest.mark.parametrize("then", [None, reset])
async def test_a_stream_that_breaks_was_cut(then, client_class, event):
    result = await ask(saying(STREAM_HEAD, chunk(event), then=then), client_class, stream=True)
    assert isinstance(result, Failure)
    assert result.kind is FailureKind.STREAM_CUT


async def test_a_port_where_nobody_listens_is_a_failure_to_connect():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with OpenAIClient(base_url=f"http://127.0.0.1:{port}", api_key=None, concurrency=1) as client:
        result = await client.complete(REQUEST)
    assert isinstance(result, Failure)
    assert result.kind is FailureKind.CONNECTION


@pytest.mark.parametrize("client_class", CLIENTS)
@pytest.mark.parametrize(
    ("behaviour", "settings", "words"),
    [
        (silent, {"first_byte_timeout_s": 0.1}, "no first byte of a reply for 0.1 s"),
        (silent, {"total_timeout_s": 0.1}, "no complete reply within 0.1 s in total"),
        (dripping, {"total_timeout_s": 0.2}, "no complete reply within 0.2 s in total"),
    ],
)
async def test_a_server_that_keeps_one_waiting_times_out(behaviour, settings, words, client_class):
    result = await ask(behaviour, client_class, **settings)
    assert isinstance(result, Failure)
    assert (result.kind, result.detail) == (FailureKind.TIMEOUT, words)


async def test_connections_are_kept_and_a_failed_one_does_no_harm():
    connections = 0

    async def behaviour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for answered in range(3):
            await read_request(reader)
            if connections == 1 and answered == 2:
                return reset(writer)
            writer.write(WHOLE)
            await writer.drain()
        return None

    async with (
        serving(behaviour) as base_url,
        OpenAIClient(base_url=base_url, api_key=None, concurrency=1) as client,
    ):
        results = [type(await client.complete(REQUEST)) for _ in range(5)]
    assert results == [Reply, Reply, Failure, Reply, Reply]
    assert connections == 2


async def test_a_connection_that_is_never_made_times_out(monkeypatch):
    async def never(*arguments, **settings):
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    async with OpenAIClient(
        base_url="http://127.0.0.1:9/v1", api_key=None, concurrency=1, connect_timeout_s=0.05
    ) as client:
        result = await client.complete(REQUEST)
    assert isinstance(result, Failure)
    assert (result.kind, result.detail) == (FailureKind.CONNECTION, "no connection within 0.05 s")


async def test_a_server_without_tls_is_a_failure_to_connect():
    async def behaviour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(WHOLE)

    async with serving(behaviour) as base_url:
        secure = base_url.replace("http://", "https://")
        async with OpenAIClient(base_url=secure, api_key=None, concurrency=1) as client:
            result = await client.complete(REQUEST)
    assert isinstance(result, Failure)
    assert result.kind is FailureKind.CONNECTION
