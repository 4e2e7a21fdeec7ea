"""A request for Anthropic's messages, as the same chat request that the other wire format brings."""

from __future__ import annotations

from panels.simulator.chat_request import (
    ChatRequest,
    InvalidRequest,
    read_limit,
    read_messages,
    read_model,
    read_object,
    read_text,
)

_ROLES = frozenset({"user", "assistant"})
_FIELDS = frozenset(
    {
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "top_k",
        "top_p",
    }
)


def parse_request(body: bytes) -> ChatRequest:
    """The system prompt becomes the first message. Raises InvalidRequest, also for a field that the API lacks."""
    payload = read_object(body)
    for field in payload:
        if field not in _FIELDS:
            raise InvalidRequest(f"{field}: Extra inputs are not permitted", param=field)
    system = read_text(payload.get("system", ""), param="system")
    messages = read_messages(payload, roles=_ROLES)
    return ChatRequest(
        model=read_model(payload),
        messages=(("system", system), *messages) if system else messages,
        max_tokens=read_limit(payload, "max_tokens"),
        stream=payload.get("stream") is True,
    )
