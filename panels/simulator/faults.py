"""What each fault looks like from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from panels.simulator import wire
from panels.simulator.catalogue import Fault
from panels.simulator.plumbing import JSON

REFUSAL = "I can't help with that (simulated refusal)."
STREAM_ERROR = "Provider returned error (simulated)."


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReply:
    """A whole response that takes the place of the model's."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def _error(status: int, message: str, *, type: str = "server_error", code: str | None = None) -> FaultReply:
    return FaultReply(status=status, body=wire.error_body(message=message, type=type, code=code))


# Of a body and of a stream alike; the faults not listed here spoil a reply that is otherwise written.
FAULT_REPLIES: Mapping[Fault, FaultReply] = MappingProxyType(
    {
        Fault.RATE_LIMITED: FaultReply(
            status=429,
            body=wire.error_body(
                message="Rate limit reached (simulated).", type="rate_limit_error", code="rate_limit_exceeded"
            ),
            headers=((b"retry-after", b"1"),),
        ),
        Fault.SERVER_ERROR: _error(500, "The server had an error (simulated)."),
        Fault.OVERLOADED: _error(529, "Overloaded (simulated).", type="overloaded_error"),
        Fault.HANG: _error(504, "The model did not answer in time (simulated)."),
        Fault.HTML_PAGE: FaultReply(
            status=502,
            body=b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>Simulated</body></html>",
            content_type=b"text/html",
        ),
    }
)
ERROR_BODY = _error(200, STREAM_ERROR, code="502").body
