"""Chat completions of the OpenAI API, whole or streamed, as replies and failures. Lenient: providers differ."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from panels.fusion.clients.failures import classify, read_error
from panels.fusion.types import Failure, FailureKind, Reply, Usage

_MAX_TOKENS = 10**9
_MAX_COST_USD = 10**6
_NANO = 10**9
_MAX_NAME_CHARS = 200
_MAX_REASON_CHARS = 40
_UNKNOWN_USAGE = Usage()
STREAM_END = "[DONE]"


class UnreadablePayload(Exception):
    """A body or an event that is no JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a completion said, before it is judged. ``text`` and ``refusal`` are empty where there is none."""

    text: str = ""
    refusal: str = ""
    finish_reason: str = ""
    usage: Usage = _UNKNOWN_USAGE
    provider_model: str = ""
    response_id: str = ""


def load_payload(raw: str | bytes) -> object:
    """JSON with fractions as Decimal, since money is among them. Raises UnreadablePayload."""
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=lambda _: None)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise UnreadablePayload(str(error)) from error


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
        finish_reason=_name(choice.get("finish_reason"), limit=_MAX_REASON_CHARS),
        usage=read_usage(payload.get("usage")),
        provider_model=_name(payload.get("model")),
        response_id=_name(payload.get("id")),
    )
    return judge(completion, latency_s=latency_s)


def judge(completion: Completion, *, latency_s: float, first_token_s: float | None = None) -> Reply | Failure:
    """A completion with text that was not refused is a reply."""
    if completion.refusal.strip() or completion.finish_reason == "content_filter":
        why = completion.refusal.strip() or "stopped by the provider's content filter"
        return _failure(FailureKind.REFUSED, why, completion, latency_s=latency_s)
    if not completion.text.strip():
        why = f"empty completion, finish_reason {completion.finish_reason or 'missing'}"
        return _failure(FailureKind.EMPTY, why, completion, latency_s=latency_s)
    return Reply(
        text=without_lone_surrogates(completion.text),
        usage=completion.usage,
        latency_s=latency_s,
        first_token_s=first_token_s,
        finish_reason=completion.finish_reason,
        provider_model=completion.provider_model,
        response_id=completion.response_id,
    )


def _failure(kind: FailureKind, detail: str, completion: Completion, *, latency_s: float) -> Failure:
    return Failure(
        kind=kind,
        detail=detail,
        latency_s=latency_s,
        usage=completion.usage,
        provider_model=completion.provider_model,
        response_id=completion.response_id,
    )


def _failure_in(payload: object, *, latency_s: float) -> Failure | None:
    """The error that a body of status 200 carries, at its top or in its first choice."""
    if not isinstance(payload, dict):
        return None
    choice = first_choice(payload)
    error = read_error(payload) or read_error(choice)
    if error is None:
        return None
    return Failure(
        kind=classify(error, status_code=error.status),
        detail=f"error in a response of status 200: {error.message}",
        status_code=error.status or 200,
        latency_s=latency_s,
        usage=read_usage(payload.get("usage")),
        provider_model=_name(payload.get("model")),
        response_id=_name(payload.get("id")),
    )


def first_choice(payload: dict[str, Any]) -> dict[str, Any]:
    """The choice of index 0; empty if there is none, as in the chunk that brings the usage."""
    choices = payload.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index") in (0, None):
            return choice
    return {}


def text_of(content: object) -> str:
    """The text of a message's content: a string, or a list of parts. Free of what databases refuse to store."""
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if _is_text_part(part))
    return content.replace("\x00", "") if isinstance(content, str) else ""


