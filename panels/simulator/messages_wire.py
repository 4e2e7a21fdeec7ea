"""Anthropic's messages as bytes, emitted strictly."""

from __future__ import annotations

import json

from panels.simulator.wire import Completion, UsageTold, cut_text

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens"}
_ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_encode = json.JSONEncoder(separators=(",", ":")).encode


def error_body(*, message: str, status: int) -> bytes:
    return _encode(_error(message, status)).encode()


def _error(message: str, status: int) -> dict[str, object]:
    kind = _ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def completion_body(completion: Completion) -> bytes:
    content = [{"type": "text", "text": completion.text}] if completion.text else []
    message = _message(completion, output_tokens=completion.completion_tokens)
    return _encode(message | {"content": content, "stop_reason": _stop_reason(completion)}).encode()


def _stop_reason(completion: Completion) -> str:
    return "refusal" if completion.refused else _STOP_REASONS[completion.finish_reason]


def _message(completion: Completion, *, output_tokens: int) -> dict[str, object]:
    """A message as it starts: without content, without an end."""
    usage = {
        "input_tokens": completion.prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    }
    return {
        "id": completion.id,
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        **({"usage": usage} if _tells_usage(completion) else {}),
    }


def _tells_usage(completion: Completion) -> bool:
    return completion.usage_told is not UsageTold.NEVER


def stream_pieces(completion: Completion) -> list[bytes]:
    """What leaves together, in order, without the event that ends the stream: the start, pieces of text, the end."""
    start = [
        _event("message_start", message=_message(completion, output_tokens=1)),
        _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        _event("ping"),
    ]
    texts = [
        _event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
        for piece in cut_text(completion.text)
    ]
    usage = {"usage": {"output_tokens": completion.completion_tokens}} if _tells_usage(completion) else {}
    end = [
        _event("content_block_stop", index=0),
        _event("message_delta", delta={"stop_reason": _stop_reason(completion), "stop_sequence": None}, **usage),
    ]
    return [b"".join(start), *texts, b"".join(end)]


def error_event(*, message: str, status: int) -> bytes:
    """The event with which the provider gives up in the middle of a stream."""
    return _data("error", _error(message, status))


def _event(kind: str, **content: object) -> bytes:
    return _data(kind, {"type": kind, **content})


def _data(kind: str, content: dict[str, object]) -> bytes:
    return f"event: {kind}\ndata: {_encode(content)}\n\n".encode()


STREAM_END = _event("message_stop")
KEEPALIVE = _event("ping")
