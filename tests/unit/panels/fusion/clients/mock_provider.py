"""A provider behind a mock transport, in each wire format: what it says whole, in pieces, and when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import httpx

from panels.fusion.clients.anthropic import AnthropicClient
from panels.fusion.clients.exchange import HostedClient
from panels.fusion.clients.openai import OpenAIClient
from panels.fusion.types import Failure, Message, ModelRequest, Reply, Sampling

KEY = "sk-secret-0123456789"
REQUEST = ModelRequest(
    model="maker/model", messages=(Message(role="user", content="Capital of France?"),), sampling=Sampling(max_tokens=9)
)
COMMENT = b": OPENROUTER PROCESSING\n\n"
Handler = Callable[[httpx.Request], httpx.Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """The answer "Paris", of "maker/model-2026", in a wire format. ``error`` is an event, ``end`` ends a stream."""

    client: type[HostedClient]
    completion: Mapping[str, object]
    first: bytes
    last: bytes
    error: bytes
    end: bytes

    @property
    def events(self) -> bytes:
        return COMMENT + self.first + self.last + self.end


OPENAI = Spoken(
    client=OpenAIClient,
    completion={
        "id": "r1",
        "model": "maker/model-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "cost": 0.00014},
    },
    first=b'data: {"id":"r1","choices":[{"index":0,"delta":{"content":"Pa"},"finish_reason":null}]}\n\n',
    last=b'data: {"id":"r1","choices":[{"index":0,"delta":{"content":"ris"},"finish_reason":"stop"}]}\n\n',
    error=b'data: {"error":{"message":"died","code":502},"choices":[{"finish_reason":"error"}]}\n\n',
    end=b"data: [DONE]\n\n",
)
ANTHROPIC = Spoken(
    client=AnthropicClient,
    completion={
        "id": "r1",
        "type": "message",
        "role": "assistant",
        "model": "maker/model-2026",
        "content": [{"type": "text", "text": "Paris"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 12, "output_tokens": 3},
    },
    first=b"event: message_start\n"
    b'data: {"type":"message_start","message":{"id":"r1","usage":{"input_tokens":12,"output_tokens":1}}}\n\n'
    b'event: ping\ndata: {"type":"ping"}\n\n'
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Pa"}}\n\n',
    last=b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ris"}}\n\n'
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}\n\n',
    error=b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"died"}}\n\n',
    end=b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)


class Chunks(httpx.AsyncByteStream):
    """A body in chunks; an exception in their place is raised, a number is waited for."""

    def __init__(self, *parts: bytes | Exception | float) -> None:
        self.parts = parts
        self.read_to_the_end = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            if isinstance(part, bytes):
                yield part
            else:
                await asyncio.sleep(part)
        self.read_to_the_end = True


def open_client(spoken: Spoken, handler: Handler, **settings) -> HostedClient:
    settings = {"base_url": "https://provider.test/v1", "api_key": KEY, "concurrency": 2, **settings}
    return spoken.client(**settings, transport=httpx.MockTransport(handler))


async def ask(spoken: Spoken, response: httpx.Response | Exception, **settings) -> Reply | Failure:
    def handler(request: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    async with open_client(spoken, handler, **settings) as opened:
        return await opened.complete(REQUEST)


async def fail(spoken: Spoken, response: httpx.Response | Exception, **settings) -> Failure:
    result = await ask(spoken, response, **settings)
    assert isinstance(result, Failure)
    return result


def events(*parts: bytes | Exception | float, content_type: str = "text/event-stream") -> httpx.Response:
    return httpx.Response(200, headers={"content-type": content_type}, stream=Chunks(*parts))
