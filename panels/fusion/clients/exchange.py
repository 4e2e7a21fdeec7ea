"""Requests to a provider over httpx, whatever its wire format. Whatever the provider does comes back as a value."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import ClassVar, Protocol, Self

import httpx

from panels.fusion.clients.failures import describe_body, failure_of_status, parse_retry_after
from panels.fusion.clients.payloads import (
    StreamedReply,
    UnreadablePayload,
    load_payload,
    name_of,
    region_of,
    without_lone_surrogates,
)
from panels.fusion.clients.peers import PeerRules
from panels.fusion.clients.sse import EventDecoder
from panels.fusion.clients.transport import LeanTransport
from panels.fusion.types import Failure, FailureKind, ModelRequest, Reply

MAX_BODY_BYTES = 8 * 2**20
MAX_ERROR_BYTES = 64 * 2**10
MAX_DETAIL_CHARS = 300
# Shorter values are no keys, and words like them stand in any message.
_SHORTEST_SECRET = 8
# Azure's, and what servers of one's own are most simply told to send.
_REGION_HEADERS = ("x-ms-region", "x-region")
# After its last event a stream ends at once or is not worth its connection.
_STREAM_TAIL_S = 0.25


class BadConnectionSettings(ValueError):
    """An address or key that no request could be sent with. The message never holds the key."""


class BodyTooLarge(Exception):
    """The provider sent more than any reply needs."""


class BodyWriter(Protocol):
    """The body as it goes over the wire. Its length bounds the input tokens from above."""

    def __call__(self, request: ModelRequest, *, stream: bool = False) -> bytes: ...


class PayloadReader(Protocol):
    """The reply in a body that came with status 200, or why it is none."""

    def __call__(self, payload: object, *, latency_s: float) -> Reply | Failure: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFormat:
    """How a family of providers is spoken to. Addresses are made from a base URL, headers from a key (may be empty)."""

    address: Callable[[str], str]
    listing_address: Callable[[str], str]
    headers: Callable[[str], dict[str, str]]
    request_body: BodyWriter
    result_of_payload: PayloadReader
    open_stream: Callable[[], StreamedReply]


def canonical_body(content: dict[str, object]) -> bytes:
    """Canonical JSON in UTF-8: the same content is the same bytes."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """Seconds. ``first_byte`` also bounds every later silence."""

    connect: float
    first_byte: float
    total: float

    def for_transport(self) -> dict[str, float]:
        return {"connect": self.connect, "read": self.first_byte}


class HostedClient:
    """A ``ModelClient`` for one provider and key, in the ``wire`` format of its class.

    ``model`` of a request is the provider's own id. At most ``concurrency`` requests are under way; further ones wait
    here, which counts to no time limit and no latency. Belongs to one event loop. Every failure of the provider is a
    Failure; nothing is tried twice.
    """

    wire: ClassVar[WireFormat]

    def __init__(  # noqa: PLR0913 - the settings of a connection, each with a default that holds for most providers
        self,
        *,
        base_url: str,
        api_key: str | None,
        concurrency: int,
        connect_timeout_s: float = 5,
        first_byte_timeout_s: float = 30,
        total_timeout_s: float = 60,
        stream: bool = False,
        headers: Iterable[tuple[str, str]] = (),
        peers: PeerRules | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if concurrency < 1:
            raise BadConnectionSettings(f"At least one request must be allowed at a time, not {concurrency}.")
        self._url = _read_address(base_url, self.wire)
        headers = tuple(headers)
        key = _read_key(api_key)
        values = (key, *(value for _, value in headers))
        self._secrets = tuple(value for value in values if len(value) >= _SHORTEST_SECRET)
        self._headers = _build_headers(self._url, headers, self.wire.headers(key), stream=stream)
        self._limits = _Limits(connect=connect_timeout_s, first_byte=first_byte_timeout_s, total=total_timeout_s)
        self._extensions = {"timeout": self._limits.for_transport()}
        self._stream = stream
        # Calls queue here and nowhere below: a transport's own queue costs more the longer it is.
        self._places = asyncio.Semaphore(concurrency)
        self._transport = transport or LeanTransport(peers=peers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        body = self.wire.request_body(request, stream=self._stream)
        async with self._places:
            result = await self._attempt(body)
        return result if isinstance(result, Reply) else self._publishable(result)

    async def _attempt(self, body: bytes) -> Reply | Failure:
        started = perf_counter()
        response = None
        try:
            async with asyncio.timeout(self._limits.total):
                response = await self._transport.handle_async_request(self._request(body))
                return _identify(await self._read(response, started), response)
        except (TimeoutError, httpx.HTTPError, BodyTooLarge) as error:
            failure = _failure_of_exchange(error, self._limits, answered=response is not None)
            return replace(failure, latency_s=perf_counter() - started)
        finally:
            if response is not None:
                await response.aclose()

    def _request(self, body: bytes) -> httpx.Request:
        # Given a stream, httpx adds no headers of its own, which took it longer than sending the request does.
        return httpx.Request(
            "POST",
            self._url,
            headers=[*self._headers, (b"content-length", b"%d" % len(body))],
            stream=httpx.ByteStream(body),
            extensions=self._extensions,
        )

    async def _read(self, response: httpx.Response, started: float) -> Reply | Failure:
        if not response.is_success:
            return await _read_error_response(response, started)
        content_type = response.headers.get("content-type", "")
        # The provider decides: some answer a request for a stream in one piece.
        if "event-stream" in content_type or (self._stream and not ("json" in content_type or "html" in content_type)):
            return await _read_stream(self.wire.open_stream(), response, started)
        return await _read_body(self.wire, response, started)

    def _publishable(self, failure: Failure) -> Failure:
        """Without what a provider or a library may have quoted from our own headers, and of bounded length."""
        detail = without_lone_surrogates(failure.detail.replace("\x00", ""))
        for secret in self._secrets:
            detail = detail.replace(secret, "***")
        return replace(failure, detail=detail[:MAX_DETAIL_CHARS])


def _identify(result: Reply | Failure, response: httpx.Response) -> Reply | Failure:
    """With the id of the request, which a provider's support asks for, and the region, where the body named none."""
    if result.response_id and result.region:
        return result
    headers = response.headers
    return replace(
        result,
        response_id=result.response_id or name_of(headers.get("request-id", headers.get("x-request-id"))),
        region=result.region or region_of(next((headers[name] for name in _REGION_HEADERS if name in headers), None)),
    )


