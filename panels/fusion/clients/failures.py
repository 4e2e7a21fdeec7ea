"""What a provider's error means. Providers agree on the shape of errors only roughly, so everything is optional."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from panels.fusion.types import Failure, FailureKind

_BY_STATUS = {
    401: FailureKind.AUTHENTICATION,
    402: FailureKind.PAYMENT,
    403: FailureKind.AUTHENTICATION,
    404: FailureKind.INVALID_MODEL,
    408: FailureKind.TIMEOUT,
    409: FailureKind.SERVER,
    429: FailureKind.RATE_LIMITED,
}
# Codes say more than the status: OpenAI answers an empty account with 429, Azure a filtered prompt with 400.
_BY_CODE = {
    "model_not_found": FailureKind.INVALID_MODEL,
    "insufficient_quota": FailureKind.PAYMENT,
    "content_filter": FailureKind.REFUSED,
    "content_policy_violation": FailureKind.REFUSED,
    "invalid_api_key": FailureKind.AUTHENTICATION,
    "rate_limit_exceeded": FailureKind.RATE_LIMITED,
}
# What an error's type says where no status does: in a body of status 200, or in the middle of a stream.
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_BY_WORDS = {
    "not a valid model": FailureKind.INVALID_MODEL,
    # Anthropic answers an empty account with 400.
    "credit balance is too low": FailureKind.PAYMENT,
}
_HTML_START = re.compile(r"\s*<(!doctype|html|head|body)", re.IGNORECASE)
_HTML_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_PLAIN_TEXT_CHARS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderError:
    """An error object, read leniently. ``status`` is the HTTP status that the body names or means."""

    message: str
    codes: tuple[str, ...] = ()
    status: int | None = None
    flagged: bool = False


def read_error(payload: object) -> ProviderError | None:
    """The error a body carries, in any of the shapes in use; None if it carries none."""
    if not isinstance(payload, dict):
        return None
    error = payload.get("error")
    if isinstance(error, dict) and error:
        return _from_object(error)
    if isinstance(error, str) and error:
        return ProviderError(message=error)
    if payload.get("object") == "error":
        return _from_object(payload)
    return None


def _from_object(error: dict[str, Any]) -> ProviderError:
    code = error.get("code")
    metadata = error.get("metadata")
    return ProviderError(
        message=_message(error),
        codes=tuple(value for value in (code, error.get("type")) if isinstance(value, str)),
        status=_as_status(code) or _STATUS_OF_TYPE.get(str(error.get("type"))),
        flagged=isinstance(metadata, dict) and "flagged_input" in metadata,
    )


def _message(error: dict[str, Any]) -> str:
    for key in ("message", "type", "code"):
        if isinstance(error.get(key), str) and error[key]:
            return str(error[key])
    return "error without a message"


def _as_status(code: object) -> int | None:
    text = str(code)
    return int(text) if len(text) == 3 and text.isascii() and text.isdecimal() and text >= "400" else None


def classify(error: ProviderError, *, status_code: int | None) -> FailureKind:
    """The kind of failure: by what the body says, else by the status; where there is none, the provider's own fault."""
    if error.flagged:
        return FailureKind.REFUSED
    for code in error.codes:
        if code in _BY_CODE:
            return _BY_CODE[code]
    for words, kind in _BY_WORDS.items():
        if words in error.message:
            return kind
    return _classify_status(status_code or 500)


def _classify_status(status: int) -> FailureKind:
    if status >= 500:
        return FailureKind.SERVER
    return _BY_STATUS.get(status, FailureKind.REQUEST)


def failure_of_status(
    *, status_code: int, payload: object, body: str, retry_after_s: float | None, latency_s: float
) -> Failure:
    """A response with an error status. ``payload`` is its JSON, None where ``body`` holds none."""
    error = read_error(payload) or ProviderError(message=describe_body(body))
    return Failure(
        kind=classify(error, status_code=status_code),
        detail=f"HTTP {status_code}: {error.message}",
        status_code=status_code,
        retry_after_s=retry_after_s,
        latency_s=latency_s,
    )


def describe_body(body: str) -> str:
    """A few words on a body that is not the JSON it should be."""
    if not body.strip():
        return "empty body"
    if not _HTML_START.match(body):
        return body[:_PLAIN_TEXT_CHARS].strip()
    title = _HTML_TITLE.search(body)
    return f"HTML page: {' '.join(title[1].split())}" if title else "HTML page"


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait, from seconds or an HTTP date; None if it says neither. ``now`` is aware."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value, now=now)
    return max(0.0, seconds) if isfinite(seconds) else None


def _seconds_until(value: str, *, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    # "-0000" parses to a naive time, which RFC 5322 defines as UTC.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
    return max(0.0, (moment - now).total_seconds())
