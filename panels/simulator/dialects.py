"""The wire formats that the simulated models answer in. What they say and when does not depend on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from panels.simulator import chat_request, messages_request, messages_wire, wire
from panels.simulator.chat_request import ChatRequest
from panels.simulator.faults import ProviderError
from panels.simulator.wire import Completion


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """``stream_pieces`` are the events that leave together, in order, without ``stream_end``, which ends the stream.

    ``late_error`` are the events that follow the pieces of a stream that an error ends; ``broken_body`` is what the
    same error makes of a reply in one piece. ``keepalive`` is what a stream says while there is nothing to say.
    """

    id_prefix: str
    parse_request: Callable[[bytes], ChatRequest]
    error_body: Callable[[ProviderError], bytes]
    completion_body: Callable[[Completion], bytes]
    stream_pieces: Callable[[Completion, ChatRequest], list[bytes]]
    late_error: Callable[[Completion, ProviderError], list[bytes]]
    broken_body: Callable[[Completion, ProviderError], bytes]
    keepalive: bytes
    stream_end: bytes


OPENAI = Dialect(
    id_prefix="chatcmpl-",
    parse_request=chat_request.parse_request,
    error_body=lambda error: wire.error_body(
        message=error.message, type=error.type, param=error.param, code=error.code
    ),
    completion_body=wire.completion_body,
    stream_pieces=lambda completion, request: wire.stream_pieces(completion, include_usage=request.include_usage),
    late_error=lambda completion, error: [
        wire.error_event(completion, message=error.message, code=str(error.status)),
        wire.STREAM_END,
    ],
    broken_body=lambda completion, error: wire.broken_body(completion, message=error.message, code=str(error.status)),
    keepalive=wire.KEEPALIVE,
    stream_end=wire.STREAM_END,
)
ANTHROPIC = Dialect(
    id_prefix="msg_",
    parse_request=messages_request.parse_request,
    error_body=lambda error: messages_wire.error_body(message=error.message, status=error.status),
    completion_body=messages_wire.completion_body,
    stream_pieces=lambda completion, _request: messages_wire.stream_pieces(completion),
    late_error=lambda _completion, error: [messages_wire.error_event(message=error.message, status=error.status)],
    # A message has no place for an error beside its text.
    broken_body=lambda _completion, error: messages_wire.error_body(message=error.message, status=error.status),
    keepalive=messages_wire.KEEPALIVE,
    stream_end=messages_wire.STREAM_END,
)