def _is_text_part(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def without_lone_surrogates(text: str) -> str:
    """Halves of a surrogate pair, joined where both came (a stream may cut between them), else replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _name(value: object, *, limit: int = _MAX_NAME_CHARS) -> str:
    return without_lone_surrogates(text_of(value))[:limit]


def read_usage(usage: object) -> Usage:
    """Token counts and cost; what is missing, negative or absurd is unknown."""
    if not isinstance(usage, dict):
        return _UNKNOWN_USAGE
    return Usage(
        prompt_tokens=_tokens(usage.get("prompt_tokens")),
        completion_tokens=_tokens(usage.get("completion_tokens")),
        cached_tokens=_tokens(_nested(usage, "prompt_tokens_details", "cached_tokens")),
        reasoning_tokens=_tokens(_nested(usage, "completion_tokens_details", "reasoning_tokens")),
        reported_cost_nanousd=_nanousd(usage.get("cost")),
    )


def _nested(usage: dict[str, Any], key: str, inner: str) -> object:
    details = usage.get(key)
    return details.get(inner) if isinstance(details, dict) else None


def _tokens(value: object) -> int | None:
    number = _number(value)
    if number is None or number != number.to_integral_value():
        return None
    return int(number) if 0 <= number <= _MAX_TOKENS else None


def _nanousd(value: object) -> int | None:
    """Dollars to the nearest nano-dollar."""
    dollars = _number(value)
    if dollars is None or not 0 <= dollars <= _MAX_COST_USD:
        return None
    return int((dollars * _NANO).to_integral_value())


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


@dataclass(slots=True)
class StreamedCompletion:
    """A completion put together from the data of its events."""

    done: bool = False
    first_token_s: float | None = None
    last_event_s: float = 0.0
    failure: Failure | None = None
    _texts: list[str] = field(default_factory=list)
    _refusals: list[str] = field(default_factory=list)
    _head: Completion = field(default_factory=Completion)

    @property
    def finished(self) -> bool:
        """Whether the provider said that this is all; the rest of the stream adds nothing to the text."""
        return self.done or bool(self._head.finish_reason)

    @property
    def completion(self) -> Completion:
        return replace(self._head, text="".join(self._texts), refusal="".join(self._refusals))

    def add(self, data: str, *, elapsed_s: float) -> None:
        """Take in one event. Sets ``failure`` where it carries an error; raises UnreadablePayload."""
        if not data.strip():
            return
        self.last_event_s = elapsed_s
        if data.strip() == STREAM_END:
            self.done = True
            return
        chunk = load_payload(data)
        if isinstance(chunk, dict):
            self._read_head(chunk)
            self.failure = self._failure_in(chunk, elapsed_s=elapsed_s)
            self._read_delta(first_choice(chunk), elapsed_s=elapsed_s)

    def result(self, *, elapsed_s: float) -> Reply | Failure:
        """What came of it, once the stream has ended. A reply took until its last event, not until the line closed."""
        if not self.finished:
            what = "after part of the text" if self._texts else "before any text"
            return self.cut(f"the stream ended {what}", latency_s=elapsed_s)
        return judge(self.completion, latency_s=self.last_event_s, first_token_s=self.first_token_s)

    def cut(self, detail: str, *, latency_s: float, status_code: int | None = None) -> Failure:
        failure = _failure(FailureKind.STREAM_CUT, detail, self._head, latency_s=latency_s)
        return replace(failure, status_code=status_code)

    def _failure_in(self, chunk: dict[str, Any], *, elapsed_s: float) -> Failure | None:
        """An error before any text is what a body of that error would be; after it, the stream was cut."""
        failure = _failure_in(chunk, latency_s=elapsed_s)
        if failure is None and self._head.finish_reason == "error":
            return self.cut("the provider ended the stream with an error", latency_s=elapsed_s)
        if failure is None or not self._texts:
            return failure
        return self.cut(failure.detail, latency_s=elapsed_s, status_code=failure.status_code)

    def _read_head(self, chunk: dict[str, Any]) -> None:
        head = self._head
        usage = read_usage(chunk.get("usage"))
        reason = _name(first_choice(chunk).get("finish_reason"), limit=_MAX_REASON_CHARS)
        self._head = Completion(
            finish_reason=reason or head.finish_reason,
            usage=head.usage if usage == _UNKNOWN_USAGE else usage,
            provider_model=head.provider_model or _name(chunk.get("model")),
            response_id=head.response_id or _name(chunk.get("id")),
        )

    def _read_delta(self, choice: dict[str, Any], *, elapsed_s: float) -> None:
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        text = text_of(delta.get("content"))
        if text:
            self._texts.append(text)
            self.first_token_s = elapsed_s if self.first_token_s is None else self.first_token_s
        refusal = text_of(delta.get("refusal"))
        if refusal:
            self._refusals.append(refusal)