def _read_key(api_key: str | None) -> str:
    key = (api_key or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise BadConnectionSettings("The API key holds characters that cannot be sent in a header.")
    return key


def _read_address(base_url: str, wire: WireFormat) -> httpx.URL:
    try:
        url = httpx.URL(wire.address(base_url))
    except httpx.InvalidURL as error:
        raise BadConnectionSettings(f"The address {base_url!r} cannot be read: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise BadConnectionSettings(f"The address {base_url!r} must start with http:// or https:// and name a host.")
    return url


def _build_headers(
    url: httpx.URL, extra: tuple[tuple[str, str], ...], authorisation: dict[str, str], *, stream: bool
) -> list[tuple[bytes, bytes]]:
    headers = httpx.Headers(
        {
            "host": url.netloc.decode("ascii"),
            "accept": "text/event-stream" if stream else "application/json",
            # Replies are small; what is not compressed cannot be a bomb.
            "accept-encoding": "identity",
            "content-type": "application/json",
            "user-agent": "quorum",
        }
    )
    headers.update(authorisation)
    headers.update(extra)
    return headers.raw


async def _read_error_response(response: httpx.Response, started: float) -> Failure:
    # The status counts even when its explanation does not come through.
    body = bytearray()
    with suppress(httpx.HTTPError):
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_ERROR_BYTES:
                break
    payload: object = None
    with suppress(UnreadablePayload):
        payload = load_payload(bytes(body))
    return failure_of_status(
        status_code=response.status_code,
        payload=payload,
        body=body.decode("utf-8", "replace"),
        retry_after_s=parse_retry_after(response.headers.get("retry-after"), now=datetime.now(UTC)),
        latency_s=perf_counter() - started,
    )


async def _read_body(wire: WireFormat, response: httpx.Response, started: float) -> Reply | Failure:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        _check_size(len(body))
    latency_s = perf_counter() - started
    try:
        payload = load_payload(bytes(body))
    except UnreadablePayload as error:
        detail = f"no JSON in a response of status {response.status_code} ({error}): "
        detail += describe_body(body.decode("utf-8", "replace"))
        return Failure(kind=FailureKind.MALFORMED, detail=detail, status_code=response.status_code, latency_s=latency_s)
    return wire.result_of_payload(payload, latency_s=latency_s)


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise BodyTooLarge(f"the body is larger than {MAX_BODY_BYTES} bytes")


async def _read_stream(streamed: StreamedReply, response: httpx.Response, started: float) -> Reply | Failure:
    chunks = response.aiter_bytes()
    try:
        await _read_events(chunks, streamed, started)
    except UnreadablePayload as error:
        detail = f"an event of the stream is no JSON: {error}"
        return Failure(kind=FailureKind.MALFORMED, detail=detail, latency_s=perf_counter() - started)
    except httpx.HTTPError as error:
        if not streamed.finished:
            if isinstance(error, httpx.TimeoutException):
                raise
            return streamed.cut(f"the connection broke: {_words(error)}", latency_s=perf_counter() - started)
    if streamed.done:
        await _drain(chunks)
    return streamed.failure or streamed.result(elapsed_s=perf_counter() - started)


async def _read_events(chunks: AsyncIterator[bytes], streamed: StreamedReply, started: float) -> None:
    decoder = EventDecoder()
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        _check_size(size)
        for data in decoder.feed(chunk):
            streamed.add(data, elapsed_s=perf_counter() - started)
            if streamed.done or streamed.failure:
                return
    # An event cut off in the middle is no JSON: the stream's missing end tells it.
    with suppress(UnreadablePayload):
        for data in decoder.flush():
            streamed.add(data, elapsed_s=perf_counter() - started)


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read to the end of the body, without which the connection could not be used again."""
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_STREAM_TAIL_S):
            async for _ in chunks:
                pass


def _failure_of_exchange(error: Exception, limits: _Limits, *, answered: bool) -> Failure:
    if isinstance(error, TimeoutError):
        return Failure(kind=FailureKind.TIMEOUT, detail=f"no complete reply within {limits.total:g} s in total")
    if isinstance(error, httpx.ConnectTimeout):
        # Nothing was sent, so it may be tried again; after the other time limits the reply may have been billed.
        return Failure(kind=FailureKind.CONNECTION, detail=f"no connection within {limits.connect:g} s")
    if isinstance(error, httpx.TimeoutException):
        what = "silent in the middle of the reply" if answered else "no first byte of a reply"
        return Failure(kind=FailureKind.TIMEOUT, detail=f"{what} for {limits.first_byte:g} s")
    if isinstance(error, BodyTooLarge | httpx.DecodingError):
        return Failure(kind=FailureKind.MALFORMED, detail=_words(error))
    if answered:
        return Failure(kind=FailureKind.STREAM_CUT, detail=f"the connection broke: {_words(error)}")
    return Failure(kind=FailureKind.CONNECTION, detail=_words(error))


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
