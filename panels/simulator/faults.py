"""What each fault is: an error of the provider, or a page of something in between. The wire format words the errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from panels.simulator.model import Fault

REFUSAL = "I can't help with that (simulated refusal)."
# Status and page of what stands in front of the provider: a gateway that fails, a login that asks for a person.
HTML_PAGES: Mapping[Fault, tuple[int, bytes]] = MappingProxyType(
    {
        Fault.HTML_PAGE: (
            502,
            b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>Simulated</body></html>",
        ),
        Fault.HTML_REPLY: (
            200,
            b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Simulated</body></html>",
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderError:
    """An error as a provider means it. ``type``, ``param`` and ``code`` are in the words of OpenAI's errors."""

    status: int
    message: str
    type: str = "server_error"
    param: str | None = None
    code: str | None = None


# Of a body and of a stream alike; the faults not listed here spoil a reply that is otherwise written.
FAULT_ERRORS: Mapping[Fault, ProviderError] = MappingProxyType(
    {
        Fault.RATE_LIMITED: ProviderError(
            status=429,
            message="Rate limit reached (simulated).",
            type="rate_limit_error",
            code="rate_limit_exceeded",
        ),
        Fault.UNAUTHORISED: ProviderError(
            status=401,
            message="Incorrect API key provided (simulated).",
            type="invalid_request_error",
            code="invalid_api_key",
        ),
        Fault.PAYMENT_REQUIRED: ProviderError(
            status=402, message="Insufficient credits (simulated).", type="billing_error", code="402"
        ),
        Fault.RETIRED: ProviderError(
            status=404,
            message="The model has been retired (simulated).",
            type="invalid_request_error",
            param="model",
            code="model_not_found",
        ),
        Fault.SERVER_ERROR: ProviderError(status=500, message="The server had an error (simulated)."),
        Fault.OVERLOADED: ProviderError(status=529, message="Overloaded (simulated).", type="overloaded_error"),
        Fault.HANG: ProviderError(status=504, message="The model did not answer in time (simulated)."),
    }
)
# What a reply of status 200 carries in its place, or a stream in its middle.
LATE_ERROR = ProviderError(status=502, message="Provider returned error (simulated).", code="502")
