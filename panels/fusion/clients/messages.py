"""Messages of the Anthropic API, whole or streamed, as replies and failures. Lenient, like the other wire formats."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from panels.fusion.clients.failures import read_error
from panels.fusion.clients.payloads import (
    Completion,
    StreamedReply,
    failure_of_error,
    judge,
    name_of,
    read_tokens,
    region_of,
    text_of,
)
from panels.fusion.types import Failure, FailureKind, Reply, Usage

_MAX_REASON_CHARS = 40
_OUTPUT = "output_tokens"
# In the words of the other format, so that a reply means the same whoever wrote it.
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def result_of_payload(payload: object, *, latency_s: float) -> Reply | Failure:
    """The reply in a body that came with status 200, or why it is none."""
    message = payload if isinstance(payload, dict) else {}
    error = read_error(message)
    if error is not None:
        return failure_of_error(error, _read_message(message), latency_s=latency_s)
    if not isinstance(message.get("content"), list):
        return Failure(kind=FailureKind.MALFORMED, detail="no content in the body", latency_s=latency_s)
    return judge(_read_message(message), latency_s=latency_s)


def _read_message(message: dict[str, Any]) -> Completion:
    return Completion(
        text=text_of(message.get("content")),
        finish_reason=_finish_reason(message.get("stop_reason")),
        usage=read_usage(message.get("usage")),
        provider_model=name_of(message.get("model")),
        response_id=name_of(message.get("id") or message.get("request_id")),
        region=_region(message),
    )


def _finish_reason(stop_reason: object) -> str:
    reason = name_of(stop_reason, limit=_MAX_REASON_CHARS)
    return _FINISH_REASONS.get(reason, reason)


def _region(message: dict[str, Any]) -> str:
    """Where the reply was made. ``global`` says that it may have been anywhere, which is no region."""
    region = region_of(_object(message, "usage").get("inference_geo"))
    return "" if region == "global" else region


def read_usage(usage: object) -> Usage:
    """Token counts; what is missing, negative or absurd is unknown.

    ``input_tokens`` leaves out what was read from a cache or written to one. ``prompt_tokens`` includes both, so that
    the list cost is not understated: a cached token costs less than its list price, and nothing here asks for writes.
    """
    counts = usage if isinstance(usage, dict) else {}
    fresh = read_tokens(counts.get("input_tokens"))
    cached = read_tokens(counts.get("cache_read_input_tokens"))
    written = read_tokens(counts.get("cache_creation_input_tokens"))
    return Usage(
        prompt_tokens=None if fresh is None else read_tokens(fresh + (cached or 0) + (written or 0)),
        completion_tokens=read_tokens(counts.get(_OUTPUT)),
        cached_tokens=cached,
    )


@dataclass(slots=True)
class StreamedMessage(StreamedReply):
    """A message from its events. Those that carry no text, counts, reason or error (such as ping) say nothing."""

    counts: dict[str, object] = field(default_factory=dict)

    def take(self, event: dict[str, Any], *, elapsed_s: float) -> None:
        self._read_head(_object(event, "message"), _object(event, "delta"))
        self._read_usage(event)
        error = read_error(event)
        if error is not None:
            self.fail(failure_of_error(error, self.head, latency_s=elapsed_s), elapsed_s=elapsed_s)
        for block in (_object(event, "content_block"), _object(event, "delta")):
            self.add_text(text_of(block.get("text")), elapsed_s=elapsed_s)
        self.done = event.get("type") == "message_stop"

    def _read_head(self, message: dict[str, Any], delta: dict[str, Any]) -> None:
        head = self.head
        self.head = Completion(
            finish_reason=_finish_reason(delta.get("stop_reason")) or head.finish_reason,
            usage=head.usage,
            provider_model=head.provider_model or name_of(message.get("model")),
            response_id=head.response_id or name_of(message.get("id")),
            region=head.region or _region(message),
        )

    def _read_usage(self, event: dict[str, Any]) -> None:
        """Later counts replace earlier ones. The start's output is left out: it counts what was written by then."""
        start = {key: count for key, count in _object(_object(event, "message"), "usage").items() if key != _OUTPUT}
        told = start | _object(event, "usage")
        if told:
            self.counts |= {key: count for key, count in told.items() if count is not None}
            self.head = replace(self.head, usage=read_usage(self.counts))


def _object(container: dict[str, Any], key: str) -> dict[str, Any]:
    value = container.get(key)
    return value if isinstance(value, dict) else {}
