"""What the wire formats share: JSON read leniently, and a completion judged, whole or put together from events."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from panels.fusion.clients.failures import ProviderError, classify
from panels.fusion.regions import region_code
from panels.fusion.types import Failure, FailureKind, Reply, Usage

_MAX_TOKENS = 10**9
_MAX_NAME_CHARS = 200
UNKNOWN_USAGE = Usage()
STREAM_END = "[DONE]"


class UnreadablePayload(Exception):
    """A body or an event that is no JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a completion said, before it is judged. ``text`` and ``refusal`` are empty where there is none."""

    text: str = ""
    refusal: str = ""
    finish_reason: str = ""
    usage: Usage = UNKNOWN_USAGE
    provider_model: str = ""
    response_id: str = ""
    region: str = ""
    served_by: str = ""


def load_payload(raw: str | bytes) -> object:
    """JSON with fractions as Decimal, since money is among them. Raises UnreadablePayload."""
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=lambda _: None)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise UnreadablePayload(str(error)) from error


def judge(completion: Completion, *, latency_s: float, first_token_s: float | None = None) -> Reply | Failure:
    """A completion with text that was not refused is a reply."""
    if completion.refusal.strip() or completion.finish_reason == "content_filter":
        why = completion.refusal.strip() or "stopped by the provider's content filter"
        return failure_of_completion(FailureKind.REFUSED, why, completion, latency_s=latency_s)
    if not completion.text.strip():
        why = f"empty completion, finish_reason {completion.finish_reason or 'missing'}"
        return failure_of_completion(FailureKind.EMPTY, why, completion, latency_s=latency_s)
    return Reply(
        text=without_lone_surrogates(completion.text),
        usage=completion.usage,
        latency_s=latency_s,
        first_token_s=first_token_s,
        finish_reason=completion.finish_reason,
        provider_model=completion.provider_model,
        response_id=completion.response_id,
        region=completion.region,
        served_by=completion.served_by,
    )


def failure_of_completion(kind: FailureKind, detail: str, completion: Completion, *, latency_s: float) -> Failure:
    """With what the completion used, who wrote it and its id."""
    return Failure(
        kind=kind,
        detail=detail,
        latency_s=latency_s,
        usage=completion.usage,
        provider_model=completion.provider_model,
        response_id=completion.response_id,
        region=completion.region,
        served_by=completion.served_by,
    )


def failure_of_error(error: ProviderError, completion: Completion, *, latency_s: float) -> Failure:
    """The error that a response of status 200 carries, in its body or in an event."""
    detail = f"error in a response of status 200: {error.message}"
    kind = classify(error, status_code=error.status)
    failure = failure_of_completion(kind, detail, completion, latency_s=latency_s)
    return replace(failure, status_code=error.status or 200)


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


def name_of(value: object, *, limit: int = _MAX_NAME_CHARS) -> str:
    """A name or id that a provider gave, of bounded length; empty if it is none."""
    return without_lone_surrogates(text_of(value))[:limit]


def region_of(value: object) -> str:
    """The code of a region that a provider named; empty if it named none."""
    return region_code(name_of(value))


def read_tokens(value: object) -> int | None:
    """A count of tokens; None if it is missing, negative or absurd."""
    number = read_number(value)
    if number is None or number != number.to_integral_value():
        return None
    return int(number) if 0 <= number <= _MAX_TOKENS else None


def read_number(value: object) -> Decimal | None:
    """A finite number, also as text; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


@dataclass(slots=True)
class StreamedReply(ABC):
    """A completion put together from the data of its events. What an event means is up to the wire format.

    ``[DONE]`` ends a stream in every format: those that do not know it get it from gateways all the same.
    """

    done: bool = False
    first_token_s: float | None = None
    last_event_s: float = 0.0
    failure: Failure | None = None
    head: Completion = field(default_factory=Completion)
    texts: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @abstractmethod
    def take(self, event: dict[str, Any], *, elapsed_s: float) -> None:
        """Read one event."""

    @property
    def finished(self) -> bool:
        """Whether the provider said that this is all; the rest of the stream adds nothing to the text."""
        return self.done or bool(self.head.finish_reason)

    @property
    def completion(self) -> Completion:
        return replace(self.head, text="".join(self.texts), refusal="".join(self.refusals))

    def add(self, data: str, *, elapsed_s: float) -> None:
        """Take in one event. Sets ``failure`` where it carries an error; raises UnreadablePayload."""
        if not data.strip():
            return
        self.last_event_s = elapsed_s
        if data.strip() == STREAM_END:
            self.done = True
            return
        event = load_payload(data)
        if isinstance(event, dict):
            self.take(event, elapsed_s=elapsed_s)

    def result(self, *, elapsed_s: float) -> Reply | Failure:
        """What came of it, once the stream has ended. A reply took until its last event, not until the line closed."""
        if not self.finished:
            what = "after part of the text" if self.texts else "before any text"
            return self.cut(f"the stream ended {what}", latency_s=elapsed_s)
        return judge(self.completion, latency_s=self.last_event_s, first_token_s=self.first_token_s)

    def cut(self, detail: str, *, latency_s: float, status_code: int | None = None) -> Failure:
        failure = failure_of_completion(FailureKind.STREAM_CUT, detail, self.head, latency_s=latency_s)
        return replace(failure, status_code=status_code)

    def fail(self, failure: Failure | None, *, elapsed_s: float) -> None:
        """An error before any text is what a body of that error would be; after it, the stream was cut."""
        if failure is not None and self.texts:
            failure = self.cut(failure.detail, latency_s=elapsed_s, status_code=failure.status_code)
        self.failure = failure

    def add_text(self, text: str, *, elapsed_s: float) -> None:
        if text:
            self.texts.append(text)
            self.first_token_s = elapsed_s if self.first_token_s is None else self.first_token_s
