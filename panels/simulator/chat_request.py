"""A chat request as the simulator understands it, or the error a provider would answer with."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

DEFAULT_MAX_TOKENS = 1024
OPENAI_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


class InvalidRequest(Exception):
    """A request refused before any model saw it."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """``messages`` are pairs of role and text, in order."""

    model: str
    messages: tuple[tuple[str, str], ...]
    max_tokens: int = DEFAULT_MAX_TOKENS
    seed: int | None = None
    stream: bool = False
    include_usage: bool = False


def parse_request(body: bytes) -> ChatRequest:
    """A request for an OpenAI chat completion. Raises InvalidRequest."""
    payload = read_object(body)
    if payload.get("n") not in (None, 1):
        raise InvalidRequest("The simulated models give one choice.", param="n", code="unsupported_value")
    return ChatRequest(
        model=read_model(payload),
        messages=read_messages(payload, roles=OPENAI_ROLES),
        max_tokens=_read_max_tokens(payload),
        seed=_read_seed(payload),
        stream=payload.get("stream") is True,
        include_usage=_wants_usage(payload),
    )


def read_object(body: bytes) -> dict[str, Any]:
    """Raises InvalidRequest."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("We could not parse the JSON body of your request.") from error
    if not isinstance(payload, dict):
        raise InvalidRequest("The body of the request must be a JSON object.")
    return payload


def read_model(payload: dict[str, Any]) -> str:
    """Raises InvalidRequest."""
    model = payload.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("You must provide a model parameter.", param="model")
    return model


def read_messages(payload: dict[str, Any], *, roles: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Raises InvalidRequest."""
    messages = payload.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("'messages' must be a list of at least one message.", param="messages")
    return tuple(_read_message(message, index, roles) for index, message in enumerate(messages))


def _read_message(message: object, index: int, roles: Collection[str]) -> tuple[str, str]:
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(message, dict) or role not in roles:
        raise InvalidRequest(f"'messages[{index}].role' is not a known role.", param=f"messages[{index}].role")
    return str(role), read_text(message.get("content"), param=f"messages[{index}].content")


def read_text(content: object, *, param: str) -> str:
    """A text, or the text parts of a list. Raises InvalidRequest."""
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if _is_text_part(part))
    if not isinstance(content, str):
        raise InvalidRequest(f"'{param}' must be text.", param=param)
    return content


def _is_text_part(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _read_max_tokens(payload: dict[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        if payload.get(name) is not None:
            return read_limit(payload, name)
    return DEFAULT_MAX_TOKENS


def read_limit(payload: dict[str, Any], name: str) -> int:
    """Raises InvalidRequest."""
    value = payload.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidRequest(f"'{name}' must be a whole number of at least 1.", param=name)
    return value


def _read_seed(payload: dict[str, Any]) -> int | None:
    seed = payload.get("seed")
    if seed is not None and not isinstance(seed, int):
        raise InvalidRequest("'seed' must be a whole number.", param="seed")
    return seed


def _wants_usage(payload: dict[str, Any]) -> bool:
    options = payload.get("stream_options")
    if options is None:
        return False
    if payload.get("stream") is not True or not isinstance(options, dict):
        raise InvalidRequest("'stream_options' is an object, allowed only with 'stream'.", param="stream_options")
    return options.get("include_usage") is True
