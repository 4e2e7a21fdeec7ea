"""HTTP/1.1 over asyncio, as lean as one request at a time on a connection allows. Source: RFC 9112.

httpx's own transport costs a millisecond of processor time per call, most of it in its pool and in the layers under
it, which a run of a thousand examples feels. This one keeps idle connections on a stack and reads responses from the
protocol's buffer. It knows neither proxies nor redirects nor HTTP/2; what is not plain HTTP/1.1 is an error.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from functools import cache
from ipaddress import ip_address
from typing import cast

import httpx

from panels.fusion.clients.peers import Address, PeerRules, names_this_machine

KEEPALIVE_S = 30.0
MAX_HEAD_BYTES = 64 * 2**10
_PAUSE_BYTES = 256 * 2**10
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: .*)?")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*?)[ \t]*")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_DIGITS = re.compile(rb"[0-9]{1,15}")

Headers = list[tuple[bytes, bytes]]


@cache
def shared_ssl_context() -> ssl.SSLContext:
    """One for the process: loading the certificate store takes tens of milliseconds."""
    return httpx.create_ssl_context(trust_env=False)


class Connection(asyncio.Protocol):
    """A connection's bytes, buffered. Waits for more of them no longer than ``timeout_s``."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: Exception | None = None
        self.timeout_s: float | None = None
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > _PAUSE_BYTES:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        self._error = error
        self._wake()

    @property
    def is_reusable(self) -> bool:
        """Open, with nothing left over, and not idle for so long that the server may be about to close it."""
        fresh = self._loop.time() - self.idle_since < KEEPALIVE_S
        return fresh and not (self._ended or self._buffer)

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    @property
    def peer(self) -> Address | None:
        """The address at the other end; None where there is no network between."""
        name = self._transport.get_extra_info("peername")
        return ip_address(name[0].partition("%")[0]) if name else None

    def abort(self) -> None:
        self._transport.abort()

    async def read_until(self, mark: bytes, *, limit: int) -> bytes:
        """Up to and without ``mark``, which is consumed."""
        start = 0
        while (end := self._buffer.find(mark, start)) < 0:
            start = max(0, len(self._buffer) - len(mark) + 1)
            if len(self._buffer) > limit:
                raise httpx.RemoteProtocolError(f"a head or line of the response is longer than {limit} bytes")
            await self._wait_for_more()
        data = self._take(end)
        del self._buffer[: len(mark)]
        return data

    async def read_some(self, most: int) -> bytes:
        """At least one byte, at most ``most``."""
        if not self._buffer:
            await self._wait_for_more()
        return self._take(min(most, len(self._buffer)))

    async def read_rest(self) -> AsyncIterator[bytes]:
        """Until the server closes the connection."""
        while self._buffer or not self._ended:
            if self._buffer:
                yield self._take(len(self._buffer))
            else:
                await self._wait_once()
        if self._error is not None:
            raise httpx.ReadError(str(self._error))

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _wait_for_more(self) -> None:
        before = len(self._buffer)
        while len(self._buffer) == before:
            if self._error is not None:
                raise httpx.ReadError(str(self._error))
            if self._ended:
                raise httpx.RemoteProtocolError("the server closed the connection before its response was complete")
            await self._wait_once()

    async def _wait_once(self) -> None:
        self._transport.resume_reading()
        self._waiter = waiter = self._loop.create_future()
        timer = None if self.timeout_s is None else self._loop.call_later(self.timeout_s, _expire, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(httpx.ReadTimeout("silence"))


class LeanTransport(httpx.AsyncBaseTransport):
    """Opens a connection whenever none is idle; how many there are is up to the caller. Belongs to one event loop."""

    def __init__(self, *, peers: PeerRules | None = None) -> None:
        self._idle: list[Connection] = []
        self._closed = False
        self._peers = peers or PeerRules()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions.get("timeout", {})
        connection = self._reuse() or await self._open(request.url, timeout_s=timeouts.get("connect"))
        connection.timeout_s = timeouts.get("read")
        try:
            connection.send(_serialise_head(request) + await request.aread())
            version, status, headers = await _read_head(connection)
            body = _Body(self, connection, headers, status=status, version=version)
        except BaseException:
            connection.abort()
            raise
        return httpx.Response(status, headers=headers, stream=body)

    def keep(self, connection: Connection) -> None:
        """Take back a connection whose response was read to its end."""
        if self._closed:
            connection.abort()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)

    async def aclose(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().abort()

    async def _open(self, url: httpx.URL, *, timeout_s: float | None) -> Connection:
        """A name is looked at where it led to: whoever holds the name may have it lead elsewhere today."""
        connection = await _connect(url, timeout_s=timeout_s)
        if connection.peer is not None:
            problem = self._peers.problem(connection.peer, names_itself=names_this_machine(url.host))
            if problem is not None:
                connection.abort()
                raise httpx.ConnectError(f"nothing was sent to {connection.peer}: {problem}")
        return connection

    def _reuse(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable:
                return connection
            connection.abort()
        return None


async def _connect(url: httpx.URL, *, timeout_s: float | None) -> Connection:
    secure = url.scheme == "https"
    host = url.raw_host.decode("ascii")
    try:
        async with asyncio.timeout(timeout_s):
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection,
                host,
                url.port or (443 if secure else 80),
                ssl=shared_ssl_context() if secure else None,
                happy_eyeballs_delay=0.25,
            )
    except TimeoutError as error:
        raise httpx.ConnectTimeout("no connection") from error
    except OSError as error:
        raise httpx.ConnectError(str(error)) from error
    return connection


def _serialise_head(request: httpx.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [name + b": " + value for name, value in request.headers.raw]
    if any(b"\r" in line or b"\n" in line for line in lines):
        raise httpx.LocalProtocolError("a header of the request holds a line break")
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def _read_head(connection: Connection) -> tuple[int, int, Headers]:
    """Minor version, status and headers of the response; interim responses are passed over."""
    while True:
        lines = (await connection.read_until(b"\r\n\r\n", limit=MAX_HEAD_BYTES)).split(b"\r\n")
        first = _STATUS_LINE.fullmatch(lines[0])
        if first is None:
            raise httpx.RemoteProtocolError("the response does not start as HTTP/1.1 does")
        if int(first[2]) >= 200:
            return int(first[1]), int(first[2]), [_read_header(line) for line in lines[1:]]


def _read_header(line: bytes) -> tuple[bytes, bytes]:
    match = _HEADER_LINE.fullmatch(line)
    if match is None:
        raise httpx.RemoteProtocolError("a header of the response cannot be read")
    return match[1].lower(), match[2]


class _Body(httpx.AsyncByteStream):
    """The body of one response. Closing it gives the connection back, if it was read to its end."""

    def __init__(
        self, transport: LeanTransport, connection: Connection, headers: Headers, *, status: int, version: int
    ) -> None:
        self._transport = transport
        self._connection = connection
        self._chunked = _is_chunked(headers)
        self._length = 0 if status in (204, 304) else None if self._chunked else _content_length(headers)
        options = b",".join(value.lower() for name, value in headers if name == b"connection")
        ends_by_closing = not self._chunked and self._length is None
        self._reusable = version == 1 and b"close" not in options and not ends_by_closing
        self._complete = self._length == 0
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._length is not None:
            parts = self._read_counted(self._length)
        else:
            parts = self._read_chunked() if self._chunked else self._connection.read_rest()
        async for part in parts:
            yield part
        self._complete = True

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._complete and self._reusable:
            self._transport.keep(self._connection)
        else:
            self._connection.abort()

    async def _read_counted(self, length: int) -> AsyncIterator[bytes]:
        while length:
            part = await self._connection.read_some(length)
            length -= len(part)
            yield part

    async def _read_chunked(self) -> AsyncIterator[bytes]:
        while length := await self._read_chunk_size():
            async for part in self._read_counted(length):
                yield part
            if await self._connection.read_until(b"\r\n", limit=2):
                raise httpx.RemoteProtocolError("a chunk of the response is longer than it says")
        while await self._connection.read_until(b"\r\n", limit=MAX_HEAD_BYTES):
            pass  # trailers

    async def _read_chunk_size(self) -> int:
        match = _CHUNK_SIZE.fullmatch(await self._connection.read_until(b"\r\n", limit=MAX_HEAD_BYTES))
        if match is None:
            raise httpx.RemoteProtocolError("the size of a chunk of the response cannot be read")
        return int(match[1], 16)


def _is_chunked(headers: Headers) -> bool:
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if codings not in ([], [b"chunked"]):
        raise httpx.RemoteProtocolError("the response has a transfer encoding that is not known")
    return bool(codings)


def _content_length(headers: Headers) -> int | None:
    lengths = {value for name, value in headers if name == b"content-length"}
    if not lengths:
        return None
    length = lengths.pop()
    if lengths or not _DIGITS.fullmatch(length):
        raise httpx.RemoteProtocolError("the response states its length in two ways or not as a number")
    return int(length)
