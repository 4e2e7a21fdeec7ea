"""OpenAI's chat completions as bytes, emitted strictly. What does not change is serialised once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from panels.simulator.model import SimulatedModel

_CHARS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4
_NANO = 10**9
_MAX_PIECES = 8
STREAM_END = b"data: [DONE]\n\n"
# What OpenRouter writes while a model thinks.
KEEPALIVE = b": OPENROUTER PROCESSING\n\n"
_encode = json.JSONEncoder(separators=(",", ":")).encode


class UsageTold(StrEnum):
    """Where the usage stands: where it belongs, in a stream on a chunk that has choices, or nowhere."""

    PROPERLY = "properly"
    EARLY = "early"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What is emitted. ``completion_tokens`` includes ``reasoning_tokens``; a refusal is a text too."""

    id: str
    created: int
    model: str
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int = 0
    cost_nanousd: int = 0
    refused: bool = False
    usage_told: UsageTold = UsageTold.PROPERLY


def count_tokens(text: str) -> int:
    """The simulator's rule: a token per four characters, rounded up."""
    return -(-len(text) // _CHARS_PER_TOKEN)


def count_prompt_tokens(messages: Sequence[tuple[str, str]]) -> int:
    """Tokens of the texts, and four for each message around them."""
    return sum(_TOKENS_PER_MESSAGE + count_tokens(text) for _, text in messages)


def complete(
    *,
    model: SimulatedModel,
    text: str,
    messages: Sequence[tuple[str, str]],
    max_tokens: int,
    completion_id: str,
    created: int,
    refused: bool = False,
    usage_told: UsageTold = UsageTold.PROPERLY,
) -> Completion:
    """The text cut to ``max_tokens``, reasoning first, with what it used and cost."""
    reasoning = min(model.reasoning_tokens, max_tokens)
    room = (max_tokens - reasoning) * _CHARS_PER_TOKEN
    prompt_tokens = count_prompt_tokens(messages)
    completion_tokens = reasoning + count_tokens(text[:room])
    return Completion(
        id=completion_id,
        created=created,
        model=model.id,
        text=text[:room],
        finish_reason="length" if len(text) > room else "stop",
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        reasoning_tokens=reasoning,
        cost_nanousd=prompt_tokens * model.nanousd_per_token_in + completion_tokens * model.nanousd_per_token_out,
        refused=refused,
        usage_told=usage_told,
    )


def error_body(*, message: str, type: str, param: str | None = None, code: str | None = None) -> bytes:
    return _encode({"error": {"message": message, "type": type, "param": param, "code": code}}).encode()


def _usage(completion: Completion) -> str:
    dollars = f"{completion.cost_nanousd // _NANO}.{completion.cost_nanousd % _NANO:09d}"
    return (
        f'{{"prompt_tokens":{completion.prompt_tokens},"completion_tokens":{completion.completion_tokens},'
        f'"total_tokens":{completion.prompt_tokens + completion.completion_tokens},'
        '"prompt_tokens_details":{"cached_tokens":0},'
        f'"completion_tokens_details":{{"reasoning_tokens":{completion.reasoning_tokens}}},"cost":{dollars}}}'
    )


def completion_body(completion: Completion) -> bytes:
    text = _encode(completion.text)
    content, refusal = ("null", text) if completion.refused else (text, "null")
    usage = "" if completion.usage_told is UsageTold.NEVER else f',"usage":{_usage(completion)}'
    return (
        f'{{"id":"{completion.id}","object":"chat.completion","created":{completion.created},'
        f'"model":{_encode(completion.model)},"choices":[{{"index":0,"message":{{"role":"assistant",'
        f'"content":{content},"refusal":{refusal}}},"logprobs":null,'
        f'"finish_reason":"{completion.finish_reason}"}}]{usage}}}'
    ).encode()


def broken_body(completion: Completion, *, message: str, code: str) -> bytes:
    """A body of status 200 whose choice broke off in the middle, as OpenRouter sends it."""
    error = {"message": message, "type": "server_error", "param": None, "code": code}
    half = completion.text[: len(completion.text) // 2]
    said = {"role": "assistant", "content": half, "refusal": None}
    choice = {"index": 0, "message": said, "finish_reason": "error", "error": error}
    head = {"id": completion.id, "object": "chat.completion", "created": completion.created, "model": completion.model}
    return _encode({**head, "choices": [choice]}).encode()


def stream_pieces(completion: Completion, *, include_usage: bool) -> list[bytes]:
    """The events of a stream in order, without the one that ends it: role, pieces of text, reason, usage."""
    head = (
        f'data: {{"id":"{completion.id}","object":"chat.completion.chunk","created":{completion.created},'
        f'"model":{_encode(completion.model)},"choices":['
    )
    told = completion.usage_told
    include_usage = include_usage and told is not UsageTold.NEVER
    tail = '],"usage":null}\n\n' if include_usage else "]}\n\n"
    last = f'],"usage":{_usage(completion)}}}\n\n'
    usage_early = include_usage and told is UsageTold.EARLY
    key = "refusal" if completion.refused else "content"
    deltas = [f'{{"role":"assistant","{key}":""}}']
    deltas += [f'{{"{key}":{_encode(piece)}}}' for piece in cut_text(completion.text)]
    events = [f'{head}{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":null}}{tail}' for delta in deltas]
    end = f'{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{completion.finish_reason}"}}'
    events.append(f"{head}{end}{last if usage_early else tail}")
    if include_usage and not usage_early:
        events.append(f"{head}{last}")
    return [event.encode() for event in events]


def error_event(completion: Completion, *, message: str, code: str) -> bytes:
    """The chunk with which a provider gives up in the middle of a stream, as OpenRouter sends it."""
    chunk = {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.model,
        "error": {"message": message, "type": "server_error", "param": None, "code": code},
        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
    }
    return f"data: {_encode(chunk)}\n\n".encode()


def cut_text(text: str) -> list[str]:
    """Whole words in at most eight pieces; joined they are the text."""
    words = text.split(" ")
    size = -(-len(words) // _MAX_PIECES)
    pieces = [" ".join(words[start : start + size]) for start in range(0, len(words), size)]
    return [piece if index == 0 else f" {piece}" for index, piece in enumerate(pieces) if piece or index]


def models_body(catalogue: Mapping[str, SimulatedModel], *, created: int) -> bytes:
    """The list of models, with OpenRouter's prices in dollars per token and the word that they are simulated."""
    models = [
        {
            "id": model.id,
            "object": "model",
            "created": created,
            "owned_by": "simulator",
            "simulated": True,
            "pricing": _pricing(model),
        }
        for model in catalogue.values()
    ]
    return _encode({"object": "list", "data": models}).encode()


def _pricing(model: SimulatedModel) -> dict[str, str]:
    if model.hides_price:
        # OpenRouter's word for what has no price of its own.
        return {"prompt": "-1", "completion": "-1"}
    return {"prompt": _per_token(model.price_in), "completion": _per_token(model.price_out)}


def _per_token(dollars_per_mtok: Decimal) -> str:
    return f"{(dollars_per_mtok / 10**6).normalize():f}"
