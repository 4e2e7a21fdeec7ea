"""Chat completions of the OpenAI API, whole or streamed, as replies and failures. Lenient: providers differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from panels.fusion.clients.failures import read_error
from panels.fusion.clients.payloads import (
    UNKNOWN_USAGE,
    Completion,
    StreamedReply,
    failure_of_error,
    judge,
    name_of,
    read_number,
    read_tokens,
    region_of,
    text_of,
)
from panels.fusion.types import Failure, FailureKind, Reply, Usage

_MAX_COST_USD = 10**6
_NANO = 10**9
_MAX_REASON_CHARS = 40


def result_of_payload(payload: object, *, latency_s: float) -> Reply | Failure:
    """The reply in a body that came with status 200, or why it is none."""
    failure = _failure_in(payload, latency_s=latency_s)
    if failure is not None:
        return failure
    if not isinstance(payload, dict) or not isinstance(payload.get("choices"), list):
        return Failure(kind=FailureKind.MALFORMED, detail="no choices in the body", latency_s=latency_s)
    choice = first_choice(payload)
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    completion = Completion(
        text=text_of(message.get("content")),
        refusal=text_of(message.get("refusal")),
        finish_reason=name_of(choice.get("finish_reason"), limit=_MAX_REASON_CHARS),
        usage=read_usage(payload.get("usage")),
        provider_model=name_of(payload.get("model")),
        response_id=name_of(payload.get("id")),
        region=region_of(payload.get("region")),
        served_by=name_of(payload.get("provider")),
    )
    return judge(completion, latency_s=latency_s)


def _failure_in(payload: object, *, latency_s: float) -> Failure | None:
    """The error that a body of status 200 carries, at its top or in its first choice."""
    if not isinstance(payload, dict):
        return None
    error = read_error(payload) or read_error(first_choice(payload))
    if error is None:
        return None
    completion = Completion(
        usage=read_usage(payload.get("usage")),
        provider_model=name_of(payload.get("model")),
        response_id=name_of(payload.get("id")),
        region=region_of(payload.get("region")),
        served_by=name_of(payload.get("provider")),
    )
    return failure_of_error(error, completion, latency_s=latency_s)


def first_choice(payload: dict[str, Any]) -> dict[str, Any]:
    """The choice of index 0; empty if there is none, as in the chunk that brings the usage."""
    choices = payload.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index") in (0, None):
            return choice
    return {}


def read_usage(usage: object) -> Usage:
    """Token counts and cost; what is missing, negative or absurd is unknown."""
    if not isinstance(usage, dict):
        return UNKNOWN_USAGE
    return Usage(
        prompt_tokens=read_tokens(usage.get("prompt_tokens")),
        completion_tokens=read_tokens(usage.get("completion_tokens")),
        cached_tokens=read_tokens(_nested(usage, "prompt_tokens_details", "cached_tokens")),
        reasoning_tokens=read_tokens(_nested(usage, "completion_tokens_details", "reasoning_tokens")),
        reported_cost_nanousd=_nanousd(usage.get("cost")),
    )


def _nested(usage: dict[str, Any], key: str, inner: str) -> object:
    details = usage.get(key)
    return details.get(inner) if isinstance(details, dict) else None


def _nanousd(value: object) -> int | None:
    """Dollars to the nearest nano-dollar."""
    dollars = read_number(value)
    if dollars is None or not 0 <= dollars <= _MAX_COST_USD:
        return None
    return int((dollars * _NANO).to_integral_value())


@dataclass(slots=True)
class StreamedCompletion(StreamedReply):
    """A completion from its chunks."""

    def take(self, event: dict[str, Any], *, elapsed_s: float) -> None:
        choice = first_choice(event)
        self._read_head(event, choice)
        self._read_failure(event, elapsed_s=elapsed_s)
        self._read_delta(choice, elapsed_s=elapsed_s)

    def _read_head(self, chunk: dict[str, Any], choice: dict[str, Any]) -> None:
        head = self.head
        usage = read_usage(chunk.get("usage"))
        self.head = Completion(
            finish_reason=name_of(choice.get("finish_reason"), limit=_MAX_REASON_CHARS) or head.finish_reason,
            usage=head.usage if usage == UNKNOWN_USAGE else usage,
            provider_model=head.provider_model or name_of(chunk.get("model")),
            response_id=head.response_id or name_of(chunk.get("id")),
            region=head.region or region_of(chunk.get("region")),
            served_by=head.served_by or name_of(chunk.get("provider")),
        )

    def _read_failure(self, chunk: dict[str, Any], *, elapsed_s: float) -> None:
        failure = _failure_in(chunk, latency_s=elapsed_s)
        if failure is None and self.head.finish_reason == "error":
            failure = self.cut("the provider ended the stream with an error", latency_s=elapsed_s)
        self.fail(failure, elapsed_s=elapsed_s)

    def _read_delta(self, choice: dict[str, Any], *, elapsed_s: float) -> None:
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        self.add_text(text_of(delta.get("content")), elapsed_s=elapsed_s)
        refusal = text_of(delta.get("refusal"))
        if refusal:
            self.refusals.append(refusal)
